"""Similarity of texts by a model: BERTScore, sentence similarity, entailment. The model is the caller's.

The functions take what the model says, so that they run without one; `token_encoder` wraps a transformers model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError
from unlearned.metrics.estimate import Doubles, checked, same_length

Tokens = tuple[npt.ArrayLike, npt.ArrayLike]
"""(T, D) vectors of a text's tokens, and (T,) bool: False for special tokens, which may be matched but do not count."""

TokenEncoder = Callable[[Sequence[str]], Sequence[Tokens]]
Entails = Callable[[Sequence[tuple[str, str]]], Sequence[bool]]
"""(premise, hypothesis) pairs -> whether the one entails the other."""

LONGEST = 500
"""Wordpieces of a text that BERTScore reads in the copyright task."""

LEAST_RECALL = 0.1


def bert_score_f1(generated: Sequence[str], references: Sequence[str], encode: TokenEncoder) -> Doubles:
    """(N,) BERTScore F1 without idf weights and without rescaling.

    Source: Zhang et al. 2020, arXiv:1904.09675; special tokens as its package treats them.

    Args:
        generated: (N,) the model's texts.
        references: (N,) the true ones.
        encode: for published numbers `token_encoder` of `distilbert-base-uncased`, layer 5.

    Returns:
        F1 of each pair; 0 where a text has no tokens but special ones.

    Raises:
        DataError: there are no texts, not as many references, or the encoder gave something else.
    """
    if len(generated) != len(references) or not len(generated):
        raise DataError(f"There are {len(generated)} generated texts and {len(references)} references.")
    first, second = encode(generated), encode(references)
    if (len(first), len(second)) != (len(generated), len(references)):
        raise DataError("The encoder did not give one array per text.")
    return np.array([_f1(_tokens(a), _tokens(b)) for a, b in zip(first, second, strict=True)])


def cosine_similarities(first: npt.ArrayLike, second: npt.ArrayLike) -> Doubles:
    """(N,) cosine of the sentence embeddings of generation and truth, negative ones taken as 0.

    Args:
        first: (N, D), of any length.
        second: (N, D).

    Raises:
        DataError: shapes differ, a value is not finite, or a vector is 0.
    """
    a, b = (checked(vectors, "sentence embeddings", dimensions=2) for vectors in (first, second))
    if a.shape != b.shape:
        raise DataError(f"Embeddings of shapes {a.shape} and {b.shape}; they must be of the same texts.")
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    if not lengths.all():
        raise DataError("A sentence embedding is 0 and has no direction.")
    return np.asarray(np.maximum(0, (a * b).sum(axis=1) / lengths))


def entailment(
    generated: Sequence[str], truths: Sequence[str], recalls: npt.ArrayLike, entails: Entails, *, forget: bool
) -> Doubles:
    """(N,) 1 where the texts agree by an entailment model, else 0.

    Args:
        generated: (N,) the model's texts.
        truths: (N,) the true answers.
        recalls: (N,) ROUGE-L recall; below 0.1 the pair counts as not entailed, whatever the model says.
        entails: the model.
        forget: on the forget set the generation has to entail the truth, elsewhere the truth the generation.

    Raises:
        DataError: lengths differ, or there is nothing.
    """
    recall = checked(recalls, "ROUGE-L recall")
    if not len(generated) == len(truths) == len(recall):
        raise DataError(f"{len(generated)} generated texts, {len(truths)} truths and {len(recall)} recalls.")
    pairs = zip(generated, truths, strict=True) if forget else zip(truths, generated, strict=True)
    found = np.asarray(entails(list(pairs)), dtype=bool)
    if found.shape != recall.shape:
        raise DataError("The entailment model did not give one answer per pair.")
    return (found & (recall >= LEAST_RECALL)).astype(np.float64)


def forget_efficacy(scores: Sequence[float]) -> float:
    """1 - mean of the five forget-set scores: probability, recall, truth ratio, similarity, entailment; not entropy."""
    array = checked(scores, "forget scores")
    if len(array) != 5:
        raise DataError(f"Forget efficacy is made of five scores; there are {len(array)}.")
    return float(1 - array.mean())


def token_encoder(model: Any, tokenizer: Any, *, layer: int, longest: int = LONGEST) -> TokenEncoder:
    """Token vectors of a transformers model, one text at a time.

    Args:
        model: an encoder; not changed.
        tokenizer: its tokenizer.
        layer: whose hidden states are taken, 0 being the embeddings; 5 for `distilbert-base-uncased`.
        longest: tokens that are read of a text, special ones not counted.
    """
    import torch

    special = set(tokenizer.all_special_ids)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> list[Tokens]:
        found: list[Tokens] = []
        for text in texts:
            most = longest + tokenizer.num_special_tokens_to_add()
            ids = tokenizer(text, truncation=True, max_length=most)["input_ids"]
            if not ids:
                raise DataError("A text has no tokens. Leave it out, or use a tokenizer with special tokens.")
            rows = torch.tensor([ids], device=model.device)
            states = model(input_ids=rows, output_hidden_states=True).hidden_states[layer][0]
            found.append((states.float().cpu().numpy(), np.array([token not in special for token in ids])))
        return found

    return encode


def _tokens(tokens: Tokens) -> tuple[Doubles, npt.NDArray[np.bool_]]:
    vectors, counts = checked(tokens[0], "token vectors", dimensions=2), np.asarray(tokens[1], dtype=bool)
    same_length(vectors, counts.astype(np.float64), "token vectors and their flags")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise DataError("A token vector is 0 and has no direction.")
    return vectors / lengths, counts


def _f1(generated: tuple[Doubles, npt.NDArray[np.bool_]], reference: tuple[Doubles, npt.NDArray[np.bool_]]) -> float:
    (a, of_a), (b, of_b) = generated, reference
    if not of_a.any() or not of_b.any():
        return 0.0
    similarities = a @ b.T  # (T_a, T_b)
    precision = float(similarities.max(axis=1)[of_a].mean())
    recall = float(similarities.max(axis=0)[of_b].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
