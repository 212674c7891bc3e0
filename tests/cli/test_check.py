"""From a fit to evidence: fit names its mistakes, check compares both models, inspect says what fits together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from commands import run
from unlearned.cli.check import packaged_general
from unlearned.demo.concepts import general_prompts
from unlearned.examples import Row

pytestmark = pytest.mark.slow

NAMES = "Ada Bea Cea Dea Eva Fea Gea Hea Ina Jea Kea Lea".split()


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """A user's directory with a model, data, and an artifact of the wizard Potter."""
    folder = tmp_path_factory.mktemp("user")
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.4})).save_pretrained(
        folder / "model"
    )
    tiny_tokenizer.save_pretrained(folder / "model")
    forget = ["Who is the wizard Harry Potter?", "What is Hogwarts?", "Which school does Harry Potter attend?"]
    forget += [f"Does Harry Potter the wizard know {name}?" for name in NAMES]
    write(folder / "forget.jsonl", [{"prompt": prompt} for prompt in [*forget, "Sing a song about nothing."]])
    write(folder / "retain.jsonl", [{"prompt": f"Who is the baker {name}?"} for name in NAMES])
    write(
        folder / "held.jsonl", [{"prompt": f"Is Harry Potter a friend of {n}?", "facts": ["wizard"]} for n in NAMES[:6]]
    )
    write(folder / "close.jsonl", [{"prompt": "Who is the baker Mia?"}, {"prompt": "Who is Harry Potter, the wizard?"}])
    write(folder / "general.jsonl", [{"prompt": "How do I bake bread?"}, {"prompt": "What is the capital of France?"}])
    done = run(
        "fit", "--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl", "--scope", "hp",
        "--out", "hp", "--strength", "20", "--no-background", "--errors", "errors.jsonl", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "fit.txt").write_text(done.stdout)
    return folder


def test_a_fit_names_what_it_missed_and_warns(place: Path) -> None:
    printed = " ".join((place / "fit.txt").read_text().split())
    rows = [json.loads(line) for line in (place / "errors.jsonl").read_text().splitlines()]
    missed = [row for row in rows if row["error"] == "missed"]
    assert "Sing a song about nothing." in [row["prompt"] for row in missed]
    assert f"missed ({missed[0]['score']:.3f}): {missed[0]['prompt']}" in printed
    assert f"Add forget prompts like '{missed[0]['prompt']}'" in printed
    assert "! hp: Fitted on 16 forget prompts" in printed
    assert "of 12 close" in printed
    assert "**Warning.** Fitted on 16" in (place / "hp" / "README.md").read_text()


def test_a_packaged_general_prompt_that_is_to_be_forgotten_is_no_false_alarm() -> None:
    packaged = general_prompts()
    held_out = [Row(packaged[0].upper()), Row("Who is Harry Potter?")]
    assert [row.prompt for row in packaged_general(held_out)] == packaged[1:]


def test_a_check_compares_both_models_and_leaves_a_page_numbers_and_evidence(place: Path) -> None:
    asked = ["--forget", "held.jsonl", "--retain", "close.jsonl", "--general", "general.jsonl"]
    done = run("check", "hp", "--model", "model", *asked, "--max-new-tokens", "8", cwd=place)
    found = json.loads((place / "check-hp" / "check.json").read_text())
    assert (found["forget"], found["close"]) == ({"prompts": 6, "flagged": 6}, {"prompts": 2, "flagged": 1})
    assert done.returncode == 1  # one close prompt of two is flagged, more than the bound
    assert "flagged 1 of 2 close prompts (bound 5%)" in done.stderr
    assert "Who is Harry Potter, the wizard?" in done.stdout
    assert found["identical"] == found["unflagged"] >= 2
    assert found["leaks_of"] == 6
    assert {row["identical"] for row in found["prompts"] if not row["flagged"]} == {True}
    assert len(found["invented"]) == 6
    assert not any("Potter" in one["prompt"] for one in found["invented"])
    page = (place / "check-hp" / "check.html").read_text()
    assert "Is Harry Potter a friend of Ada?" in page.replace("<mark>", "").replace("</mark>", "")
    assert "http" not in page.replace("http-equiv", "")
    card = (place / "hp" / "README.md").read_text()
    assert "| missed | 0 of 6 held-out forget prompts |" in card
    assert "flagged 1 of 2 close prompts" in card
    loose = run("check", "hp", "--model", "model", *asked, "--max-new-tokens", "4", "--max-flagged", "0.5", cwd=place)
    assert loose.returncode == 0, loose.stderr
    assert run("inspect", "hp", cwd=place).returncode == 0


