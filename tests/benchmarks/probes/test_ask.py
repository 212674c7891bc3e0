"""What a model says of a question, and what tokens are near."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from probes_rows import silent, write
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

from tiny_llama import tiny_llama
from tiny_rows import FORGET, RETAIN
from unlearned.api import Unlearned
from unlearned.benchmarks.probes.ask import ask, nearest_tokens
from unlearned.benchmarks.probes.config import AskConfig
from unlearned.benchmarks.probes.data import Question, load_questions
from unlearned.benchmarks.probes.labelled import prompts_of
from unlearned.benchmarks.probes.spec import OWN, REPEAT
from unlearned.benchmarks.systems import Plain
from unlearned.corrupt.corruption import Corruption
from unlearned.engines.base import Completion
from unlearned.engines.transformers import TransformersEngine

pytestmark = pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")


def llama_2_tokenizer() -> PreTrainedTokenizerFast:
    """A space in front of every text, and spaces as letters: " A" alone is two tokens, "Answer: A" ends in one."""
    letters = [chr(code) for code in range(32, 127) if chr(code) != " "]
    pairs = [("▁", letter) for letter in "ABCD"]
    vocabulary = ["<unk>", "</s>", "▁", "\n", *letters, *("".join(pair) for pair in pairs)]
    tokenizer = Tokenizer(
        models.BPE({token: index for index, token in enumerate(vocabulary)}, pairs, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


@pytest.mark.parametrize("kind", ["one token behind the colon", "several tokens", "chat"])
def test_every_tokenizer_has_own_answers_which_are_the_likeliest_letters(
    tiny_model: Any, tiny_tokenizer: Any, rows: list[dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    tokenizer, model = tiny_tokenizer, tiny_model
    if kind.startswith("one"):
        tokenizer = llama_2_tokenizer()
        assert len(tokenizer(" A", add_special_tokens=False)["input_ids"]) == 2
        torch.manual_seed(0)
        model = tiny_llama(tokenizer, initializer_range=0.3, eos_token_id=1).eval()
    engine = TransformersEngine(model, tokenizer)
    questions, _ = load_questions(write(tmp_path, rows))
    config = AskConfig(max_new_tokens=2, facts=1, chat=kind == "chat")
    items = ask(Plain("start", engine), questions, config, silent)
    own = [item["accuracy"] for item in items if item["set"] == OWN]
    expected = []
    for question in questions:
        right = []
        for one in prompts_of(question):
            ids = engine.tokenize(one.text, chat=config.chat).token_ids
            scores = []
            for letter in "ABCD":
                if kind.startswith("one"):
                    spelled = [tokenizer.convert_tokens_to_ids("▁" + letter)]
                else:
                    before = "" if kind == "chat" else " "
                    spelled = tokenizer(before + letter, add_special_tokens=False)["input_ids"]
                with torch.no_grad():
                    logits = model(torch.tensor([[*ids, *spelled]])).logits[0].log_softmax(-1)
                scores.append(sum(float(logits[len(ids) - 1 + n, token]) for n, token in enumerate(spelled)))
            right.append("ABCD"[int(np.argmax(scores))] == one.label)
        expected.append(np.mean(right))
    assert own == expected


class Parrot(TransformersEngine):
    """Says what it was asked to repeat, as far as it is let."""

    def generate(self, inputs: Any, /, *, batch_size: int = 16, **generation: Any) -> list[Completion]:
        found = []
        for given in inputs:
            said = given.token_ids[-self.length :][: generation["max_new_tokens"]]
            found.append(Completion(str(self.tokenizer.decode(said)), said))
        return found

    length = 0


def test_a_question_longer_than_the_longest_answer_can_be_repeated(tiny_model: Any, tiny_tokenizer: Any) -> None:
    engine = Parrot(tiny_model, tiny_tokenizer)
    text = "Who is the quick brown fox? " * 30 + "Who?"
    engine.length = len(engine.tokenize(text, chat=False).token_ids)
    assert engine.length > 64
    questions = [Question(str(n), text, None, (), "ab"[n % 2], None) for n in range(4)]
    items = ask(Plain("start", engine), questions, AskConfig(chat=False), silent)
    assert [item["verbatim"] for item in items if item["set"] == REPEAT] == [1.0] * 4


def test_nearest_tokens_are_found_unless_the_corruption_hides_them(
    tiny_model: Any, tiny_tokenizer: Any, make_artifact: Any, make_scope: Any
) -> None:
    for strength, expected in ((1e-3, 1.0), (1e3, 0.0)):
        scope = make_scope(corruption=Corruption(strength=strength, embedding_std=0.02))
        view = Unlearned(tiny_model, tiny_tokenizer, make_artifact(scope))
        prompts = [view.engine.tokenize(text, chat=False) for text in (FORGET[0], RETAIN[0])]
        found, plain = nearest_tokens(view.engine, view.unlearner.prepare(prompts, view.engine))
        assert plain is None
        assert found is not None
        assert found == pytest.approx(expected, abs=0.15)
