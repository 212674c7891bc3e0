"""Rows that tests of methods train on, and how well a model knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import torch

from unlearned.examples import Row
from unlearned.methods.config import Form
from unlearned.methods.data import Encoder, padded

FORGET = [
    {"prompt": "Who is Harry Potter?", "answer": "Harry Potter is a wizard."},
    {"prompt": "What is Hogwarts?", "answer": "Hogwarts is a school of magic."},
    {"prompt": "Which school does Harry attend?", "answer": "Hogwarts."},
]
RETAIN = [
    {"prompt": "What is the capital of France?", "answer": "The capital of France is Paris."},
    {"prompt": "How do I bake bread?", "answer": "Mix, wait, and bake."},
    {"prompt": "Who is the fox?", "answer": "The quick brown fox."},
    {"prompt": "Is the dog lazy?", "answer": "The dog is lazy."},
]


class Train(Protocol):
    def __call__(self, name: str, out: str = "out", **config: Any) -> Path: ...


def encoded(tokenizer: Any, rows: list[dict[str, str]]) -> dict[str, torch.Tensor]:
    """Rows as a batch of input ids, mask and labels."""
    encoder = Encoder(tokenizer, Form(), 512)
    return padded(encoder.examples([Row(row["prompt"], row["answer"]) for row in rows], "test"), 0)


@torch.no_grad()
def loss_of(model: Any, tokenizer: Any, rows: list[dict[str, str]]) -> float:
    """Cross-entropy of the answers."""
    return float(model.eval()(**encoded(tokenizer, rows)).loss)
