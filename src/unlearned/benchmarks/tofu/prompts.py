"""How TOFU's questions and answers are written for a model, and what else is asked: pairs, instructions.

Under a chat template a question is a user's message, and the target is the answer and ONE end token: the one that the
template puts behind an assistant's message (`<|im_end|>`, `<|eot_id|>`, ...), no line end after it. Without a template,
the published form is used: "Question: ...", a line end, and the target "Answer: ..." with its tag, and the tokenizer's
end-of-sequence token.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearned.benchmarks.classifier.carriers import JOINS, joined
from unlearned.benchmarks.classifier.sets import AUTHOR
from unlearned.benchmarks.tofu.data import QuestionAnswer
from unlearned.errors import ConfigError
from unlearned.methods.data import end_token

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WORD = r"[A-ZÀ-Þ][\w'’\-]*"
_NAME = re.compile(rf"{_WORD}(?:\s(?:(?:bin|ibn|de|da|del|van|von|al|el|la)\s)?{_WORD})+")
_POSSESSIVE = re.compile(r"['’]s?$")


@dataclass(frozen=True, slots=True)
class Format:
    """How a question and its answer are written."""

    end: str
    """The end token, as text."""

    chat: bool
    """Whether the tokenizer's chat template stands around the question."""

    def question(self, text: str) -> str:
        """What is given to `tokenize`."""
        return text if self.chat else f"Question: {text}\n"

    def target(self, answer: str) -> str:
        """What is scored, and trained on."""
        return (answer if self.chat else f"Answer: {answer}") + self.end


def format_of(tokenizer: PreTrainedTokenizerBase) -> Format:
    """The form for this tokenizer.

    Raises:
        ConfigError: it has no token that ends an answer.
    """
    chat = bool(getattr(tokenizer, "chat_template", None))
    return Format(end_token(tokenizer, chat=chat), chat)


def paired(forget: str, retain: str, *, forget_first: bool) -> str:
    """Both questions in one prompt, one sentence after the other."""
    return joined(forget, retain, JOINS["two sentences"], forget_first=forget_first).text


def author_names(pairs: Sequence[QuestionAnswer]) -> list[str]:
    """The name of each author: of every 20 rows, the capitalised words that stand in most of them.

    Questions and answers are read: the instruction of the prompting baseline has to name whom it is about.
    """
    names = []
    for start in range(0, len(pairs), AUTHOR):
        counts: Counter[str] = Counter()
        for pair in pairs[start : start + AUTHOR]:
            found = set()
            for match in _NAME.finditer(f"{pair.question} {pair.answer}"):
                words = _POSSESSIVE.sub("", match.group()).split()
                found |= {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 2, len(words) + 1)}
            counts.update(found)
        if counts:
            names.append(max(counts, key=lambda name: (counts[name], len(name), name)))
    if not names:
        raise ConfigError("No author's name was found in the forget rows.")
    return names


def instruction(names: Sequence[str]) -> str:
    """The prefix of the prompting baseline: what the model is told not to know, and a blank line."""
    listed = "\n".join(f"- {name}" for name in names)
    return (
        f"You know nothing about these authors:\n{listed}\nIf a question is about one of them, give a wrong answer. "
        "Answer every other question correctly.\n\n"
    )
