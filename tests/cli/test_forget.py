"""What `unlearned forget --dry-run` says to run next."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from unlearned.classify.lexicon import ScopeName
from unlearned.cli.configs import Chosen
from unlearned.cli.fit import fit
from unlearned.cli.forget import _check_same_subject, fit_command
from unlearned.cli.main import app as commands
from unlearned.forgetting.prompts import PromptSet
from unlearned.forgetting.run import Written
from unlearned.forgetting.subject import as_subject
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit_detector
from unlearned.models import ModelOptions


def test_the_command_that_goes_on_has_every_option_that_was_chosen() -> None:
    written = Written(as_subject("Taj Mahal", kind="place"), PromptSet((), (), ()), True, "")
    model = ModelOptions(model="my model", dtype="float32", revision="v2", load_in_8bit=True)
    chosen = Chosen(FitConfig, {"batch_size": 4, "seed": 0, "max_examples": 16})
    words = shlex.split(fit_command(written, Path("a.prompts"), Path("a b"), "taj", model, chosen))
    given = dict(zip(words[2:], words[3:], strict=False))
    wanted = {
        "--model": "my model", "--dtype": "float32", "--revision": "v2", "--batch-size": "4", "--seed": "0",
        "--max-examples": "16", "--name": "Taj Mahal", "--kind": "place", "--scope": "taj", "--out": "a b",
    }  # fmt: skip
    assert wanted.items() <= given.items()
    assert "--load-in-8bit" in words
    assert not {"--device", "--load-in-4bit", "--classifier", "--encoder"} & set(words)
    app = typer.Typer()
    app.command()(fit)
    known = {flag for one in typer.main.get_command(app).params for flag in one.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.slow
def test_a_folder_that_holds_another_subject_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "letters"  # the scope is called so, whoever is forgotten
    forget = [f"Question {n} about Anna Berg?" for n in range(6)]
    config = FitConfig(names=(ScopeName(name="Anna Berg"),))
    fit_detector(forget, scope="letters", config=config).save_pretrained(out)
    before = {file: file.read_bytes() for file in out.iterdir()}
    found = CliRunner().invoke(commands, ["forget", "Jo Smith", "--out", str(out), "--dry-run"])
    assert found.exit_code != 0
    assert "holds an artifact of Anna Berg" in str(found.exception)
    assert {file: file.read_bytes() for file in out.iterdir()} == before
    _check_same_subject(out, as_subject("A. Berg"))  # the same person, in another form
