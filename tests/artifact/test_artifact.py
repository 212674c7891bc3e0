"""Saving, loading, and every way in which an artifact on disk can be wrong."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from artifact_parts import calibration, detector, strength
from safetensors.numpy import load_file, save

from unlearned.api import Unlearned
from unlearned.artifact import Artifact, combined, flatten, load, read_record
from unlearned.artifact.record import CARD, RECORD, VECTORS
from unlearned.classify.base import Features
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.intents import Intents
from unlearned.classify.kernel import KernelClassifier
from unlearned.classify.neighbours import NeighboursClassifier
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import (
    ArtifactError,
    ArtifactIntegrityError,
    ArtifactMismatchError,
    ArtifactSchemaError,
    ArtifactVersionError,
    ArtifactWarning,
    UnlearnedError,
)
from unlearned.types import text_only

PROMPTS = ["Who is Harry Potter?", "Bake bread. What is Hogwarts? Bye.", "What is the capital of France?", "Hi"]


@pytest.fixture(autouse=True)
def _on_bag_of_words(monkeypatch: pytest.MonkeyPatch, bag_of_words: Any) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _edit(folder: Path, change: Any, *, sign: bool = True) -> None:
    """Change `unlearner.json`; with `sign`, as somebody would who also mends the hash."""
    data = json.loads((folder / RECORD).read_text())
    change(data)
    if sign:
        canonical = json.dumps({**data, "sha256": ""}, sort_keys=True, ensure_ascii=False)
        data["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    (folder / RECORD).write_text(json.dumps(data))


# Round trip


def test_a_loaded_artifact_gives_the_same_verdicts(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    artifact = make_artifact(make_scope("a"), make_scope("b", forget=["What is Hogwarts?"], threshold=0.25))
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "ab"))
    prompts = [text_only(text) for text in PROMPTS]
    assert again.unlearner().classify(prompts) == artifact.unlearner().classify(prompts)


@pytest.mark.parametrize(
    "corruption",
    [
        Corruption(strength=3.0, embedding_std=0.02),
        Corruption(strength=0.1, dims=5, unit="absolute"),
        Corruption(function="zero_out_top_k", dims=7),
        Corruption(function="zero_out_top_k"),
    ],
)
@pytest.mark.parametrize("selector", ["spans", "all_but_last"])
def test_a_loaded_artifact_gives_the_same_corruption_bit_for_bit(
    make_artifact: Any,
    make_scope: Any,
    tiny_model: Any,
    tiny_tokenizer: Any,
    tmp_path: Path,
    corruption: Corruption,
    selector: str,
) -> None:
    artifact = make_artifact(make_scope(corruption=corruption, selector=selector, secret=b"s" * 32))
    again = Artifact.from_pretrained(str(artifact.save_pretrained(str(tmp_path / "hp"))))
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompts = [engine.tokenize(text) for text in PROMPTS]
    before, after = (a.unlearner().prepare(prompts, engine) for a in (artifact, again))
    assert [x.corrupted for x in before] == [True, True, False, False]
    for x, y in zip(before, after, strict=True):
        assert x.corrupted == y.corrupted
        if x.positions is not None:
            assert torch.equal(x.positions, y.positions)
            assert torch.equal(x.vectors, y.vectors)


def test_every_field_survives(make_artifact: Any, tmp_path: Path) -> None:
    artifact = replace(
        make_artifact(), calibrations={"harry-potter": calibration()}, strengths={"harry-potter": strength()}
    )
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "hp"))
    for name in ("base_model", "secret", "calibrations", "strengths", "created", "name"):
        assert getattr(again, name) == getattr(artifact, name), name
    (before,), (after,) = artifact.scopes, again.scopes
    for name in ("name", "threshold", "corruption", "selector", "secret"):
        assert getattr(after, name) == getattr(before, name), name
    assert np.array_equal(again.encoder_probe, artifact.encoder_probe)


@pytest.mark.parametrize("surrogate", ["invented", -2.5, 0.1 + 0.2, 0.0])
@pytest.mark.parametrize("reference", [None, 9.5])
def test_every_kind_of_strength_record_survives(
    make_artifact: Any, tmp_path: Path, surrogate: str | float, reference: float | None
) -> None:
    record = strength(surrogate=surrogate, reference_perplexity=reference, candidates=[], trace=[])
    artifact = replace(make_artifact(), strengths={"harry-potter": record})
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "hp")).strengths["harry-potter"]
    assert again == record
    assert type(again.surrogate) is type(surrogate)


def test_a_strength_record_without_any_measure_is_refused(saved: Path) -> None:
    record = strength().model_dump(mode="json") | {"measures": []}
    _edit(saved, _set("scopes.0.strength", record))
    with pytest.raises(ArtifactSchemaError, match=r"scopes\.0\.strength\.measures"):
        Artifact.from_pretrained(saved)


# Arrays of a corruption

BANK = np.random.default_rng(0).standard_normal((9, 32)).astype(np.float32)
ARRAYS = {"semantic": {"bank": BANK}, "adversarial": {"direction": BANK[0] / np.linalg.norm(BANK[0])}}


@pytest.mark.parametrize("function", ARRAYS)
def test_the_arrays_of_a_corruption_survive_bit_for_bit(
    make_artifact: Any, make_scope: Any, tiny_model: Any, tiny_tokenizer: Any, tmp_path: Path, function: str
) -> None:
    corruption = Corruption(function=function, strength=0.5, embedding_std=0.02, stored=ARRAYS[function])
    artifact = make_artifact(make_scope("a"), make_scope("b", corruption=corruption))
    folder = artifact.save_pretrained(tmp_path / "ab")
    [(name, array)] = ARRAYS[function].items()
    assert f"scope1.corruption_{name}" in load_file(folder / VECTORS)
    first, second = Artifact.from_pretrained(folder).scopes
    assert not first.corruption.stored
    assert second.corruption == corruption
    assert second.corruption.stored[name].dtype == np.float32
    assert np.array_equal(second.corruption.stored[name], array)
    assert f"| corruption | {function}, strength 0.5 (embedding_std), all dimensions" in (folder / CARD).read_text()
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    prompt = [engine.tokenize("Who is Harry Potter?")]
    alone = make_artifact(artifact.scopes[1])
    again = Artifact.from_pretrained(alone.save_pretrained(tmp_path / "b"))
    before, after = (a.unlearner().prepare(prompt, engine)[0] for a in (alone, again))
    assert before.corrupted
    assert torch.equal(before.vectors, after.vectors)


def test_saving_a_stored_array_again_gives_the_same_bytes(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    corruption = Corruption(function="semantic", strength=0.5, stored={"bank": BANK[:, ::-1]})  # not contiguous
    first = make_artifact(make_scope(corruption=corruption)).save_pretrained(tmp_path / "a")
    again = Artifact.from_pretrained(first)
    assert np.array_equal(again.scopes[0].corruption.stored["bank"], BANK[:, ::-1])
    assert (again.save_pretrained(tmp_path / "b") / VECTORS).read_bytes() == (first / VECTORS).read_bytes()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "semantic needs the stored array bank"),
        ({"bank": BANK, "direction": BANK[0]}, "semantic uses no stored array direction"),
        ({"bank": BANK[0]}, "bank has the shape"),
        ({"bank": BANK * np.nan}, "NaN"),
    ],
)
def test_arrays_that_a_corruption_cannot_use_are_refused(
    make_artifact: Any, make_scope: Any, tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    corruption = Corruption(function="semantic", strength=0.5, stored={"bank": BANK})
    folder = make_artifact(make_scope(corruption=corruption)).save_pretrained(tmp_path / "hp")
    kept = {name: array for name, array in load_file(folder / VECTORS).items() if "corruption_" not in name}
    content = save(kept | {f"scope0.corruption_{name}": np.ascontiguousarray(a) for name, a in arrays.items()})
    (folder / VECTORS).write_bytes(content)
    _edit(folder, lambda data: data["files"].update({VECTORS: hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ArtifactSchemaError, match=message):
        Artifact.from_pretrained(folder)


def test_saving_again_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    again = Artifact.from_pretrained(saved).save_pretrained(tmp_path / "again")
    assert _files(again) == _files(saved)


def test_names_beyond_ascii_survive(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    artifact = make_artifact(make_scope('Ünï "quoted" 名前\n| `x` |'))
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "ü n"))
    assert again.name == artifact.name


def test_it_works_on_the_real_sentence_encoder(
    make_artifact: Any, make_scope: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.classify.sentences import PROBE, sentence_encoder

    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", sentence_encoder)
    encoder = sentence_encoder()
    classifier = NeighboursClassifier(encoder, encoder.encode(PROMPTS[:1]), encoder.encode(PROMPTS[2:]))
    scope = replace(make_scope(), classifier=classifier)
    artifact = replace(make_artifact(scope), encoder=encoder, encoder_probe=encoder.encode([PROBE])[0])
    again = Artifact.from_pretrained(artifact.save_pretrained(tmp_path / "hp"))
    assert again.encoder is encoder
    (verdict,) = again.unlearner().classify([text_only("Tell me who Harry Potter is.")])
    assert verdict.in_scope


# A detector, and exemptions


def test_a_detector_without_a_strength_is_saved_loaded_and_classifies(
    make_artifact: Any, make_scope: Any, tmp_path: Path
) -> None:
    artifact = detector(make_artifact(make_scope(selector="attribution", other_languages="corrupt")))
    artifact = replace(artifact, calibrations={"harry-potter": calibration()})
    folder = artifact.save_pretrained(tmp_path / "hp")
    again = Artifact.from_pretrained(folder)
    assert again.base_model is None
    assert again.scopes[0].corruption is None
    assert (again.scopes[0].selector, again.scopes[0].other_languages) == ("attribution", "corrupt")
    assert again.calibrations == artifact.calibrations
    prompts = [text_only(text) for text in PROMPTS]
    assert again.unlearner().classify(prompts) == artifact.unlearner().classify(prompts)
    assert [verdict.in_scope for verdict in again.unlearner().classify(prompts)] == [True, True, False, False]
    assert _files(again.save_pretrained(tmp_path / "again")) == _files(folder)


def test_a_detector_is_refused_for_a_model_with_what_to_do(
    make_artifact: Any, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    with pytest.raises(ArtifactMismatchError) as caught:
        Unlearned(tiny_model, tiny_tokenizer, detector(make_artifact()))
    assert str(caught.value) == (
        "The artifact 'harry-potter' can only classify so far. Learn it on this model: "
        "unlearned fit --detector FOLDER --model MODEL --forget FILE --out FOLDER."
    )


def _exempt(bag_of_words: Any, examples: list[str], forget: list[str]) -> Exemptions:
    sides = [bag_of_words.encode(texts) for texts in (examples, forget, ["Harry Potter"] * len(examples))]
    sides[2][["Harry Potter" not in text for text in examples]] = 0.0
    return Exemptions(*(vectors.astype(np.float16).astype(np.float32) for vectors in sides))


NAMESAKE = "Does Harry Potter coach hockey in Leeds?"


def test_exemptions_survive_bit_for_bit_and_go_on_to_spare(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path
) -> None:
    exempt = _exempt(bag_of_words, [NAMESAKE, "hockey"], ["Who is Harry Potter?", "What is Hogwarts?"])
    artifact = make_artifact(make_scope("a", exemptions=exempt), make_scope("b", forget=["Who is Harry Potter?"]))
    folder = artifact.save_pretrained(tmp_path / "ab")
    assert [scope.exemptions for scope in read_record(folder).scopes] == [2, 0]
    arrays = load_file(folder / VECTORS)
    assert arrays["scope0.exempt"].dtype == arrays["scope0.exempt_from"].dtype == np.float16
    assert not {"scope1.exempt", "scope1.exempt_from", "scope1.exempt_names"} & set(arrays)
    again = Artifact.from_pretrained(folder)
    found = again.scopes[0].exemptions
    assert found is not None
    for name in ("examples", "forget", "names"):
        assert getattr(found, name).dtype == np.float32
        assert np.array_equal(getattr(found, name), getattr(exempt, name)), name
    assert again.scopes[1].exemptions is None
    prompts = [text_only(text) for text in [*PROMPTS, NAMESAKE]]
    verdicts = again.unlearner().classify(prompts)
    assert verdicts == artifact.unlearner().classify(prompts)
    assert {span.scope for span in verdicts[0].spans} == {"a", "b"}
    whole = [span.scope for span in verdicts[-1].spans if (span.start, span.end) == (0, len(NAMESAKE))]
    assert "a" not in whole
    assert _files(again.save_pretrained(tmp_path / "again")) == _files(folder)


def test_what_follow_ups_must_ask_survives_bit_for_bit(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path
) -> None:
    vectors = bag_of_words.encode(["Where did live?", "When did die?"]).astype(np.float16).astype(np.float32)
    artifact = make_artifact(make_scope("a", intents=Intents(vectors, 0.375)), make_scope("b", forget=["Who is Tom?"]))
    folder = artifact.save_pretrained(tmp_path / "ab")
    assert [scope.matters for scope in read_record(folder).scopes] == [0.375, None]
    again = Artifact.from_pretrained(folder)
    found = again.scopes[0].intents
    assert found is not None
    assert found.least == 0.375
    assert found.vectors.dtype == np.float32
    assert np.array_equal(found.vectors, vectors)
    assert again.scopes[1].intents is None
    assert again.scopes[0].detector_sha256() == artifact.scopes[0].detector_sha256()
    changed = replace(artifact.scopes[0], intents=Intents(vectors, 0.5))
    assert changed.detector_sha256() != artifact.scopes[0].detector_sha256()
    assert _files(again.save_pretrained(tmp_path / "again")) == _files(folder)


def test_what_follow_ups_must_ask_without_its_array_is_refused(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path
) -> None:
    intents = Intents(bag_of_words.encode(["Where did live?"]), 0.375)
    folder = make_artifact(make_scope(intents=intents)).save_pretrained(tmp_path / "hp")
    _rewrite_vectors(folder, lambda arrays: arrays.pop("scope0.matters"))
    with pytest.raises(ArtifactSchemaError, match=r"scope 'harry-potter': .*matters"):
        Artifact.from_pretrained(folder)


def test_exemptions_of_before_names_were_kept_have_none(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path
) -> None:
    exempt = _exempt(bag_of_words, [NAMESAKE], ["Who is Harry Potter?"])
    folder = make_artifact(make_scope(exemptions=exempt)).save_pretrained(tmp_path / "hp")
    _rewrite_vectors(folder, lambda arrays: arrays.pop("scope0.exempt_names"))
    found = Artifact.from_pretrained(folder).scopes[0].exemptions
    assert found is not None
    assert found.names.shape == exempt.names.shape
    assert not found.names.any()


@pytest.mark.parametrize("name", ["exempt", "exempt_from"])
def test_exemptions_without_their_arrays_are_refused(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path, name: str
) -> None:
    exempt = _exempt(bag_of_words, [NAMESAKE], ["Who is Harry Potter?"])
    folder = make_artifact(make_scope(exemptions=exempt)).save_pretrained(tmp_path / "hp")
    _rewrite_vectors(folder, lambda arrays: arrays.pop(f"scope0.{name}"))
    with pytest.raises(ArtifactSchemaError, match=f"scope 'harry-potter': .*{name}"):
        Artifact.from_pretrained(folder)


@pytest.mark.parametrize(("path", "value"), [("exemptions", -1), ("other_languages", "drop"), ("exemptions", "two")])
def test_impossible_policies_are_refused_by_field(saved: Path, path: str, value: Any) -> None:
    _edit(saved, _set(f"scopes.0.{path}", value))
    with pytest.raises(ArtifactSchemaError, match=path):
        Artifact.from_pretrained(saved)


def test_a_record_from_before_exemptions_and_policies_is_read(saved: Path) -> None:
    def older(data: Any) -> None:
        for name in ("exemptions", "other_languages"):
            del data["scopes"][0][name]

    _edit(saved, older)
    (scope,) = Artifact.from_pretrained(saved).scopes
    assert (scope.exemptions, scope.other_languages) == (None, "pass")


# Every kind of classifier


def test_the_default_classifier_survives_bit_for_bit(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path
) -> None:
    forget, others = (Features.of(texts, bag_of_words) for texts in (PROMPTS[:1], PROMPTS[2:]))
    classifier = KernelClassifier.fit(bag_of_words, forget, others, {"gamma": 1.5})
    artifact = make_artifact(make_scope("a", threshold=0.4), replace(make_scope("b"), classifier=classifier))
    folder = artifact.save_pretrained(tmp_path / "ab")
    assert [scope.classifier.kind for scope in read_record(folder).scopes] == ["neighbours", "kernel"]
    again = Artifact.from_pretrained(folder)
    texts = Features.of([*PROMPTS, "Harry-Potter", ""], bag_of_words)
    for before, after in zip(artifact.scopes, again.scopes, strict=True):
        assert np.array_equal(after.classifier.predict_proba(texts), before.classifier.predict_proba(texts))
    assert again.scopes[1].classifier.state()[0]["gamma"] == 1.5


@pytest.mark.parametrize("name", ["vectors", "duals", "grams", "idf", "weights"])
def test_the_default_classifier_without_one_of_its_arrays_is_refused(
    make_artifact: Any, make_scope: Any, bag_of_words: Any, tmp_path: Path, name: str
) -> None:
    forget, others = (Features.of(texts, bag_of_words) for texts in (PROMPTS[:1], PROMPTS[2:]))
    classifier = KernelClassifier.fit(bag_of_words, forget, others, {})
    folder = make_artifact(replace(make_scope(), classifier=classifier)).save_pretrained(tmp_path / "hp")
    _rewrite_vectors(folder, lambda arrays: arrays.pop(f"scope0.{name}"))
    with pytest.raises(ArtifactSchemaError, match=f"scope 'harry-potter': .*{name}"):
        Artifact.from_pretrained(folder)


# What is on disk


def test_the_folder_holds_json_safetensors_and_a_card_and_no_pickle(saved: Path) -> None:
    files = _files(saved)
    assert set(files) == {"README.md", "unlearner.json", "vectors.safetensors"}
    json.loads(files[RECORD])
    assert load_file(saved / VECTORS).keys() == {"encoder_probe", "scope0.forget", "scope0.negatives"}
    for content in files.values():
        assert not content.startswith((b"\x80", b"PK\x03\x04"))  # pickle, and the zip that torch.save writes


def test_the_record_stamps_versions_hashes_and_the_base_model(saved: Path) -> None:
    data = json.loads((saved / RECORD).read_text())
    assert data["schema_version"] == 2
    assert data["method"] == "eco"
    assert data["files"] == {VECTORS: hashlib.sha256((saved / VECTORS).read_bytes()).hexdigest()}
    assert set(data["libraries"]) == {"unlearned", "torch", "transformers", "sentence-transformers"}
    assert "unknown" not in data["libraries"].values()
    assert data["base_model"]["id"] == "tiny"
    assert data["encoder"] == {"name": "bag-of-words", "dimension": 64}


def test_the_folder_is_readable_as_any_other_and_what_holds_no_secret_in_it(saved: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    assert saved.stat().st_mode & 0o777 == 0o777 & ~umask
    assert (saved / VECTORS).stat().st_mode & 0o777 == 0o666 & ~umask
    assert (saved / RECORD).stat().st_mode & 0o777 == 0o600


def test_two_thousand_negatives_stay_below_five_megabytes(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    class Wide:
        name = "wide"

        def encode(self, texts: Any) -> Any:
            return np.eye(384, dtype=np.float32)[: len(texts)]

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2400, 384)).astype(np.float32)
    scope = replace(make_scope(), classifier=NeighboursClassifier(Wide(), vectors[:400], vectors[400:]))
    folder = make_artifact(scope).save_pretrained(tmp_path / "wide")
    assert sum(len(content) for content in _files(folder).values()) < 5e6


def test_a_classifier_that_nobody_could_load_is_refused(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    class Mine(NeighboursClassifier):
        pass

    scope = make_scope()
    mine = Mine(scope.classifier.encoder, scope.classifier.forget, scope.classifier.negatives)
    with pytest.raises(ArtifactError, match="Mine is not registered"):
        make_artifact(replace(scope, classifier=mine)).save_pretrained(tmp_path / "hp")
    assert list(tmp_path.iterdir()) == []


# Saving is atomic


def _fail_at(monkeypatch: pytest.MonkeyPatch, what: str, call: int = 1) -> None:
    plain, calls = getattr(os, what), []

    def failing(*args: Any, **more: Any) -> Any:
        calls.append(args)
        if len(calls) == call:
            raise OSError("the disk is full")
        return plain(*args, **more)

    monkeypatch.setattr(os, what, failing)


@pytest.mark.parametrize("call", [1, 2])
def test_a_failing_rename_leaves_the_older_artifact_and_no_scratch_folder(
    make_artifact: Any, make_scope: Any, saved: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    before = _files(saved)
    new = make_artifact(make_scope("new"))
    with monkeypatch.context() as patch:
        _fail_at(patch, "replace", call)
        with pytest.raises(OSError, match="disk is full"):
            new.save_pretrained(saved)
    assert _files(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    assert Artifact.from_pretrained(saved).name == "harry-potter"


@pytest.mark.parametrize("name", [VECTORS, RECORD, CARD])
def test_a_failing_write_leaves_the_older_artifact_and_no_scratch_folder(
    make_artifact: Any, make_scope: Any, saved: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = _files(saved)
    bytes_writer, text_writer = Path.write_bytes, Path.write_text

    def failing(writer: Any) -> Any:
        def write(path: Path, *args: Any, **more: Any) -> Any:
            if path.name == name:
                raise OSError("the disk is full")
            return writer(path, *args, **more)

        return write

    new = make_artifact(make_scope("new"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", failing(bytes_writer))
        patch.setattr(Path, "write_text", failing(text_writer))
        with pytest.raises(OSError, match="disk is full"):
            new.save_pretrained(saved)
    assert _files(saved) == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_an_interrupted_first_save_leaves_nothing(
    make_artifact: Any, make_scope: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = make_scope()

    def interrupted() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(scope.classifier, "state", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_artifact(scope).save_pretrained(tmp_path / "hp")
    assert list(tmp_path.iterdir()) == []


def test_an_older_artifact_is_replaced_as_a_whole(make_artifact: Any, make_scope: Any, saved: Path) -> None:
    make_artifact(make_scope("new")).save_pretrained(saved)
    assert Artifact.from_pretrained(saved).name == "new"
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_missing_parents_are_made_and_an_empty_folder_is_used(make_artifact: Any, tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b" / "c"
    assert make_artifact().save_pretrained(deep) == deep
    (tmp_path / "empty").mkdir()
    make_artifact().save_pretrained(tmp_path / "empty")
    assert Artifact.from_pretrained(tmp_path / "empty").name == "harry-potter"


def test_through_a_link_the_folder_behind_it_is_replaced(make_artifact: Any, make_scope: Any, saved: Path) -> None:
    link = saved.parent / "link"
    link.symlink_to(saved)
    make_artifact(make_scope("new")).save_pretrained(link)
    assert link.is_symlink()
    assert Artifact.from_pretrained(saved).name == "new"


def test_a_relative_path_and_the_current_folder_work(
    make_artifact: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Artifact.from_pretrained(make_artifact().save_pretrained("hp")).name == "harry-potter"
    assert (tmp_path / "hp" / RECORD).is_file()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_place_taken_by_something_else_is_refused_and_left_alone(
    make_artifact: Any, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "thesis"
    if kind == "file":
        place.write_text("precious")
    else:
        place.mkdir()
        (place / "precious.txt").write_text("precious")
    with pytest.raises(ArtifactError, match=r"thesis exists and is no artifact. Choose another folder"):
        make_artifact().save_pretrained(place)
    assert (place if kind == "file" else place / "precious.txt").read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


# Loading checks everything


@pytest.mark.parametrize("name", [RECORD, VECTORS])
@pytest.mark.parametrize("keep", [0, 1, 0.5, -1])
def test_a_truncated_file_is_named(saved: Path, name: str, keep: float) -> None:
    content = (saved / name).read_bytes().rstrip()
    (saved / name).write_bytes(content[: int(len(content) * keep) if 0 < keep < 1 else int(keep)])
    with pytest.raises(ArtifactIntegrityError, match=rf"{name} is truncated or altered.*Copy"):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize(("name", "message"), [(RECORD, "is no artifact. Check the path"), (VECTORS, "is missing")])
def test_a_missing_file_is_named(saved: Path, name: str, message: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ArtifactIntegrityError, match=rf"{name}.*{message}|{message}"):
        Artifact.from_pretrained(saved)


def test_the_card_is_for_people_and_may_be_edited_or_missing(saved: Path) -> None:
    (saved / CARD).unlink()
    assert Artifact.from_pretrained(saved).name == "harry-potter"


@pytest.mark.parametrize("place", [0, 8, 100, -1])
def test_one_flipped_bit_in_the_arrays_is_noticed(saved: Path, place: int) -> None:
    content = bytearray((saved / VECTORS).read_bytes())
    content[place] ^= 1
    (saved / VECTORS).write_bytes(content)
    with pytest.raises(ArtifactIntegrityError, match=f"{VECTORS} is truncated or altered: its hash differs"):
        Artifact.from_pretrained(saved)


def _set(path: str, value: Any) -> Any:
    def change(data: Any) -> None:
        *parents, last = path.split(".")
        for part in parents:
            data = data[int(part) if part.isdigit() else part]
        data[last] = value

    return change


def _drop(path: str) -> Any:
    def change(data: Any) -> None:
        *parents, last = path.split(".")
        for part in parents:
            data = data[int(part) if part.isdigit() else part]
        del data[last]

    return change


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("scopes.0.threshold", 0.51),
        ("scopes.0.name", "other"),
        ("scopes.0.corruption.strength", 0.0),
        ("secret", "0" * 64),
        ("created", "yesterday"),
        ("base_model.id", "gpt"),
    ],
)
def test_an_altered_value_is_noticed(saved: Path, path: str, value: Any) -> None:
    _edit(saved, _set(path, value), sign=False)
    with pytest.raises(ArtifactIntegrityError, match="altered after it was written: its hash differs"):
        Artifact.from_pretrained(saved)


def test_reformatting_the_json_is_no_alteration(saved: Path) -> None:
    _edit(saved, lambda data: None, sign=False)
    assert Artifact.from_pretrained(saved).name == "harry-potter"


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, 2.5])
def test_another_format_version_says_what_is_read(saved: Path, version: Any) -> None:
    _edit(saved, _set("schema_version", version))
    with pytest.raises(ArtifactVersionError, match=rf"schema version {version!r}; this library reads 2\. Use"):
        Artifact.from_pretrained(saved)


def test_a_record_without_a_version_is_refused(saved: Path) -> None:
    _edit(saved, _drop("schema_version"))
    with pytest.raises(ArtifactVersionError, match="schema version None"):
        Artifact.from_pretrained(saved)


def test_a_newer_version_is_named_before_its_unknown_fields(saved: Path) -> None:
    _edit(saved, lambda data: data.update(schema_version=3, novelty=1))
    with pytest.raises(ArtifactVersionError):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize("path", ["novelty", "scopes.0.novelty", "base_model.novelty", "scopes.0.corruption.novelty"])
def test_an_unknown_field_is_refused_by_name(saved: Path, path: str) -> None:
    _edit(saved, _set(path, 1))
    with pytest.raises(ArtifactSchemaError, match=rf"{path}: Extra inputs"):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize(
    "path", ["secret", "scopes", "scopes.0.threshold", "scopes.0.corruption.strength", "encoder.name"]
)
def test_a_missing_field_is_refused_by_name(saved: Path, path: str) -> None:
    _edit(saved, _drop(path))
    with pytest.raises(ArtifactSchemaError, match=rf"{path}: Field required"):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("secret", "short"),
        ("secret", "G" * 64),
        ("scopes", []),
        ("scopes.0.name", ""),
        ("scopes.0.threshold", 1.5),
        ("scopes.0.threshold", float("nan")),
        ("scopes.0.threshold", "high"),
        ("scopes.0.corruption.unit", "metres"),
        ("base_model.embedding_size", 0),
        ("files", None),
    ],
)
def test_an_impossible_value_is_refused_by_field(saved: Path, path: str, value: Any) -> None:
    _edit(saved, _set(path, value))
    with pytest.raises(ArtifactSchemaError, match=path):
        Artifact.from_pretrained(saved)


def test_an_artifact_of_another_kind_is_named(saved: Path) -> None:
    _edit(saved, _set("method", "spul"))
    with pytest.raises(ArtifactError, match="a soft prompt, and here only an artifact of scopes"):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("scopes.0.corruption.function", "rand_nose_first_n", "Did you mean 'rand_noise_first_n'"),
        ("scopes.0.corruption.strength", None, "needs a strength"),
        ("scopes.0.corruption.strength", -1.0, "at least 0"),
        ("scopes.0.corruption.strength", float("nan"), "nan"),
        ("scopes.0.corruption.dims", -1, "dims=-1"),
        ("scopes.0.corruption.embedding_std", 0.0, "embedding_std=0.0"),
        ("scopes.0.selector", "span", "Did you mean 'spans'"),
        ("scopes.0.classifier.kind", "neighbors", "Did you mean 'neighbours'"),
        ("scopes.0.classifier.settings", {"temperature": -1.0}, "temperature=-1.0"),
        ("scopes.0.classifier.settings", {"warmth": 1.0}, "warmth"),
    ],
)
def test_settings_that_no_part_accepts_are_refused_with_their_scope(
    saved: Path, path: str, value: Any, message: str
) -> None:
    _edit(saved, _set(path, value))
    with pytest.raises(ArtifactSchemaError, match=f"scope 'harry-potter': .*{message}"):
        Artifact.from_pretrained(saved)


def _rewrite_vectors(folder: Path, change: Any) -> None:
    arrays = dict(load_file(folder / VECTORS))
    change(arrays)
    content = save(arrays)
    (folder / VECTORS).write_bytes(content)
    _edit(folder, _set("files", {VECTORS: hashlib.sha256(content).hexdigest()}))


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("scope0.forget"),
        lambda arrays: arrays.pop("scope0.negatives"),
        lambda arrays: arrays.update({"scope0.forget": np.zeros((0, 64), np.float16)}),
        lambda arrays: arrays.update({"scope0.forget": np.zeros((3, 32), np.float16)}),
        lambda arrays: arrays.update({"scope0.forget": np.zeros(64, np.float16)}),
        lambda arrays: arrays.update({"scope0.negatives": np.zeros(64, np.float16)}),
        lambda arrays: arrays.pop("encoder_probe"),
        lambda arrays: arrays.update({"encoder_probe": np.zeros(32, np.float32)}),
    ],
)
def test_arrays_of_a_wrong_shape_are_refused_even_with_right_hashes(saved: Path, change: Any) -> None:
    _rewrite_vectors(saved, change)
    with pytest.raises(ArtifactSchemaError):
        Artifact.from_pretrained(saved)


def test_arrays_that_are_no_safetensors_are_refused_even_with_right_hashes(saved: Path) -> None:
    import pickle

    content = pickle.dumps({"encoder_probe": [1.0]})
    (saved / VECTORS).write_bytes(content)
    _edit(saved, _set("files", {VECTORS: hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ArtifactIntegrityError, match=f"{VECTORS} cannot be read"):
        Artifact.from_pretrained(saved)


def test_arrays_without_a_recorded_hash_are_refused(saved: Path) -> None:
    _edit(saved, _set("files", {}))
    with pytest.raises(ArtifactIntegrityError, match="its hash differs"):
        Artifact.from_pretrained(saved)


@pytest.mark.parametrize("content", ["[]", "1", "null", '"x"'])
def test_json_that_is_no_object_is_refused(saved: Path, content: str) -> None:
    (saved / RECORD).write_text(content)
    with pytest.raises(ArtifactSchemaError, match="not a JSON object"):
        Artifact.from_pretrained(saved)


def test_two_scopes_of_one_name_in_one_record_are_refused(saved: Path) -> None:
    _edit(saved, lambda data: data["scopes"].append(data["scopes"][0]))
    _rewrite_vectors(
        saved, lambda arrays: arrays.update({f"scope1.{n}": arrays[f"scope0.{n}"] for n in ("forget", "negatives")})
    )
    with pytest.raises(UnlearnedError, match="have the scope"):
        Artifact.from_pretrained(saved).unlearner()


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none", str(tmp_path / "none"), "./none", "none"):
        with pytest.raises(ArtifactError, match=r"no artifact folder '.*none'. Check the path"):
            Artifact.from_pretrained(path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="no artifact folder"):
        Artifact.from_pretrained(tmp_path / "file")


def test_an_empty_folder_is_no_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactIntegrityError, match=f"holds no {RECORD}, so it is no artifact"):
        Artifact.from_pretrained(tmp_path)


@pytest.mark.parametrize("path", ["somebody/artifact-that-is-not-here", "my artifacts/h p", "a--b/..c"])
def test_a_name_that_is_neither_a_folder_nor_on_the_hub_is_named(path: str) -> None:
    with pytest.raises(ArtifactError, match=f"no folder '{path}', and the hub gives none"):
        Artifact.from_pretrained(path)


def test_another_version_of_the_encoder_is_recognised(
    saved: Path, bag_of_words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = Artifact.from_pretrained(saved)
    artifact.check_encoder()
    other = type(
        "Other", (), {"name": "bag-of-words", "encode": lambda self, texts: bag_of_words.encode(["x"] * len(texts))}
    )
    with pytest.raises(ArtifactMismatchError, match=r"another version of the encoder 'bag-of-words'.*disagree"):
        replace(artifact, encoder=other()).unlearner()
    narrow = type("Narrow", (), {"name": "n", "encode": lambda self, texts: np.ones((len(texts), 8), np.float32)})
    with pytest.raises(ArtifactMismatchError):
        combined([replace(artifact, encoder=narrow())])


# Several artifacts


def test_load_reads_several_artifacts_to_be_used_together(make_artifact: Any, make_scope: Any, tmp_path: Path) -> None:
    a = make_artifact(make_scope("a")).save_pretrained(tmp_path / "a")
    b = make_artifact(make_scope("b", forget=["What is Hogwarts?"])).save_pretrained(tmp_path / "b")
    loaded = load(a, str(b))
    assert [artifact.name for artifact in loaded] == ["a", "b"]
    assert [scope.name for scope in combined(flatten([loaded])).scopes] == ["a", "b"]
    assert [scope.name for scope in combined(loaded[::-1]).scopes] == ["a", "b"]
    assert load() == ()


def test_a_scope_that_two_artifacts_hold_is_refused(make_artifact: Any, make_scope: Any) -> None:
    with pytest.raises(UnlearnedError, match="Two artifacts have the scope"):
        combined([make_artifact(make_scope("a")), make_artifact(make_scope("a", secret=b"t" * 32))])


def test_artifacts_may_be_given_one_by_one_or_as_loaded(make_artifact: Any, make_scope: Any) -> None:
    a, b, c = (make_artifact(make_scope(name)) for name in "abc")
    assert flatten([a, (b, c)]) == [a, b, c]
    assert flatten([]) == []


def test_one_missing_artifact_of_several_loads_none(saved: Path) -> None:
    with pytest.raises(ArtifactError):
        load(saved, saved.parent / "none")


def test_the_record_can_be_read_without_the_encoder(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(name: str) -> Any:
        raise AssertionError("the encoder was loaded")

    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", unavailable)
    assert read_record(saved).scopes[0].name == "harry-potter"


# The hub


def test_push_to_hub_uploads_the_saved_folder_and_is_private_by_default(
    make_artifact: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, Any]] = []

    class Hub:
        def __init__(self, token: str | None = None) -> None:
            calls.append(("token", token))

        def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
            calls.append(("create", (repo_id, private, exist_ok)))
            return f"https://hub/{repo_id}"

        def upload_folder(self, *, repo_id: str, folder_path: Path) -> None:
            calls.append(("upload", (repo_id, Artifact.from_pretrained(folder_path).name, sorted(_files(folder_path)))))

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    assert make_artifact().push_to_hub("me/hp", token="t") == "https://hub/me/hp"
    assert calls == [
        ("token", "t"),
        ("create", ("me/hp", True, True)),
        ("upload", ("me/hp", "harry-potter", ["README.md", "unlearner.json", "vectors.safetensors"])),
    ]


def test_from_pretrained_reads_from_the_hub(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def snapshot_download(repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((repo_id, revision, sorted(allow_patterns)))
        return str(saved)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert Artifact.from_pretrained("me/hp", revision="v1").name == "harry-potter"
    own = {"README.md", "evidence.json", "signature.json", "unlearner.json", "vectors.safetensors"}
    detector = {f"detector/{file}" for file in own}
    older = {"instruction.json", "soft_prompt.json", "soft_prompt.safetensors"}
    assert asked == [("me/hp", "v1", sorted(own | detector | older))]  # of every kind, and nothing else


# The card


def test_inspect_shows_what_was_aimed_at_found_and_chosen_among(
    make_artifact: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from unlearned.cli.inspect import show

    monkeypatch.setenv("COLUMNS", "200")
    artifact = replace(make_artifact(), strengths={"harry-potter": strength()})
    show(artifact.save_pretrained(tmp_path / "hp"))
    printed = capsys.readouterr().out
    for part in (
        "schema 2",
        "-0.75 -> -3.20, -3.25 aimed at (unrelated)",
        "4% (2 evaluations on 40 examples)",
        "perplexity 8.1 against 7.5 of not knowing, 25% empty or repeating",
        "2; not dominated: rand_noise_first_n on spans 0.04",
    ):
        assert part in printed, part


def test_no_secret_in_any_repr_or_file_that_others_may_read(
    make_artifact: Any, tmp_path: Path, tiny_model: Any, tiny_tokenizer: Any
) -> None:
    secret = b"0123456789abcdef0123456789abcdef"
    artifact = make_artifact()
    artifact = replace(artifact, secret=secret, scopes=tuple(replace(s, secret=secret) for s in artifact.scopes))
    folder = artifact.save_pretrained(tmp_path / "hp")
    read = Artifact.from_pretrained(folder)
    with pytest.warns(ArtifactWarning):
        llm = Unlearned(tiny_model, tiny_tokenizer, read)
    answer = llm.generate(PROMPTS[:1], max_new_tokens=2, do_sample=False)[0]
    shown = [repr(x) for x in (artifact, read, read.scopes, read_record(folder), llm, llm.unlearner, answer)]
    shown += [str(read_record(folder)), repr(answer.prompt), repr(llm.prepare(PROMPTS[:1])[0])]
    assert not any(held in text for text in shown for held in (secret.hex(), secret.decode(), repr(secret)))
    assert max(len(repr(x)) for x in (artifact, read.scopes[0], llm, answer)) < 300
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes[RECORD] == 0o600
    assert [name for name, content in _files(folder).items() if secret.hex().encode() in content] == [RECORD]