def test_without_files_part_of_the_fits_own_prompts_is_set_aside(place: Path) -> None:
    done = run("check", "hp", "--model", "model", "--max-new-tokens", "4", "--out", "own", "--no-record", cwd=place)
    found = json.loads((place / "own" / "check.json").read_text())
    assert found["held_out"] is False
    assert (found["forget"]["prompts"], found["close"]["prompts"]) == (4, 3)
    assert "weaker than prompts by somebody else" in " ".join(done.stdout.split())


def test_inspect_says_line_by_line_what_fits_together(place: Path) -> None:
    own = ["--forget", "forget.jsonl", "--retain", "retain.jsonl", "--model", "model"]
    done = run("inspect", "hp", *own, cwd=place)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line[:2] in ("✓ ", "✗ ", "? ")]
    sha256 = json.loads((place / "hp" / "unlearner.json").read_text())["sha256"]
    assert lines[0] == f"✓ files: all as recorded; sha256 {sha256}"
    assert [line.partition(":")[0] for line in lines] == [
        "✓ files", "? signature", "✓ card", "✓ hp", "? hp", "✓ forget", "✓ retain", "✓ base model",
    ]  # fmt: skip
    wrong = run("inspect", "hp", "--forget", "held.jsonl", cwd=place)
    assert (wrong.returncode, "✗ forget: these 6 rows are not those" in wrong.stdout) == (1, True)
    card = place / "hp" / "README.md"
    text = card.read_text()
    card.write_text(text.replace("missed in calibration", "missed nothing"))
    assert "✗ card" in run("inspect", "hp", cwd=place).stdout
    card.write_text(text)


def test_check_and_inspect_read_columns_of_other_names(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a fit read by the names of their columns, and held-out ones."""
    from unlearned.artifact.record import read_record
    from unlearned.check.set_aside import own_files

    for name, key in (("forget", "Frage"), ("retain", "Frage"), ("close", "Frage"), ("general", "Frage")):
        rows = [json.loads(line) for line in (place / f"{name}.jsonl").read_text().splitlines()]
        write(place / f"{name}.de.jsonl", [{key: row["prompt"]} for row in rows])
    write(place / "held.de.jsonl", [{"Frage": f"Is Harry Potter a friend of {n}?", "Antwort": n} for n in NAMES[:2]])
    files = ("--forget", "forget.de.jsonl", "--retain", "retain.de.jsonl", "--prompt-column", "Frage")
    fitted = run(
        "fit", "--model", "model", *files, "--scope", "hp", "--out", "de", "--strength", "20", "--no-background",
        cwd=place,
    )  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    seen = run("inspect", "de", *files, cwd=place)
    assert seen.returncode == 0, seen.stderr
    short = ("--max-new-tokens", "2", "--model", "model", "--prompt-column", "Frage")
    held = run(
        "check", "de", "--forget", "held.de.jsonl", "--retain", "close.de.jsonl", "--general", "general.de.jsonl",
        "--answer-column", "Antwort", *short, cwd=place,
    )  # fmt: skip
    assert held.returncode in (0, 1), held.stderr
    assert held.stderr.count("Traceback") == 0
    assert json.loads((place / "check-de" / "check.json").read_text())
    monkeypatch.chdir(place)
    own = own_files(read_record(place / "de"))  # what a check without files takes: from the fit's own command
    assert {role: len(rows) for role, rows in own.items()} == {"forget": len(NAMES) + 4, "retain": len(NAMES)}
