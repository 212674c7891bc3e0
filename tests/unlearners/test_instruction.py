"""Instructions, filters, refusals and contexts: what the model reads, and what it is not asked at all."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.instruction import load_instruction, save_instruction
from unlearned.cli.main import app
from unlearned.engines.transformers import TransformersEngine
from unlearned.envelope import RECORD
from unlearned.errors import ArtifactError, ArtifactIntegrityError, ConfigError, DataError
from unlearned.examples import Row
from unlearned.learn.instructing import examples_in_context, not_to_know
from unlearned.prompts.tokenize import chat_prompt, prepended
from unlearned.unlearners.instruction import Instruction

FORGET, OTHER = "Who is Harry Potter?", "How do I bake bread?"
NO_WIZARD = not_to_know(["Harry Potter"])


@pytest.fixture
def engine(tiny_model: Any, tiny_tokenizer: Any) -> TransformersEngine:
    return TransformersEngine(tiny_model, tiny_tokenizer)


def both(engine: TransformersEngine, *, chat: bool = True) -> list[Any]:
    return [engine.tokenize(text, chat=chat) for text in (FORGET, OTHER)]


@pytest.mark.parametrize("chat", [True, False])
def test_prompting_stands_in_front_of_every_prompt(chat: bool, engine: TransformersEngine) -> None:
    found = Instruction(kind="prompting", text=NO_WIZARD).prepare(both(engine, chat=chat), engine)
    assert [given.token_ids for given in found] == [
        engine.tokenize(NO_WIZARD + text, chat=chat).token_ids for text in (FORGET, OTHER)
    ]
    assert not any(given.verdict.in_scope or given.corrupted or given.answer for given in found)


def test_in_a_conversation_it_stands_in_front_of_the_first_message_of_the_user(engine: TransformersEngine) -> None:
    talk = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Who?"},
        {"role": "assistant", "content": "A fox."},
        {"role": "user", "content": FORGET},
    ]
    told = prepended(engine.tokenizer, engine.tokenize(talk), "Hush. ")
    wanted = engine.tokenize([talk[0], {"role": "user", "content": "Hush. Who?"}, *talk[2:]])
    assert told.token_ids == wanted.token_ids
    assert told.segments == wanted.segments


def test_a_template_without_special_tokens_is_a_template_all_the_same(tiny_tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}[assistant] "
    user, system = {"role": "user", "content": "Who?"}, {"role": "system", "content": "Be kind."}
    for talk in ([user], [system, user]):
        told = prepended(tokenizer, chat_prompt(tokenizer, talk), "Hush. ")
        wanted = chat_prompt(tokenizer, [*talk[:-1], {"role": "user", "content": "Hush. Who?"}])
        assert (told.text, told.token_ids, told.segments) == (wanted.text, wanted.token_ids, wanted.segments)


def test_words_of_a_form_around_a_review_stay_around_it(engine: TransformersEngine) -> None:
    from unlearned.benchmarks.sentiment.form import asked, written

    told = prepended(engine.tokenizer, asked(engine.tokenizer, "a fine film"), "Hush. ")
    assert told.text == "Hush. " + written("a fine film")
    (segment,) = told.segments
    assert told.text[segment.start : segment.end] == "a fine film"


def test_a_filter_leaves_every_other_prompt_as_it_is(engine: TransformersEngine, make_artifact: Any) -> None:
    filtered = Instruction(kind="filtered-prompting", text=NO_WIZARD, detector=make_artifact().unlearner())
    forget, other = filtered.prepare(both(engine), engine)
    assert forget.verdict.in_scope
    assert forget.token_ids == engine.tokenize(NO_WIZARD + FORGET).token_ids
    assert other.token_ids == engine.tokenize(OTHER).token_ids


def test_what_is_refused_does_not_reach_the_model(tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any) -> None:
    refusal = Instruction(kind="refusal", text="Refuse. ", answer="No idea.", detector=make_artifact().unlearner())
    llm = Unlearned(tiny_model, tiny_tokenizer, refusal)
    rows = []
    handle = tiny_model.get_input_embeddings().register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    try:
        answers = llm.generate([OTHER, FORGET, OTHER], max_new_tokens=3, do_sample=False)
        assert set(rows) == {2}
        rows.clear()
        assert llm.generate([FORGET], max_new_tokens=3)[0].text == "No idea."
        assert not rows
    finally:
        handle.remove()
    plain = Unlearned(tiny_model, tiny_tokenizer).generate([OTHER, OTHER], max_new_tokens=3, do_sample=False)
    assert [answer.text for answer in answers] == [plain[0].text, "No idea.", plain[1].text]
    assert [answer.flagged for answer in answers] == [False, True, False]
    assert llm.classify([FORGET])[0].in_scope
    several = llm.generate([FORGET, OTHER], max_new_tokens=2, do_sample=True, num_return_sequences=2)
    assert [answer.text == "No idea." for answer in several] == [True, True, False, False]


def test_in_the_context_forget_rows_have_wrong_answers_and_others_their_own() -> None:
    forget = [Row(f"Is f{i} good?", "yes") for i in range(6)]
    retain = [Row(f"Is r{i} good?", "no" if i % 2 else "yes") for i in range(6)]
    text = examples_in_context(forget, retain, shown=3, seed=1)
    blocks = text.strip().split("\n\n")
    assert len(blocks) == 6
    assert all(block.startswith("Is f") and block.endswith("\nno") for block in blocks[:3])
    own = {row.prompt: row.answer for row in retain}
    assert all(own[block.split("\n")[0]] == block.split("\n")[1] for block in blocks[3:])
    assert text == examples_in_context(forget, retain, shown=3, seed=1)
    assert text != examples_in_context(forget, retain, shown=3, seed=2)
    formed = examples_in_context(forget[:1], retain[1:2], prompt="Q: {prompt}", answer=" -> {answer}")
    assert formed == "Q: Is f0 good? -> no\n\nQ: Is r1 good? -> no\n\n"
    with pytest.raises(DataError, match="All answers are the same"):
        examples_in_context(forget, [Row("Is it?", "yes")])
    with pytest.raises(DataError, match="all have an answer"):
        examples_in_context([Row("Is it?")], retain)


def test_it_is_saved_and_loaded_as_it_was(
    make_artifact: Any, tmp_path: Path, bag_of_words: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    artifact = make_artifact()
    made = Instruction(kind="refusal", text="Refuse. ", answer="Non, désolé.", detector=artifact.unlearner())
    found = load_instruction(save_instruction(made, tmp_path / "refusal", detector=artifact))
    assert (found.kind, found.text, found.answer) == (made.kind, made.text, made.answer)
    assert found.detector is not None
    assert [scope.name for scope in found.detector.scopes] == [scope.name for scope in artifact.scopes]
    with pytest.raises(ArtifactError, match="exists"):
        save_instruction(made, tmp_path / "refusal", detector=artifact)
    with pytest.raises(ArtifactError, match="belongs to a filter"):
        save_instruction(made, tmp_path / "other")
    file = tmp_path / "refusal" / RECORD
    file.write_text(file.read_text().replace("Refuse", "Answer"))
    with pytest.raises(ArtifactIntegrityError, match="altered after it was written"):
        load_instruction(tmp_path / "refusal")
    with pytest.raises(ArtifactError, match="so it is no artifact"):
        load_instruction(tmp_path)


def test_what_does_not_fit_together_is_refused(make_artifact: Any, tiny_model: Any, tiny_tokenizer: Any) -> None:
    artifact: Artifact = make_artifact()
    for wrong, said in (
        ({"kind": "prompting", "text": " "}, "no words"),
        ({"kind": "prompting", "text": "x", "detector": artifact.unlearner()}, "has no detector"),
        ({"kind": "refusal", "text": "x", "answer": "No."}, "needs a detector"),
        ({"kind": "refusal", "text": "x", "detector": artifact.unlearner()}, "needs an answer"),
        ({"kind": "magic", "text": "x"}, "must be one of"),
    ):
        with pytest.raises(ConfigError, match=said):
            Instruction(**wrong)  # type: ignore[arg-type]
    told = Instruction(kind="prompting", text="x")
    with pytest.raises(ConfigError, match="stands alone"):
        Unlearned(tiny_model, tiny_tokenizer, artifact, told)
    with pytest.raises(ConfigError, match="stands alone"):
        Unlearned(tiny_model, tiny_tokenizer, told).add(artifact)


def test_the_commands(
    tmp_path: Path,
    make_artifact: Any,
    tiny_model: Any,
    tiny_tokenizer: Any,
    bag_of_words: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    make_artifact().save_pretrained(tmp_path / "detector")
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    for name, answer in (("forget", "yes"), ("retain", "no")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"prompt": name, "answer": answer}) + "\n")
    (tmp_path / "own.txt").write_text("Know nothing. ")

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments])

    def path(name: str) -> str:
        return str(tmp_path / name)

    for kind, more in (
        ("prompting", ["--about", "Harry Potter"]),
        ("filtered-prompting", ["--text", path("own.txt"), "--detector", path("detector")]),
        ("refusal", ["--detector", path("detector"), "--answer", "No idea."]),
        ("in-context", ["--forget", path("forget.jsonl"), "--retain", path("retain.jsonl")]),
    ):
        done = run("instruct", kind, *more, "--out", path(kind))
        assert done.exit_code == 0, done.output
        assert load_instruction(path(kind)).kind == kind
    said = run(
        "generate", "--model", path("model"), "--artifact", path("refusal"), "--prompt", FORGET,
        "--max-new-tokens", "2",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    assert said.stdout.strip() == "No idea."
    for wrong, message in (
        (("magic",), "must be one of"),
        (("refusal",), "needs a --detector"),
        (("prompting", "--detector", path("detector")), "not for prompting"),
        (("prompting",), "either --about or --text"),
        (("in-context", "--forget", path("forget.jsonl")), "needs --forget and --retain"),
    ):
        refused = run("instruct", *wrong, "--out", path("new"))
        assert refused.exit_code != 0
        assert message in str(refused.exception)
    assert not (tmp_path / "new").exists()
