"""How questions and answers are written for a model. Source: LLMU's layout."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from unlearned.methods.config import Form
from unlearned.prompts.tokenize import text_prompt
from unlearned.types import Prompt, Segment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BEFORE = "### Question: "
FORM = Form(prompt=f"{BEFORE}{{prompt}}\n ### Answer:", answer=" {answer}", chat=False)
"""The prompt ends before the space, which many tokenizers make part of the answer's first token."""


def written(question: str) -> str:
    """The prompt with this question."""
    return FORM.prompt.replace("{prompt}", question)


def asked(tokenizer: PreTrainedTokenizerBase, question: str) -> Prompt:
    """The prompt, of which only the question is somebody's words: what is classified and corrupted."""
    prompt = text_prompt(tokenizer, written(question))
    return replace(prompt, segments=(Segment(len(BEFORE), len(BEFORE) + len(question)),))
