"""What is wrong is told before torch is imported, and nothing good is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from commands import run
from unlearned.artifact import Artifact
from unlearned.artifact.in_force import Hold
from unlearned.artifact.provenance import rows_sha256
from unlearned.artifact.signing import sign
from unlearned.cli import before, choices
from unlearned.examples import Row

pytestmark = pytest.mark.slow

FORGET = ["Who is Harry Potter?", "What is Hogwarts?", "Which school does Harry Potter attend?", "Name his owl."]

RETAIN = ["How do I bake bread?", "Who is the fox?", "What is tea?", "Name a river.", "Where is Oslo?"]

HEAVY = {"torch", "transformers", "numpy", "scipy", "jinja2", "unlearned.artifact.schema"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    for name, prompts in (("forget", FORGET), ("other", [*FORGET, "Who is Dobby?"]), ("retain", RETAIN)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"prompt": p}) + "\n" for p in prompts))
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine")
    (folder / "training").mkdir()
    key = Ed25519PrivateKey.generate()
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "training" / "other.bin").write_text("mine")
    done = run(
        "fit", "--classifier-only", "--no-background", "--forget", "forget.jsonl", "--retain", "retain.jsonl",
        "--scope", "hp", "--out", "hp", "--about", "the wizard", "--reference", "case 4711",
        cwd=folder, env={"UNLEARNED_BY": "Anna"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "hp", folder / "signed")
    sign(folder / "signed", folder / "key.pem")
    return folder


FIT = ("fit", "--forget", "forget.jsonl", "--scope", "hp", "--out", "new")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("fit", "--forget", "none.jsonl", "--scope", "x", "--out", "new"), "Cannot read none.jsonl"),
        (("fit", "--forget", "forget.jsonl", "--scope", " ", "--out", "new"), "The scope needs a name"),
        ((*FIT, "--retain", "other.jsonl"), "4 prompts are to be both forgotten and retained"),
        ((*FIT, "--exempt", "other.jsonl"), "4 prompts are to be both forgotten and exempted"),
        (("forget", " ", "--out", "new"), "Say whom or what to forget"),
        (("forget", "Jo Smith", "--kind", "persn", "--out", "new"), "--kind persn: must be one of person, work"),
        ((*FIT, "--classifier", "kernal"), "Did you mean 'kernel'?"),
        ((*FIT, "--corruption", "rand_nose_first_n"), "Did you mean 'rand_noise_first_n'?"),
        ((*FIT, "--objective", "likelihood,rogue"), "Did you mean 'rouge'?"),
        ((*FIT, "--surrogate", "inventd"), "Did you mean 'invented'?"),
        ((*FIT, "--selector", "entities"), "the entity tagger 'dslim/bert-base-NER'"),
        ((*FIT, "--encoder", "no/such-encoder"), "the text encoder 'no/such-encoder'"),
        ((*FIT, "--model", "./nowhere"), "There is no folder './nowhere'"),
        (("fit", "--forget", "forget.jsonl", "--scope", "hp", "--out", "forget.jsonl/x"), "is no folder"),
        (("fit", "--forget", "forget.jsonl", "--scope", "hp", "--out", "full"), "full exists and is no artifact"),
        (
            ("fit", "--forget", "forget.jsonl", "--scope", "dobby", "--out", "hp"),
            "another scope: hp. Add --overwrite",
        ),
        (("fit", "--forget", "other.jsonl", "--scope", "hp", "--out", "hp"), "fitted on other data"),
        ((*FIT[:-1], "signed", "--retain", "retain.jsonl"), "artifact that is signed; the new one would not be. Add"),
        (("fit", "--forget", "forget.jsonl", "--detector", "nowhere", "--out", "new"), "no artifact folder 'nowhere'"),
        (("generate", "--prompt", "x", "--truncate", "top"), "must be one of left, right, middle"),
        (("instruct", "refusal", "--detector", "nowhere", "--out", "new"), "holds no unlearner.json"),
        (("instruct", "prompting", "--text", "none.txt", "--out", "new"), "none.txt: There is no such file"),
        (("instruct", "prompting", "--about", "x", "--out", "full"), "full exists. Add --overwrite"),
        (
            ("instruct", "prompting", "--about", "x", "--out", "full", "--overwrite"),
            "nothing that --overwrite",
        ),
        (("train", "npo", "--forget", "none.jsonl", "--out", "new"), "Cannot read none.jsonl"),
        (("train", "npo", "--forget", "forget.jsonl", "--out", "training"), "training exists"),
        (("generate", "--input", "none.jsonl"), "Cannot read none.jsonl"),
        (("generate", "--artifact", "nowhere", "--prompt", "Hi"), "no artifact folder 'nowhere'"),
        (("classify", "hp", "none.jsonl"), "Cannot read none.jsonl"),
        (("inspect", "nowhere"), "no artifact folder 'nowhere'"),
        (("serve", "--artifact", "nowhere"), "no artifact folder 'nowhere'"),
        (("serve", "--admin-key-file", "none.txt"), "none.txt"),
        (("chat", "--artifact", "nowhere"), "no artifact folder 'nowhere'"),
        (("serve", "--on-flag", "refuze"), "--on-flag refuze: must be one of"),
        (("forget", "Anna Berg", "--documents", "none.jsonl", "--out", "new"), "Cannot read none.jsonl"),
        (("forget", "Dobby", "--scope", "dobby", "--out", "hp"), "another scope: hp. Add --overwrite"),
        (("forget", "Dobby", "--out", "full"), "full exists and is no artifact"),
        (("report", "nowhere"), "There is no folder 'nowhere'. Give the one of a finished run"),
        (("bench", "verify", "nowhere"), "There is no folder 'nowhere'. Give the one of a finished run"),
        (("bench", "tofu", "--data", "nowhere"), "no file or folder 'nowhere'. Check the path of --data"),
        (("bench", "subjects", "--data", "./no/where"), "no file or folder './no/where'"),
        (("chat", "--adapter", "./nowhere"), "There is no folder './nowhere'. Check the path of the adapter"),
        (("generate", "--prompt", "x", "--device", "cuda:x"), "--device cuda:x: is none"),
        (("eval", "--model", "./nowhere", "--tasks", "x"), "There is no folder './nowhere'"),
    ],
)
def test_a_slip_of_the_pen_is_told_before_torch_is_imported(
    place: Path, command: tuple[str, ...], message: str
) -> None:
    done = run(*command, cwd=place, light=True)
    assert message in done.stderr
    assert done.returncode == 1, done.stderr
    # Whoever mistypes a file waits for the command line alone; only the record of an artifact has to be understood.
    loaded = HEAVY & done.modules
    assert loaded <= ({"unlearned.artifact.schema"} if "none.jsonl" not in command else set()), loaded
    assert len(done.stderr.splitlines()) == 1
    assert not (place / "new").exists()


def test_what_options_offer_is_what_there_is() -> None:
    from unlearned.answers.withheld import DEFAULT, POLICIES
    from unlearned.classify.base import classifiers
    from unlearned.classify.scope import Policy
    from unlearned.corrupt.functions import SUBSTITUTION, corruptions
    from unlearned.learn import config
    from unlearned.learn.calibration import METHODS
    from unlearned.learn.config import AUTO, AUTO_FUNCTIONS, BEST
    from unlearned.learn.measures import measures
    from unlearned.learn.optimisers import optimisers
    from unlearned.learn.surrogate import KINDS
    from unlearned.prompts.truncation import Side
    from unlearned.select.entities import MODEL, VARIABLE
    from unlearned.select.positions import selectors

    assert sorted(config.CLASSIFIERS) == classifiers.names()
    assert sorted(config.CORRUPTIONS) == sorted([*corruptions.names(), AUTO, BEST])
    assert sorted(config.OBJECTIVES) == measures.names()
    assert sorted(config.OPTIMISERS) == optimisers.names()
    assert sorted(config.SELECTORS) == selectors.names()
    assert config.CALIBRATIONS == METHODS
    assert config.ANSWERS == POLICIES
    assert config.FitConfig().answers == DEFAULT
    assert get_args(Policy) == config.OTHER_LANGUAGES
    assert sorted(config.SURROGATES) == sorted(KINDS)
    assert AUTO_FUNCTIONS[0] == SUBSTITUTION
    assert get_args(Side) == choices.SIDES
    assert (before.NER, before.NER_VARIABLE) == (MODEL, VARIABLE)


def test_a_replaced_artifact_is_kept_until_the_next_success(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "hp", tmp_path / "hp")
    first = (tmp_path / "hp" / "unlearner.json").read_text()
    fit = [
        "fit",
        "--classifier-only",
        "--no-background",
        "--retain",
        place / "retain.jsonl",
        "--out",
        "hp",
        "--overwrite",
    ]
    done = run(*fit, "--forget", place / "other.jsonl", "--scope", "dobby", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "hp.previous" / "unlearner.json").read_text() == first
    second = (tmp_path / "hp" / "unlearner.json").read_text()
    failed = run(*fit, "--forget", place / "retain.jsonl", "--scope", "dobby", cwd=tmp_path)
    assert failed.returncode == 1, failed.stdout
    assert (tmp_path / "hp.previous" / "unlearner.json").read_text() == first
    again = run(
        "fit", "--classifier-only", "--no-background", "--retain", place / "retain.jsonl",
        "--forget", place / "other.jsonl", "--scope", "dobby", "--out", "hp", cwd=tmp_path,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr  # the same scope and data
    assert (tmp_path / "hp.previous" / "unlearner.json").read_text() == second
    hold = Hold(tmp_path / "hp")
    fit = [
        "fit",
        "--classifier-only",
        "--no-background",
        "--retain",
        place / "retain.jsonl",
        "--forget",
        place / "other.jsonl",
    ]
    refused = run(*fit, "--scope", "dobby", "--out", "hp", cwd=tmp_path)
    assert (refused.returncode, "in force" in refused.stderr) == (1, True), refused.stderr
    hold.end()
    instruct = ["instruct", "prompting", "--about", "Potter", "--out", "told"]
    assert [run(*instruct, *more, cwd=tmp_path).returncode for more in ((), (), ("--overwrite",))] == [0, 1, 0]
    assert (tmp_path / "told.previous" / "unlearner.json").is_file()


def test_the_record_tells_how_it_was_made(place: Path) -> None:
    artifact = Artifact.from_pretrained(place / "hp")
    [step] = artifact.made
    assert (artifact.about, artifact.reference, step.by, step.step) == ("the wizard", "case 4711", "Anna", "detector")
    assert step.command == (
        "unlearned fit --classifier-only --no-background --forget forget.jsonl --retain retain.jsonl --scope hp "
        "--out hp --about 'the wizard' --reference 'case 4711'"
    )
    assert (step.options["classifier"], step.options["max_fpr"], step.seed) == ("kernel", 0.005, None)
    rows = [Row(prompt) for prompt in FORGET]
    assert [(one.role, one.rows) for one in step.data] == [("forget", 4), ("retain", 5)]
    assert step.data[0].sha256 == rows_sha256(reversed([*rows, rows[0]])) != rows_sha256(rows[1:])
    assert artifact.calibrations["hp"].close_count == 5


def test_the_hash_of_rows_is_as_documented() -> None:
    import hashlib

    digests: list[Any] = sorted(
        hashlib.sha256(text.encode()).digest() for text in ('["Wer ist „Jo“?", null]', '["A", "B"]')
    )
    assert rows_sha256([Row("A", "B"), Row("Wer ist „Jo“?")]) == hashlib.sha256(b"".join(digests)).hexdigest()
