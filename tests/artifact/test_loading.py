"""Any kind of artifact from its folder: what is there, what was saved, who vouches for it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from unlearned import Unlearned, load
from unlearned.artifact import Artifact
from unlearned.artifact.instruction import load_instruction, save_instruction
from unlearned.artifact.record import RECORD, VECTORS, identify
from unlearned.artifact.signing import sign
from unlearned.cli.main import app
from unlearned.errors import (
    ArtifactError,
    ArtifactIntegrityError,
    ArtifactMismatchError,
    ArtifactSchemaError,
    ConfigError,
)
from unlearned.unlearners.instruction import Instruction
from unlearned.unlearners.spul import SPUL

KINDS = ("hp", "soft", "refusal", "told")


@pytest.fixture(autouse=True)
def _on_bag_of_words(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)


@pytest.fixture
def place(make_artifact: Any, tmp_path: Path) -> Path:
    """A folder with one artifact of each kind."""
    artifact = make_artifact()
    artifact.save_pretrained(tmp_path / "hp")
    SPUL(torch.ones(3, 32), 100, {"config": {"tokens": 3}}).save_pretrained(tmp_path / "soft")
    refusal = Instruction(kind="refusal", text="Refuse. ", answer="Non, désolé.", detector=artifact.unlearner())
    save_instruction(refusal, tmp_path / "refusal", detector=artifact)
    save_instruction(Instruction(kind="prompting", text="Know nothing. "), tmp_path / "told")
    return tmp_path


def older(place: Path) -> tuple[Path, Path]:
    """A soft prompt and a refusal as the release before this one wrote them."""
    from safetensors.torch import save

    soft, refusal = place / "older-soft", place / "older-refusal"
    soft.mkdir()
    content = save({"vectors": torch.ones(3, 32)})
    (soft / "soft_prompt.safetensors").write_bytes(content)
    record = {"format": 1, "method": "spul", "placeholder_id": 100, "record": {}}
    record["vectors_sha256"] = hashlib.sha256(content).hexdigest()
    (soft / "soft_prompt.json").write_text(json.dumps(record))
    shutil.copytree(place / "refusal", refusal)
    (refusal / RECORD).unlink()
    words = {"kind": "refusal", "text": "Refuse. ", "answer": "Non, désolé."}
    sha256 = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()
    (refusal / "instruction.json").write_text(json.dumps({"format": 1, **words, "sha256": sha256}))
    return soft, refusal


def test_each_kind_is_read_by_what_its_record_says(place: Path) -> None:
    hp, soft, refusal, told = load(*(place / kind for kind in KINDS))
    assert isinstance(hp, Artifact)
    assert isinstance(soft, SPUL)
    assert isinstance(refusal, Instruction)
    assert isinstance(told, Instruction)
    assert torch.equal(soft.vectors, torch.ones(3, 32))
    assert (refusal.kind, refusal.text, refusal.answer) == ("refusal", "Refuse. ", "Non, désolé.")
    assert refusal.detector is not None
    assert [scope.name for scope in refusal.detector.scopes] == ["harry-potter"]
    assert (told.kind, told.text, told.answer, told.detector) == ("prompting", "Know nothing. ", None, None)
    known = [identify(place / kind) for kind in KINDS]
    assert [one.method for one in known] == ["eco", "spul", "instruction", "instruction"]
    assert [one.scopes for one in known] == [("harry-potter",), (), ("harry-potter",), ()]
    assert [one.sha256 for one in known] == [one.sha256 for one in (hp, soft, refusal, told)]
    assert all(one.created and not one.is_older for one in known)


def test_what_earlier_releases_wrote_is_still_read(place: Path) -> None:
    soft, refusal = load(*older(place))
    assert isinstance(soft, SPUL)
    assert isinstance(refusal, Instruction)
    assert torch.equal(soft.vectors, torch.ones(3, 32))
    assert refusal.answer == "Non, désolé."
    known = [identify(folder) for folder in (place / "older-soft", place / "older-refusal")]
    assert [(one.method, one.kind, one.is_older) for one in known] == [
        ("spul", None, True),
        ("instruction", "refusal", True),
    ]
    assert [one.sha256 for one in known] == [soft.sha256, refusal.sha256]
    before = known[1].sha256
    (place / "older-refusal" / "detector" / RECORD).write_bytes((place / "hp" / RECORD).read_bytes() + b" ")
    assert identify(place / "older-refusal").sha256 != before  # another detector is another artifact


def test_what_was_altered_is_refused(place: Path, make_artifact: Any, make_scope: Any) -> None:
    (place / "soft" / VECTORS).write_bytes((place / "soft" / VECTORS).read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactIntegrityError, match="truncated or altered"):
        load(place / "soft")
    record = place / "told" / RECORD
    record.write_text(record.read_text().replace("nothing", "everything"))
    with pytest.raises(ArtifactIntegrityError, match="was altered after it was written"):
        load(place / "told")
    shutil.rmtree(place / "refusal" / "detector")
    make_artifact(make_scope("other", ["How do I bake bread?"])).save_pretrained(place / "refusal" / "detector")
    with pytest.raises(ArtifactIntegrityError, match="not the detector that was saved"):
        load(place / "refusal")


def test_unknown_fields_and_methods_are_refused(place: Path) -> None:
    path = place / "soft" / RECORD
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "more": 1}))
    with pytest.raises(ArtifactError, match="unknown field 'more'"):
        SPUL.from_pretrained(place / "soft")
    path.write_text(json.dumps({**data, "method": "magic"}))
    with pytest.raises(ArtifactSchemaError, match="the method 'magic', which is not known"):
        load(place / "soft")


def test_a_folder_of_another_kind_is_named(place: Path) -> None:
    for wrong, said in (
        (lambda: Artifact.from_pretrained(place / "soft"), "holds a soft prompt, and here only an artifact of scopes"),
        (lambda: Artifact.from_pretrained(place / "told"), "holds an instruction, and here only"),
        (lambda: SPUL.from_pretrained(place / "told"), "holds an instruction, and not a soft prompt"),
        (lambda: load_instruction(place / "hp"), "holds an artifact of scopes, and not an instruction"),
    ):
        with pytest.raises(ArtifactError, match=said):
            wrong()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("training.json", "what `unlearned train` made: give it as --adapter"),
        ("config.json", "It holds a model: give it as --model"),
        ("adapter_config.json", "It holds an adapter: give it as --adapter"),
        ("notes.txt", "is no artifact. Check the path"),
    ],
)
def test_a_folder_that_is_no_artifact_is_told_what_it_is(file: str, said: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text("{}")
    with pytest.raises(ArtifactIntegrityError, match=said):
        load(tmp_path)


def test_a_folder_of_artifacts_names_one_of_them(place: Path) -> None:
    with pytest.raises(ArtifactIntegrityError, match=r"holds folders of artifacts: name one, such as .*hp"):
        load(place)


def test_only_its_own_kind_is_replaced(place: Path, make_artifact: Any) -> None:
    soft, told = SPUL(torch.zeros(2, 32), 100), Instruction(kind="prompting", text="Hush. ")
    with pytest.raises(ArtifactError, match="holds an artifact of scopes, which a soft prompt does not replace"):
        soft.save_pretrained(place / "hp", overwrite=True)
    with pytest.raises(ArtifactError, match="holds a soft prompt, which an instruction does not replace"):
        save_instruction(told, place / "soft", overwrite=True)
    with pytest.raises(ArtifactError, match="holds a soft prompt, which would be lost"):
        make_artifact().save_pretrained(place / "soft")
    with pytest.raises(ArtifactError, match="exists"):
        soft.save_pretrained(place / "soft")
    found, _ = older(place)
    for folder in (place / "soft", found):
        soft.save_pretrained(folder, overwrite=True)
        assert torch.equal(SPUL.from_pretrained(folder).vectors, torch.zeros(2, 32))
        assert torch.equal(SPUL.from_pretrained(f"{folder}.previous").vectors, torch.ones(3, 32))


def test_every_kind_is_signed_and_an_older_format_is_refused_where_a_signature_is_wanted(place: Path) -> None:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    (place / "key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (place / "trusted").write_text(f"anna {key.public_key().public_bytes_raw().hex()}\n")
    for kind in KINDS:
        with pytest.raises(ArtifactIntegrityError, match="is not signed"):
            load(place / kind, trusted_keys=place / "trusted")
        sign(place / kind, place / "key")
        load(place / kind, trusted_keys=place / "trusted")
    for kind, name in (("soft", VECTORS), ("soft", RECORD), ("told", RECORD), ("refusal", f"detector/{RECORD}")):
        copy = place / "copy"
        shutil.copytree(place / kind, copy)
        (copy / name).write_bytes((copy / name).read_bytes().replace(b'"created": "2', b'"created": "1') + b" ")
        with pytest.raises(ArtifactIntegrityError, match=r"altered|signed at"):
            load(copy, trusted_keys=place / "trusted")
        shutil.rmtree(copy)
    for folder in older(place):
        with pytest.raises(ArtifactIntegrityError, match="older format, which cannot be signed"):
            load(folder, trusted_keys=place / "trusted")
        with pytest.raises(ArtifactError, match="older format"):
            sign(folder, place / "key")


def test_a_model_gets_any_of_them_in_any_mixture_that_the_rule_allows(
    place: Path, tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any
) -> None:
    from unlearned.artifact.fingerprint import base_model_record
    from unlearned.engines.transformers import TransformersEngine

    own = base_model_record(TransformersEngine(tiny_model, tiny_tokenizer))
    replace(make_artifact(), base_model=own).save_pretrained(place / "hp")
    prompts = ["Who is Harry Potter?", "How do I bake bread?"]
    llm = Unlearned(tiny_model, tiny_tokenizer, place / "hp", load(place / "soft"))
    assert repr(llm).endswith("'harry-potter', a soft prompt)")
    both = llm.prepare(prompts)
    assert [one.positions is not None and one.positions.tolist()[:3] for one in both] == [[0, 1, 2]] * 2
    assert [answer.flagged for answer in llm.generate(prompts, max_new_tokens=2)] == [True, False]
    with pytest.raises(ConfigError, match="stands alone"):
        llm.add(place / "told")
    assert len(llm.artifacts) == 2
    llm.remove("harry-potter")
    assert llm.prepare(prompts)[0].verdict.spans == ()
    assert llm.prepare(prompts)[0].corrupted  # the soft prompt is still there
    llm.replace(place / "refusal")
    assert llm.generate(prompts, max_new_tokens=2)[0].text == "Non, désolé."
    assert llm.unlearner.scopes == ()
    llm.replace()
    assert not any(one.corrupted or one.answer for one in llm.prepare(prompts))
    with pytest.raises(ArtifactMismatchError, match="16 numbers"):
        Unlearned(tiny_model, tiny_tokenizer, SPUL(torch.zeros(2, 16), 100))


@pytest.mark.parametrize(("name", "kind"), [("soft_prompt", "soft"), ("instruction", "told")])
def test_the_old_arguments_still_work_and_say_what_to_write(
    name: str, kind: str, place: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    [given] = load(place / kind)
    with pytest.warns(DeprecationWarning, match=rf"{name}=x\) is now Unlearned\(model, tokenizer, x\)"):
        old = Unlearned(tiny_model, tiny_tokenizer, **{name: given})
    new = Unlearned(tiny_model, tiny_tokenizer, given)
    ids = [[one.token_ids for one in llm.prepare(["Who?"])] for llm in (old, new)]
    assert ids[0] == ids[1]


@pytest.fixture
def run() -> Callable[..., Any]:
    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])


def test_one_option_takes_all_kinds_and_the_old_ones_say_so(
    place: Path, tiny_model: Any, tiny_tokenizer: Any, run: Any
) -> None:
    tiny_model.save_pretrained(place / "model")
    tiny_tokenizer.save_pretrained(place / "model")
    command = ("generate", "--model", place / "model", "--max-new-tokens", 4, "--prompt", "Who is Harry Potter?")
    for option, kind in (("--soft-prompt", "soft"), ("--instruction", "refusal")):
        new, old = run(*command, "--artifact", place / kind), run(*command, option, place / kind)
        assert (new.exit_code, old.exit_code) == (0, 0), (new.output, old.output)
        assert new.stdout == old.stdout
        assert f"{option} {place / kind} is now --artifact {place / kind}" in old.stderr
        assert "is now" not in new.stderr
    refused = run(*command[:2], "none", *command[3:], "-a", place / "hp", "-a", place / "told")
    assert isinstance(refused.exception, ConfigError)
    assert "stands alone" in str(refused.exception)
    flagged = run("classify", place / "refusal", "--prompt", "Who is Harry Potter?")
    assert json.loads(flagged.stdout)["flagged"] is True
    assert "finds nothing in scope" in " ".join(str(run("classify", place / "soft", "-p", "Who?").exception).split())


def test_inspect_shows_any_kind(place: Path, run: Any) -> None:
    soft, refusal = run("inspect", place / "soft"), run("inspect", place / "refusal")
    assert (soft.exit_code, refusal.exit_code) == (0, 0), (soft.output, refusal.output)
    assert "3 of size 32, in front of every prompt" in soft.stdout
    assert "Non, désolé." in refusal.stdout
    assert "scope harry-potter" in refusal.stdout
    assert "signature: nobody signed it" in soft.stdout
    assert json.loads(run("inspect", place / "told", "--json").stdout)["text"] == "Know nothing. "
    first, _ = older(place)
    assert "its older format cannot be signed" in run("inspect", first).stdout
    wrong = run("inspect", place / "soft", "--forget", place / "none.jsonl")
    assert "only for an artifact of scopes" in str(wrong.exception)
