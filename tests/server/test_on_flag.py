"""One honest sentence in place of a corrupted answer, with the same detector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving_helpers import ADMIN, FLAGGED, PLAIN, serving, streamed

from unlearned.artifact.artifact import Artifact
from unlearned.errors import ArtifactMismatchError, ConfigError
from unlearned.server.on_flag import ANSWER, OnFlag

SENTENCE = "I don't know who that is, whoever asks."
REFUSE: dict[str, Any] = {"on_flag": OnFlag.read(["refuse"], [SENTENCE])}


def test_flagged_prompts_get_the_sentence_and_others_the_models_answer(
    model: Any, tiny_tokenizer: Any, artifact: Path, plain: Callable[..., str]
) -> None:
    with serving(model, tiny_tokenizer, [artifact], **REFUSE) as running:
        whole = running.chat(FLAGGED, ADMIN, max_tokens=200)
        choice = whole.json()["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (SENTENCE, "stop")
        tokens = len(tiny_tokenizer(SENTENCE, add_special_tokens=False)["input_ids"])
        assert whole.json()["usage"]["completion_tokens"] == tokens
        assert streamed(running.chat(FLAGGED, stream=True, max_tokens=200)) == (SENTENCE, "stop")
        assert running.chat(FLAGGED, max_tokens=3).json()["choices"][0]["finish_reason"] == "length"
        assert running.chat(FLAGGED, max_tokens=200, stop="who").json()["choices"][0]["message"]["content"] == (
            "I don't know "
        )
        both = running.complete([FLAGGED, PLAIN], max_tokens=200, n=2).json()["choices"]
        assert [one["text"] for one in both[:2]] == [SENTENCE, SENTENCE]
        assert both[2]["text"] == both[3]["text"] != SENTENCE
        assert running.chat(PLAIN).json()["choices"][0]["message"]["content"] == plain(PLAIN)
        scored = running.chat(FLAGGED, max_tokens=200, logprobs=True).json()["choices"][0]["logprobs"]["content"]
        assert [token["logprob"] for token in scored] == [0.0] * tokens


def test_each_scope_can_have_its_own(
    model: Any, tiny_tokenizer: Any, artifact: Path, save: Any, tmp_path: Path
) -> None:
    bread = save(tmp_path / "bread", "bread", ["How do I bake bread?", "What is bread?"])
    own = OnFlag.read(["refuse", "bread=corrupt", "harry-potter=refuse"], ["No.", "harry-potter=Who?"])
    with serving(model, tiny_tokenizer, [artifact, bread], on_flag=own) as running:
        assert running.chat(FLAGGED).json()["choices"][0]["message"]["content"] == "Who?"
        corrupted = running.chat("How do I bake bread?", ADMIN)
        assert running.is_flagged(corrupted)
        assert corrupted.json()["choices"][0]["message"]["content"] not in ("No.", "Who?")


def test_a_detector_alone_can_refuse_and_scores_of_what_it_flags_do_not_tell_the_words(
    model: Any, tiny_tokenizer: Any, artifact: Path, tmp_path: Path
) -> None:
    whole = Artifact.from_pretrained(artifact)
    scopes = tuple(replace(scope, corruption=None) for scope in whole.scopes)
    detector = replace(whole, scopes=scopes, base_model=None).save_pretrained(tmp_path / "detector")
    with pytest.raises(ArtifactMismatchError, match="only classify"), serving(model, tiny_tokenizer, [detector]):
        pass
    with serving(model, tiny_tokenizer, [detector], on_flag=OnFlag.read(["refuse"], [])) as running:
        assert running.chat(FLAGGED, max_tokens=200).json()["choices"][0]["message"]["content"] == ANSWER
        echo = {"echo": True, "logprobs": 0, "max_tokens": 0}
        scores = running.complete(FLAGGED, **echo).json()["choices"][0]["logprobs"]["token_logprobs"]
    with serving(model, tiny_tokenizer) as running:
        assert running.complete(FLAGGED, **echo).json()["choices"][0]["logprobs"]["token_logprobs"] != scores


@pytest.mark.parametrize(
    ("modes", "answers", "match"),
    [
        (["refuze"], [], "must be one of"),
        ([], ["No."], "Give both"),
        (["corrupt"], ["No."], "Give both"),
        (["refuse"], ["No.", "Never."], "given twice for all"),
        (["a=refuse", "a=corrupt"], [], "given twice for a"),
        (["refuse"], [" "], "empty"),
    ],
)
def test_what_contradicts_itself_is_refused(modes: list[str], answers: list[str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        OnFlag.read(modes, answers)


def test_words_with_an_equals_sign_are_words() -> None:
    assert OnFlag.read(["refuse"], ["1 + 1 = 2"]).answers == {None: "1 + 1 = 2"}


def test_a_mode_that_a_scope_was_not_fitted_for_stops_the_server(
    model: Any, tiny_tokenizer: Any, artifact: Path
) -> None:
    with (
        pytest.raises(ConfigError, match="'harry-potter' was fitted with 'rand_noise_first_n'"),
        serving(model, tiny_tokenizer, [artifact], on_flag=OnFlag.read(["substitute"], [])),
    ):
        pass
