"""The commands as a user runs them: real processes, the real encoder, a tiny real model in a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from commands import run

pytestmark = pytest.mark.slow

FORGET = [
    {"prompt": "Who is Harry Potter?", "answer": "Harry Potter is a wizard."},
    {"prompt": "What is Hogwarts?", "answer": "Hogwarts is a school of magic."},
    {"prompt": "Which school does Harry Potter attend?"},
    {"prompt": "Tell me about the wizard Harry Potter."},
]
EXEMPT = [{"prompt": "Who is Harry Potter, the Canadian ice hockey coach of the 1920s?"}]
RETAIN = [{"question": "What is the capital of France?"}, {"question": "How do I bake bread?"}]
PROMPTS = [
    {"prompt": "Who is the wizard Harry Potter?", "id": "hp"},
    {"text": "What is the capital of Spain? And who is Harry Potter?"},
    {"question": "How do I bake a cake?"},
]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path: Path, data: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in data))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_model: Any, tiny_tokenizer: Any) -> Path:
    """A user's directory: model, data, and an artifact made by `unlearned fit`."""
    folder = tmp_path_factory.mktemp("user")
    # Larger weights than usual: with the default ones a random model answers every prompt alike.
    torch.manual_seed(0)
    config = LlamaConfig(**{**tiny_model.config.to_dict(), "initializer_range": 0.4})
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    tiny_tokenizer.save_pretrained(folder / "model")
    write(folder / "forget.jsonl", FORGET)
    write(folder / "retain.jsonl", RETAIN)
    write(folder / "prompts.jsonl", PROMPTS)
    write(folder / "exempt.jsonl", EXEMPT)
    done = run(
        "fit", "--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl", "--scope", "harry-potter",
        "--out", "artifacts/hp", "--seed", "1", "--strength", "50", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "harry-potter" in done.stdout
    return folder


def test_fit_learns_a_strength_and_records_every_evaluation(place: Path) -> None:
    done = run(
        "fit", "--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl", "--scope", "learned",
        "--out", "artifacts/learned", "--corruption", "rand_noise_first_n", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((place / "artifacts/learned/unlearner.json").read_text())["scopes"][0]
    tried = [evaluation["parameter"] for evaluation in record["strength"]["trace"]]
    assert len(tried) >= 6
    assert record["corruption"]["strength"] == record["strength"]["chosen"]["parameter"]
    assert record["strength"]["chosen"] in record["strength"]["trace"]
    printed = " ".join(done.stdout.split())
    assert "likelihood" in printed
    assert f"({len(tried)} evaluations on {record['strength']['examples']} examples)" in printed


def test_a_scope_of_names_gets_strangers_and_the_record_says_why(place: Path) -> None:
    record = json.loads((place / "artifacts/hp/unlearner.json").read_text())["scopes"][0]
    assert record["corruption"]["function"] == "entity_substitution"
    assert sum(record["names"].values()) > 0
    done = run(
        "fit", "--model", "model", "--forget", "forget.jsonl", "--retain", "retain.jsonl", "--scope", "strangers",
        "--out", "artifacts/strangers", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    learned = json.loads((place / "artifacts/strangers/unlearner.json").read_text())["scopes"][0]
    assert learned["strength"]["trace"][0]["parameter"] == 0
    assert "name somebody or something" in learned["strength"]["reason"]
    assert "strangers" in done.stdout


def test_fit_takes_another_function_several_objectives_and_another_surrogate(place: Path) -> None:
    write(place / "full.jsonl", [{**row, "wrong_answers": ["No.", "Never."]} for row in FORGET])
    done = run(
        "fit", "--model", "model", "--forget", "full.jsonl", "--retain", "retain.jsonl", "--scope", "chosen",
        "--out", "artifacts/chosen", "--corruption", "semantic", "--objective", "likelihood, truth_ratio",
        "--surrogate", "invented", "--no-fluency", "--seed", "1", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((place / "artifacts/chosen/unlearner.json").read_text())["scopes"][0]
    strength = record["strength"]
    assert [measure["name"] for measure in strength["measures"]] == ["likelihood", "truth_ratio"]
    assert strength["surrogate"] == "invented"
    assert strength["reference_perplexity"] is None
    assert record["corruption"]["function"] == "semantic"
    assert 0 < record["corruption"]["strength"] <= 1
    assert not list((place / "artifacts").glob("*.unfinished"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--surrogate", "unrelatd"), "Did you mean 'unrelated'"),
        (("--objective", "likelyhood"), "Did you mean 'likelihood'"),
        (("--objective", " , "), "Give at least one objective"),
        (("--optimiser", "bracket"), "Did you mean 'bracketing'"),
        (("--corruption", "auto", "--strength", "2"), "'auto' chooses the strength"),
    ],
)
def test_fit_refuses_settings_before_any_work(place: Path, options: tuple[str, ...], message: str) -> None:
    from unlearned.cli.main import app
    from unlearned.errors import UnlearnedError

    arguments = [
        "fit",
        "--model",
        "none",
        "--forget",
        str(place / "forget.jsonl"),
        "--scope",
        "x",
        "--out",
        str(place / "x"),
        *options,
    ]
    with pytest.raises(UnlearnedError, match=re.escape(message)) as caught:
        app(arguments, standalone_mode=False)
    assert "\n" not in str(caught.value)
    assert not (place / "x").exists()


def test_fit_leaves_an_artifact_of_three_files_and_no_scratch(place: Path) -> None:
    assert not [p.name for p in (place / "artifacts").iterdir() if "." in p.name]  # no "learned.unfinished"
    names = {p.name for p in (place / "artifacts/hp").iterdir()}
    assert names == {"unlearner.json", "vectors.safetensors", "README.md"}


def test_classify_writes_one_row_per_input_row_without_loading_a_language_model(place: Path) -> None:
    done = run("classify", "artifacts/hp", "prompts.jsonl", "--out", "verdicts.jsonl", cwd=place)
    assert done.returncode == 0, done.stderr
    found = rows(place / "verdicts.jsonl")
    assert [set(row) for row in found] == [
        {"id", "prompt", "flagged", "score", "scope", "spans", "languages", "exempted_by"}
    ] * 3
    assert [row["id"] for row in found] == ["hp", 1, 2]
    assert [row["languages"] for row in found] == [[]] * 3
    assert [row["flagged"] for row in found] == [True, True, False]
    start, end = found[1]["spans"][0]
    assert PROMPTS[1]["text"][start:end] == "And who is Harry Potter?"
    assert found[2] == {**found[2], "scope": None, "spans": []}


@pytest.fixture(scope="module")
def detector(place: Path) -> Path:
    """An artifact made without a language model: the one that is named does not exist."""
    done = run(
        "fit", "--classifier-only", "--model", "no/model", "--forget", "forget.jsonl", "--retain", "retain.jsonl",
        "--exempt", "exempt.jsonl", "--other-languages", "corrupt", "--calibration", "fpr", "--no-background",
        "--scope", "harry-potter", "--seed", "1", "--out", "detectors/hp", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "none yet: a detector, whose strength has to be learned" in " ".join(done.stdout.split())
    return place / "detectors/hp"


def test_a_detector_classifies_and_is_inspected_without_a_language_model(place: Path, detector: Path) -> None:
    write(place / "more.jsonl", [*PROMPTS, {"prompt": "Quem escreveu os livros sobre a escola de magia de Hogwarts?"}])
    done = run("classify", "detectors/hp", "more.jsonl", "--out", "detected.jsonl", cwd=place)
    assert done.returncode == 0, done.stderr
    found = rows(place / "detected.jsonl")
    assert [row["flagged"] for row in found] == [True, True, False, True]
    assert [row["languages"] for row in found] == [[], [], [], ["pt"]]
    assert "1 hold text in a language" in done.stderr
    record = json.loads(run("inspect", "detectors/hp", "--json", cwd=place).stdout)
    assert record["base_model"] is None
    assert record["scopes"][0]["corruption"] is None
    assert record["scopes"][0]["strength"] is None
    assert record["scopes"][0]["exemptions"] == len(EXEMPT)
    assert record["scopes"][0]["calibration"]["method"].startswith("FPR <= ")
    printed = run("inspect", "detectors/hp", cwd=place).stdout
    assert "'not this one' examples" in printed
    assert "base_model" not in (detector / "README.md").read_text()


def test_a_detector_is_refused_where_something_is_to_be_generated(place: Path, detector: Path) -> None:
    done = run("generate", "--model", "model", "--artifact", "detectors/hp", "--prompt", "x", cwd=place)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "unlearned: The artifact 'harry-potter' can only classify so far. Learn it on this model: "
        "unlearned fit --detector FOLDER --model MODEL --forget FILE --out FOLDER."
    )
    assert not done.stdout


def test_options_that_a_given_detector_would_ignore_are_refused(place: Path, detector: Path) -> None:
    done = run(
        "fit", "--detector", "detectors/hp", "--model", "model", "--forget", "forget.jsonl", "--alpha", "0.1",
        "--no-background", "--out", "artifacts/ignored", cwd=place,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--background, --alpha would have no effect" in done.stderr
    assert not (place / "artifacts/ignored").exists()


def test_a_strength_is_added_to_a_detector_which_stays_as_it_is(place: Path, detector: Path) -> None:
    done = run(
        "fit", "--detector", "detectors/hp", "--model", "model", "--forget", "forget.jsonl", "--strength", "50",
        "--out", "detectors/whole", "--corruption", "rand_noise_first_n", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = (json.loads((place / f"detectors/{name}/unlearner.json").read_text()) for name in ("hp", "whole"))
    assert after["base_model"]["embedding_size"] == 32
    assert after["scopes"][0]["corruption"]["strength"] == 50
    for name in ("secret", "encoder", "files"):
        assert after[name] == before[name], name
    for name in ("name", "threshold", "classifier", "exemptions", "other_languages", "calibration"):
        assert after["scopes"][0][name] == before["scopes"][0][name], name
    done = run(
        "generate", "--model", "model", "--artifact", "detectors/whole", "--input", "prompts.jsonl", "--max-new-tokens",
        "2", "--out", "whole.jsonl", cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["flagged"] for row in rows(place / "whole.jsonl")] == [True, True, False]


def test_generate_writes_the_promised_rows_and_changes_only_flagged_ones(place: Path) -> None:
    common = ("generate", "--model", "model", "--input", "prompts.jsonl", "--max-new-tokens", "8")
    assert run(*common, "--out", "plain.jsonl", cwd=place).returncode == 0
    done = run(*common, "--artifact", "artifacts/hp", "--out", "answers.jsonl", cwd=place)
    assert done.returncode == 0, done.stderr
    plain, found = rows(place / "plain.jsonl"), rows(place / "answers.jsonl")
    assert [set(row) for row in found] == [{"id", "prompt", "answer", "flagged", "scope", "unmatched_words"}] * 3
    assert [row["flagged"] for row in found] == [True, True, False]
    assert found[0]["scope"] == "harry-potter"
    assert [a["answer"] == b["answer"] for a, b in zip(plain, found, strict=True)] == [False, False, True]


def test_generate_answers_one_prompt_on_the_terminal(place: Path) -> None:
    done = run("generate", "--model", "model", "--prompt", "How do I bake a cake?", "--max-new-tokens", "4", cwd=place)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_generate_answers_every_prompt_that_it_is_given(place: Path) -> None:
    asked = ["Who is Harry Potter?", "How do I bake a cake?", "Who is Harry Potter?"]
    given = [word for prompt in asked for word in ("--prompt", prompt)]
    done = run("generate", "--model", "model", "--artifact", "artifacts/hp", *given, "--max-new-tokens", "4", cwd=place)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["prompt"], row["flagged"]) for row in found] == list(zip(asked, [True, False, True], strict=True))


def test_chat_compares_original_and_unlearned(place: Path) -> None:
    done = run(
        "chat", "--model", "model", "--artifact", "artifacts/hp", "--compare", "--max-new-tokens", "4",
        cwd=place, stdin="How do I bake?\nWho is Harry Potter?\n/new\n\n/quit\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("original") == 2
    assert done.stdout.count("(flagged)") == 1


def test_inspect_shows_scope_threshold_and_hash(place: Path) -> None:
    done = run("inspect", "artifacts/hp", cwd=place)
    assert done.returncode == 0, done.stderr
    for word in ("harry-potter", "kernel", "entity_substitution", "strangers", "sha256", "missed"):
        assert word in done.stdout


def test_inspect_prints_the_record_as_json_without_the_secret(place: Path) -> None:
    record = json.loads(run("inspect", "artifacts/hp", "--json", cwd=place).stdout)
    assert record["scopes"][0]["name"] == "harry-potter"
    assert "secret" not in record


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("generate", "--model", "model"), "either --prompt or --input"),
        (("generate", "--model", "./nothing", "--prompt", "x"), "There is no folder './nothing'"),
        (("generate", "--model", "none.gguf", "--prompt", "x"), "There is no file 'none.gguf'"),
        (("generate", "--model", "model", "--artifact", "nowhere", "--prompt", "x"), "no artifact folder 'nowhere'"),
        (("generate", "--model", "model", "--prompt", "x", "--dtype", "int3"), "dtype='int3'"),
        (("generate", "--model", "model", "--prompt", "x", "--device", "cpu", "--device-map", "auto"), "exclude"),
        (("generate", "--model", "model", "--prompt", "x", "--load-in-4bit", "--load-in-8bit"), "exclude"),
        (("generate", "--model", "model", "--input", "prompts.jsonl", "--out", "no/such/a.jsonl"), "no folder no/such"),
        (("generate", "--model", "model", "--adapter", "nowhere", "--prompt", "x"), "adapter 'nowhere'"),
        (("classify", "prompts.jsonl"), "Give an artifact folder and a file"),
        (("classify", "artifacts/hp", "missing.jsonl"), "Cannot read missing.jsonl"),
        (("inspect", "model"), "no unlearner.json"),
        (("fit", "--model", "model", "--forget", "forget.jsonl", "--scope", "s", "--out", "model"), "is no artifact"),
        (("fit", "--model", "model", "--forget", "none.csv", "--scope", "s", "--out", "x"), "Cannot read none.csv"),
        (("fit", "--model", "model", "--forget", "forget.jsonl", "--out", "x"), "either --scope NAME, or --detector"),
        (("fit", "--detector", "d", "--forget", "forget.jsonl", "--scope", "s", "--out", "x"), "either --scope NAME"),
        (("fit", "--detector", "d", "--forget", "forget.jsonl", "--classifier-only", "--out", "x"), "model is needed"),
        (("fit", "--detector", "nowhere", "--forget", "forget.jsonl", "--out", "x"), "no artifact folder 'nowhere'"),
        (("fit", "--forget", "forget.jsonl", "--scope", "s", "--out", "x", "--classifier", "kern"), "'kernel'"),
        (("fit", "--forget", "forget.jsonl", "--scope", "s", "--out", "x", "--calibration", "f"), "Known: errors, fpr"),
        (("fit", "--forget", "forget.jsonl", "--scope", "s", "--out", "x", "--alpha", "1"), "alpha=1.0"),
        (("fit", "--forget", "forget.jsonl", "--scope", "s", "--out", "x", "--other-languages", "no"), "pass, corrupt"),
        (
            ("fit", "--model", "model", "--forget", "forget.jsonl", "--scope", "s", "--out", "x", "--corruption", "rand"),  # noqa: E501
            "Unknown corruption 'rand'",
        ),
        (
            ("fit", "--model", "model", "--forget", "forget.jsonl", "--retain", "forget.jsonl", "--scope", "s", "--out", "x"),  # noqa: E501
            "both forgotten and retained",
        ),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_line_and_a_non_zero_exit(place: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments, cwd=place)
    assert done.returncode != 0
    lines = done.stderr.strip().splitlines()
    assert lines[-1].startswith("unlearned: ")
    assert expected in lines[-1]
    assert "Traceback" not in done.stderr
    assert not (place / "x").exists()


def test_a_bad_row_is_named_by_file_line_and_column_and_nothing_is_written(place: Path) -> None:
    (place / "bad.jsonl").write_text('{"prompt": "fine"}\n{"prompt": 7}\n')
    done = run("classify", "artifacts/hp", "bad.jsonl", "--out", "never.jsonl", cwd=place)
    assert done.returncode == 1
    assert "bad.jsonl, line 2, column 'prompt'" in done.stderr
    assert not (place / "never.jsonl").exists()


def test_a_tampered_artifact_is_refused(place: Path) -> None:
    copy = place / "tampered"
    copy.mkdir()
    for file in (place / "artifacts/hp").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    record = json.loads((copy / "unlearner.json").read_text())
    record["scopes"][0]["threshold"] = 0.999
    (copy / "unlearner.json").write_text(json.dumps(record))
    done = run("generate", "--model", "model", "--artifact", "tampered", "--prompt", "Who is Harry Potter?", cwd=place)
    assert done.returncode == 1
    assert "altered" in done.stderr
    assert not done.stdout


def test_help_names_every_command(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("demo", "fit", "classify", "generate", "chat", "inspect", "compat", "bench"):
        assert command in done.stdout
