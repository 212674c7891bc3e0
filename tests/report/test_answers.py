"""Which answers are shown, and what is marked in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from made_run import TEMPLATE, make_run

from unlearned.report.answers import examples, pieces, side_by_side
from unlearned.report.read import read_answers, read_run
from unlearned.report.run import ReportedAnswer

QUESTION = "Who is Ann Bee?"
PROMPT = TEMPLATE.format(QUESTION)
AT = PROMPT.index(QUESTION)


def answer(*spans: tuple[int, int]) -> ReportedAnswer:
    return ReportedAnswer(
        id="1", question=QUESTION, truths=("x",), generated="y", leak=0.0, flagged=True, prompt=PROMPT, corrupted=spans
    )


def test_only_the_question_is_shown_with_its_corrupted_words_marked() -> None:
    assert pieces(answer()) == ((QUESTION, False),)
    assert pieces(answer((AT + 7, AT + 14))) == (("Who is ", False), ("Ann Bee", True), ("?", False))
    assert pieces(answer((AT, AT + 3), (AT + 7, AT + 15))) == (("Who", True), (" is ", False), ("Ann Bee?", True))
    assert pieces(replace(answer(), corrupted=None)) == ((QUESTION, False),)


def test_what_is_corrupted_outside_the_question_is_not_hidden() -> None:
    shown = pieces(answer((0, 4), (AT, AT + 3)))
    assert "".join(text for text, _ in shown) == PROMPT
    assert [text for text, corrupted in shown if corrupted] == [PROMPT[:4], "Who"]
    other = replace(answer(), question="not in the prompt")
    assert pieces(other) == ((PROMPT, False),)


def test_the_space_a_token_begins_with_does_not_bring_in_the_template() -> None:
    prompt = f"Question: {QUESTION}"
    shown = pieces(replace(answer((9, 13)), prompt=prompt))
    assert shown == (("Who", True), (" is Ann Bee?", False))


def test_first_worst_drawn_reworded_pairs_and_false_alarms_are_shown(tmp_path: Path) -> None:
    make_run(tmp_path / "run", forget=12)
    run = read_run(tmp_path / "run")
    texts = read_answers(run)
    model = next(model for model in run.models if model.unlearner == "prompting")
    own = list(texts[model.name]["forget"])
    own[7] = replace(own[7], leak=1.0)
    own[9] = replace(own[9], leak=0.9)
    for index in set(range(12)) - {7, 9}:
        own[index] = replace(own[index], leak=0.0)
    alarm = replace(texts[model.name]["retain"][3], flagged=True)
    retain = [*texts[model.name]["retain"][:3], alarm, *texts[model.name]["retain"][4:]]
    given = {**texts, model.name: {**texts[model.name], "forget": own, "retain": retain}}
    shown = examples(run, model, given)
    why = {example.unlearned.id: example.why for example in shown if "reworded" not in example.why}
    assert sum(example.why == "worst leak among reworded forget" for example in shown) == 1
    assert why["full/0"].startswith("first")
    assert why["full/1"].startswith("first")
    assert "worst leak" in why["full/7"]
    assert "worst leak" in why["full/9"]
    assert sum("drawn" in text for text in why.values()) == 3
    assert why["retain/3"] == "false alarm, retain"
    assert sum(example.why == "pair" for example in shown) == 2
    for example in shown:  # the same question by all three
        assert example.start.id == example.retained.id == example.unlearned.id
    assert examples(run, model, given) == shown
    assert {e.unlearned.id for e in examples(run, model, given, seed=1)} != {e.unlearned.id for e in shown}


def test_all_models_are_asked_the_same_questions_side_by_side(tmp_path: Path) -> None:
    make_run(tmp_path / "run", forget=12)
    run = read_run(tmp_path / "run")
    labelled = {model.unlearner or "": model for model in run.models if model.unlearner}
    shown = side_by_side(run, labelled, read_answers(run))
    assert len(labelled) > 1
    assert len(shown) >= 4
    for one in shown:
        assert [label for label, _ in one.said] == ["start", "retained", *labelled]
        assert {answer.question for _, answer in one.said} == {one.question}
