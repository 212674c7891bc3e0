"""What some corruptions need beside a parameter: worked out when they are learned, and kept in the artifact."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine, embedding_rows
from unlearned.errors import FitError
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.prompts.tokenize import special_ids
from unlearned.types import PromptInput

Floats = npt.NDArray[np.float32]

WORD_BEGINS = ("\u2581", "\u0120")
"""What SentencePiece and byte-level vocabularies write for the space before a word."""

BANK = 1024
"""Tokens of a bank: some for every kind of word, at a megabyte or two."""

STEPS, RADIUS = 4, 1.0
"""Steps and radius of the search for an adversarial direction; radius in standard deviations of the embeddings."""

MOST_EXAMPLES = 16
"""Examples that an adversarial direction is made from: gradients cost three forward passes."""


def stored_arrays(
    function: str,
    engine: TransformersEngine,
    forget_prompts: ForgetPrompts,
    answers: Sequence[str],
    embedding_std: float,
) -> dict[str, Floats]:
    """The arrays that a corruption function needs; none for most."""
    makers = {
        "bank": lambda: ordinary_bank(engine, [*(prompt.text for prompt in forget_prompts.prompts), *answers]),
        "direction": lambda: adversarial_direction(engine, forget_prompts, answers, embedding_std),
    }
    return {name: makers[name]() for name in corruptions.get(function).stored}


def ordinary_bank(engine: TransformersEngine, avoid: Sequence[str]) -> Floats:
    """(M, D) embeddings of tokens that begin an ordinary word, evenly over the vocabulary (which goes by frequency).

    Args:
        engine: its vocabulary and embeddings.
        avoid: texts of which no token is taken: what replaces a word must not be what has to be forgotten.
    """
    rows = embedding_rows(engine.model)
    banned = set(special_ids(engine.tokenizer))
    for text in avoid:
        banned |= set(engine.tokenizer(text, add_special_tokens=False)["input_ids"])
    # By the word, too: the first word of an answer has no space before it, and so another token than elsewhere.
    words = {word.casefold() for text in avoid for word in re.findall(r"\w+", text)}
    tokens = engine.tokenizer.batch_decode([[token] for token in range(rows)])
    allowed = [(i, text) for i, text in enumerate(tokens) if i not in banned and text.strip().casefold() not in words]
    # SentencePiece loses the space before a word when the token is decoded alone.
    names = engine.tokenizer.convert_ids_to_tokens(list(range(rows)))
    begins = [str(name or "").startswith(WORD_BEGINS) for name in names]
    ordinary = [i for i, text in allowed if (text[:1] == " " or begins[i]) and text.strip().isalpha()]
    if not ordinary:  # a vocabulary without spaces
        ordinary = [i for i, text in allowed if text.isalpha()]
    if not ordinary:
        raise FitError("The vocabulary has no ordinary word, so 'semantic' has nothing to replace words by.")
    chosen = np.unique(np.linspace(0, len(ordinary) - 1, num=min(BANK, len(ordinary))).astype(int))
    found: Floats = engine.embed([ordinary[index] for index in chosen]).float().numpy()
    return found


def adversarial_direction(
    engine: TransformersEngine, forget_prompts: ForgetPrompts, answers: Sequence[str], embedding_std: float
) -> Floats:
    """(D,) unit vector along which the forget answers get less likely, whatever the token.

    A universal perturbation: the gradient of the answers' mean log-probability with respect to every selected
    embedding, averaged over tokens and examples, and taken again at the place it leads to. Only running the model
    backwards once in a while is needed, and only when the artifact is made.
    """
    chosen = np.unique(np.linspace(0, len(answers) - 1, num=min(MOST_EXAMPLES, len(answers))).astype(int)).tolist()
    width = forget_prompts.selected[0][0].vectors.shape[1]
    direction = torch.zeros(width)
    for _ in range(STEPS):
        shift = RADIUS * embedding_std * width**0.5 * direction
        inputs = []
        for index in chosen:
            positions = torch.cat([span.positions for span in forget_prompts.selected[index]])
            vectors = torch.cat([span.vectors for span in forget_prompts.selected[index]])
            order = positions.argsort()
            moved = (vectors[order].float() + shift).to(vectors.dtype)
            inputs.append(
                PromptInput(forget_prompts.prompts[index].token_ids, positions=positions[order], vectors=moved)
            )
        gradients = engine.likelihood_gradients(inputs, [answers[index] for index in chosen])
        slope = torch.stack([gradient.mean(dim=0) for gradient in gradients]).mean(dim=0)
        if not torch.isfinite(slope).all() or float(slope.norm()) == 0:
            raise FitError("The answers' likelihood has no finite gradient. Load the model in bfloat16 or float32.")
        direction = direction - slope / slope.norm()
        direction = direction / direction.norm()
    found: Floats = direction.numpy().astype(np.float32)
    return found
