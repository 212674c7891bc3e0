"""Questions with every option and label."""

from __future__ import annotations

from unlearned.benchmarks.probes.data import Question
from unlearned.benchmarks.probes.labelled import facts_of, prompts_of, told_prompt

CHOICES = ("a wizard", "a school", "a fox", "a dog")


def test_the_right_option_stands_at_every_letter_once() -> None:
    question = Question("0", "Who?", "a wizard", CHOICES, None, None)
    asked = prompts_of(question)
    assert [one.label for one in asked] == ["A", "B", "C", "D"]
    for one in asked:
        lines = one.text.split("\n")
        assert lines[0] == "Who?"
        assert lines[-1] == "Answer:"
        assert f"{one.label}. a wizard" in lines
        assert {line[3:] for line in lines[1:-1]} == set(CHOICES)


def test_a_label_is_asked_for_by_the_question_alone() -> None:
    (asked,) = prompts_of(Question("0", "Who?", "a wizard", CHOICES, "Rowling", None))
    assert (asked.text, asked.label) == ("Who?", "Rowling")


def test_facts_stand_in_the_prompt_before_the_question() -> None:
    questions = [Question(str(n), f"Question {n}?", f"Answer {n}.", (), None, None) for n in range(9)]
    text, fact = told_prompt(questions[3], questions, 4, seed=0)
    assert fact == facts_of(questions[3]) == "Question 3? Answer 3."
    assert f"- {fact}\n" in text
    assert text.endswith("\n\nQuestion 3?")
    assert text.count("\n- ") == 4
    assert told_prompt(questions[3], questions, 4, seed=0)[0] == text
    assert told_prompt(questions[3], questions, 4, seed=1)[0] != text
    assert facts_of(Question("0", "Who?", "x", (), None, "She is x.")) == "She is x."
