"""What the losses of all methods are made of: likelihoods of target tokens, and the divergence from a reference.

Letters: B sequences, T tokens, V vocabulary, N target tokens. Logits at position t-1 predict token t, so everything
here shifts by one; a label of -100 is no target.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

IGNORED = -100

KLMask = Literal["attention", "labels", "all"]
"""Positions over which a divergence is averaged: real tokens, those that predict a target, or padding, too."""


def is_target(labels: Tensor) -> Tensor:
    """(B, T) labels -> (B, T-1) bool, at the positions that predict a target."""
    return labels[:, 1:] != IGNORED


def token_nll(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, T, V) logits, (B, T) labels -> (B, T-1) float32 negative log-likelihood; 0 where there is no target."""
    mask = is_target(labels)
    # Only the rows of targets are widened to float32: over a whole prompt that would be most of the memory.
    log_probabilities = precise(logits[:, :-1][mask]).log_softmax(-1)  # (N, V)
    values = -log_probabilities.gather(1, labels[:, 1:][mask][:, None])[:, 0]
    losses = values.new_zeros(mask.shape)
    losses[mask] = values  # not index_add, whose order of summation is not fixed on a GPU
    return losses


def nll_sum(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,) negative log-likelihood of each sequence's targets, summed."""
    return token_nll(logits, labels).sum(1)


def nll_mean(logits: Tensor, labels: Tensor) -> Tensor:
    """(B,) the same per target token, the end token among them."""
    return nll_sum(logits, labels) / is_target(labels).sum(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over all targets of the batch: long answers weigh more, as in a causal model's own loss."""
    return token_nll(logits, labels).sum() / is_target(labels).sum()


def kl_positions(attention_mask: Tensor, labels: Tensor, kind: KLMask) -> Tensor:
    """(B, T) bool: where a divergence is taken."""
    if kind == "all":
        return torch.ones_like(attention_mask, dtype=torch.bool)
    if kind == "attention":
        return attention_mask.bool()
    predicts = torch.zeros_like(attention_mask, dtype=torch.bool)
    predicts[:, :-1] = is_target(labels)
    return predicts


def kl_from_reference(logits: Tensor, reference: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
    """KL(reference || current), over the vocabulary, averaged over positions.

    Args:
        logits: (B, T, V) of the model that is trained.
        reference: (B, T, V) of the reference; no gradient reaches it.
        mask: (B, T) bool, the positions that count.
        temperature: both are divided by it.
    """
    # Widened before the division, which would round once more in the logits' own type.
    target = (precise(reference[mask].detach()) / temperature).log_softmax(-1)
    current = (precise(logits[mask]) / temperature).log_softmax(-1)
    return (target.exp() * (target - current)).sum(-1).mean()


def preference(margin: Tensor, beta: float) -> Tensor:
    """-(2 / beta) mean logsigm(beta * margin), for (B,) margins; the form that DPO, NPO and SimNPO share.

    With beta -> 0 its gradient becomes that of -mean(margin). Source: NPO, arXiv:2404.05868, eq. 3.
    """
    return -(2 / beta) * logsigmoid(beta * margin).mean()


def precise(values: Tensor) -> Tensor:
    """In float32 at least: a log-softmax in bfloat16 is wrong in the second digit."""
    return values if values.dtype == torch.float64 else values.float()
