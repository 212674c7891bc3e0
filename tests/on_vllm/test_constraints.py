"""What a request makes the model say is checked like a prompt: grammars, schemas and choices."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import SamplingParams, StructuredOutputsParams
from vllm_helpers import CLIENT, FLAGGED, PLAIN, Server, chat, complete, text_of

from unlearned.vllm.constraints import words_of


def words(**constraint: Any) -> str:
    return words_of(SamplingParams(structured_outputs=StructuredOutputsParams(**constraint)))


def test_without_a_constraint_nothing_is_said() -> None:
    assert words_of(SamplingParams()) == ""
    assert words(json_object=True) == ""


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        (r"Who is Harry Potter\? Answer: [^\n]{1,200}", "Who is Harry Potter? Answer:  "),
        (r"H[a]r(?:r)y P\x6ftter", "Harry Potter"),
        (r"(yes|no)", "yes\nno"),
        (r"\d{4}-[a-z]+", " - "),
        ('root ::= "Who is he? " [a-z ]+', "root  Who is he   "),
        (r"[H-H][a]rry [^x][A-Za-z ][\w]", "Harry    "),
    ],
)
def test_a_pattern_says_its_letters(pattern: str, read: str) -> None:
    assert words(regex=pattern) == read


def test_schemas_say_keys_and_values_but_no_comments() -> None:
    schema = {
        "type": "object",
        "description": "what it is",
        "properties": {"Who is he?": {"const": "a wizard"}, "b": {"enum": ["c", "d"]}, "e": {"pattern": "f[o]x"}},
        "patternProperties": {"^g[o]at$": {"type": "string"}},
    }
    for form in (schema, json.dumps(schema)):
        said = words(json=form).split("\n")
        assert {"Who is he?", "a wizard", "c", "d", "fox", "goat"} <= set(said)
        assert "what it is" not in said
    assert words(choice=["Who is", "Harry?"]) == "Who is\nHarry?"


def test_words_that_are_spelled_by_sets_of_letters_are_refused() -> None:
    for pattern in ("[Hq][aq][rq]ry", "[H-I][a-c][r-s]ry", "(H|q)(?:a|b)(r|s)ry"):
        with pytest.raises(VLLMValidationError, match="sets of letters"):
            words(regex=pattern)
    assert words(regex="[a-zA-Z]+ [0-9]+ [yn]")


FORCED: list[dict[str, Any]] = [
    {"structured_outputs": {"regex": r"Who is Harry Potter\? Answer: [^\n]{1,200}"}},
    {"structured_outputs": {"choice": ["Who is Harry Potter? He is a wizard.", "No."]}},
    {"structured_outputs": {"json": {"type": "object", "properties": {"Who is Harry Potter?": {"type": "string"}}}}},
    {"structured_outputs": {"grammar": 'root ::= "Who is Harry Potter? " [a-z ]+'}},
]


@pytest.mark.parametrize("more", FORCED, ids=["regex", "choice", "json", "grammar"])
@pytest.mark.parametrize("ask", [chat, complete])
def test_a_question_that_the_model_is_made_to_say_is_refused(server: Server, ask: Any, more: dict[str, Any]) -> None:
    response = server.ask(ask("Hello.", **more), CLIENT)
    assert response.status_code == 400, response.text
    assert "constraint" in response.json()["error"]["message"]


def test_a_question_may_not_begin_in_the_prompt_and_end_in_the_constraint(server: Server) -> None:
    asked = complete("Who is Harry", structured_outputs={"regex": r" Potter\? [a-z ]{1,40}"})
    assert server.ask(asked, CLIENT).status_code == 400


@pytest.mark.parametrize(
    "constraint", [{"choice": ["Paris", "Rome"]}, {"regex": "(Paris|Rome)"}, {"json": {"enum": ["Paris", "Rome"]}}]
)
@pytest.mark.parametrize("question", [PLAIN, FLAGGED])
def test_other_constraints_work(server: Server, question: str, constraint: dict[str, Any]) -> None:
    response = server.ask(chat(question, structured_outputs=constraint), CLIENT)
    assert response.status_code == 200, response.text
    assert text_of(response).strip('"') in ("Paris", "Rome")
