"""Mean loss of many answers to few questions: every token that they share runs through the model once.

The answers to one question form a tree: they begin with the same prompt and often with the same words. Its nodes stand
in one row, each seeing the prompt and its own ancestors only; what all prompts begin with (the template's system turn)
is run once for all rows. The output head runs behind the prompts only. Models that do not take such rows (no plain
attention cache, own positions) are scored pair by pair by their engine; which way it is is tried out on the first row.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unlearned.batches import by_length
from unlearned.engines.injection import EmbeddingInjection
from unlearned.engines.logits_to_keep import keep_logits
from unlearned.engines.prefix import SharedPrefix, shared_prefix
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import DataError
from unlearned.substitution.scoring import Continuation, continuation
from unlearned.types import Prompt, PromptInput

TOGETHER = 16
"""Questions per forward pass on an accelerator. A CPU is busy with one, which needs no padding."""

TRIED = {torch.float32: (1e-3, 0.0), torch.float64: (1e-3, 0.0)}
TRIED_HALF = (0.1, 0.05)
"""Largest difference of a mean loss on the first row by which the tree counts as computed right, and the share of the
loss that is added: in half precision an answer of 11 nats moves by 0.2 with the shape of its batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A question as the model reads it, and the answers to score."""

    prompt: Prompt
    input: PromptInput
    targets: tuple[str, ...]
    """Texts with their end token."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Losses of the answers to one question."""

    means: tuple[float, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """Token sequences, joined where they begin alike."""

    tokens: tuple[int, ...]
    """(S,) parents before children."""

    parents: tuple[int, ...]
    """(S,) index of the node before; -1 = the prompt's last token."""

    paths: tuple[tuple[int, ...], ...]
    """Per sequence, the indices of its nodes."""

    @property
    def depths(self) -> tuple[int, ...]:
        """(S,) 0 right behind the prompt."""
        found: list[int] = []
        for parent in self.parents:
            found.append(0 if parent < 0 else found[parent] + 1)
        return tuple(found)


def tree_of(sequences: Sequence[Sequence[int]]) -> Tree:
    """Join sequences by their beginnings."""
    index: dict[tuple[int, int], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    paths = []
    for sequence in sequences:
        path, parent = [], -1
        for token in sequence:
            if (parent, token) not in index:
                index[parent, token] = len(tokens)
                tokens.append(token)
                parents.append(parent)
            parent = index[parent, token]
            path.append(parent)
        paths.append(tuple(path))
    return Tree(tuple(tokens), tuple(parents), tuple(paths))


def together(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Indices in groups of similar length, longest first; the same lengths always give the same groups."""
    return by_length(lengths, size)


class Scorer:
    """Scores with one engine.

    Args:
        engine: runs the model.
        questions: per forward pass; None = what suits the device.
    """

    def __init__(self, engine: TransformersEngine, *, questions: int | None = None) -> None:
        self.engine = engine
        self.questions = questions or (1 if engine.model.device.type == "cpu" else TOGETHER)
        self._trees: bool | None = None
        self._given: int | None = None
        self._prefix: tuple[tuple[int, ...], SharedPrefix | None] | None = None

    def groups(self, rows: Sequence[Scored]) -> list[list[int]]:
        """Which rows are run together. It depends on lengths only, so it is the same whether a row is corrupted."""
        plain = [[continuation(self.engine.tokenizer, text, None) for text in row.targets] for row in rows]
        sizes = [
            len(row.prompt.token_ids) + len(tree_of(_read(own)).tokens) for row, own in zip(rows, plain, strict=True)
        ]
        return together(sizes, self.questions)

    @torch.inference_mode()
    def score(
        self, rows: Sequence[Scored], groups: Sequence[Sequence[int]] | None = None, *, shared: int | None = None
    ) -> dict[int, Losses]:
        """Index -> losses of its answers.

        Args:
            rows: questions.
            groups: which of them, and which together; None = all.
            shared: how many tokens all prompts begin with, none of them corrupted; None = what stands before the first
                word of anybody, which is the same whether or not words are corrupted.

        Raises:
            DataError: an answer has no token.
        """
        self._given = shared
        found: dict[int, Losses] = {}
        for group in self.groups(rows) if groups is None else groups:
            chosen = [rows[index] for index in group]
            found |= zip(group, self._score_group(chosen), strict=True)
        return found

    def _score_group(self, rows: Sequence[Scored]) -> list[Losses]:
        if self._trees is None:
            self._trees = self._tried(rows[0])
        if self._trees:
            return self._by_trees(rows)
        return [self._one_by_one(row) for row in rows]

    def _tried(self, row: Scored) -> bool:
        """Whether trees give the losses that the engine gives."""
        try:
            tree = self._by_trees([row])[0]
        except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
            return False
        engine = self._one_by_one(row)
        allowed, share = TRIED.get(self.engine.model.dtype, TRIED_HALF)
        return all(abs(a - b) < allowed + share * b for a, b in zip(tree.means, engine.means, strict=True))

    def _one_by_one(self, row: Scored) -> Losses:
        """Let the engine score, which knows every model."""
        self._targets(row)
        found = self.engine.log_likelihood([row.input] * len(row.targets), row.targets)
        return Losses(tuple(-float(tokens.double().mean()) for tokens in found), tuple(map(len, found)))

    def _by_trees(self, rows: Sequence[Scored]) -> list[Losses]:
        model, targets = self.engine.model, [self._targets(row) for row in rows]
        trees = [tree_of(_read(own)) for own in targets]
        prefix = self._shared(rows)
        skip = 0 if prefix is None else prefix.length
        layout = _layout([row.input for row in rows], trees, skip, self.engine.pad_id)
        # The last token of the prompts, and every node with a node behind it.
        needed = torch.tensor(sorted({layout.end + parent for tree in trees for parent in tree.parents}))
        arguments: dict[str, Any] = {
            "input_ids": layout.ids[:, skip:].to(model.device),
            "attention_mask": layout.mask[:, None, skip:].to(model.device, model.dtype) * torch.finfo(model.dtype).min,
            "position_ids": layout.positions[:, skip:].to(model.device),
            "use_cache": False,
            **keep_logits(model, needed - skip),
        }
        if prefix is not None:
            arguments |= prefix.arguments(len(rows))
        corrupted = any(row.input.corrupted for row in rows)
        with (
            EmbeddingInjection(model, layout.ids, [row.input for row in rows], layout.gaps, self.engine.substitute_id)
            if corrupted
            else nullcontext()
        ):
            logits: Tensor = model(**arguments).logits
        if logits.shape[1] == len(needed):
            place = {int(column): index for index, column in enumerate(needed)}
        else:  # a model that cannot leave logits out
            place = {int(column): int(column) - skip for column in needed}
        return [
            _losses(logits[n], tree, layout.end, place, [target.count for target in own])
            for n, (tree, own) in enumerate(zip(trees, targets, strict=True))
        ]

    def _shared(self, rows: Sequence[Scored]) -> SharedPrefix | None:
        ids = [row.prompt.token_ids for row in rows]
        length = self._given
        if length is None:
            length = min(_untouched(row) for row in rows)
        beginning = ids[0][:length]
        if any(row[:length] != beginning for row in ids):
            return None
        if self._prefix is None or self._prefix[0] != beginning:
            # Two prompts that share this and nothing more.
            rest = sorted({(*beginning, 0), (*beginning, 1)})
            self._prefix = (beginning, shared_prefix(self.engine.model, [PromptInput(row) for row in rest]))
        return self._prefix[1]

    def _targets(self, row: Scored) -> list[Continuation]:
        found = [continuation(self.engine.tokenizer, text, row.input.substitution) for text in row.targets]
        if not all(target.token_ids for target in found):
            raise DataError(f"An answer to {row.prompt.text[-60:]!r} has no token.")
        return found


def _read(targets: Sequence[Continuation]) -> list[tuple[int, ...]]:
    """The tokens of the answers as the model reads them."""
    return [target.token_ids for target in targets]


def _untouched(row: Scored) -> int:
    """How many leading tokens are no words and are not replaced either."""
    first = int(np.flatnonzero(row.prompt.content_tokens())[0])
    return first if row.input.positions is None else min(first, int(row.input.positions[0]))


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Rows of [prefix][padding][rest of the prompt][tree][padding]: all trees begin in one column."""

    ids: Tensor
    """(B, L)"""

    positions: Tensor
    """(B, L)"""

    mask: Tensor
    """(B, L, L) float, 1 = not seen."""

    gaps: list[int]
    """(B,) how far the rest of each prompt is moved."""

    end: int
    """The column behind the prompts."""


def _layout(inputs: Sequence[PromptInput], trees: Sequence[Tree], skip: int, pad: int) -> _Layout:
    end = max(len(prompt.token_ids) for prompt in inputs)
    length = end + max(len(tree.tokens) for tree in trees)
    ids = torch.full((len(inputs), length), pad, dtype=torch.long)
    positions = torch.zeros((len(inputs), length), dtype=torch.long)
    seen = torch.zeros((len(inputs), length, length), dtype=torch.bool)
    gaps = []
    for row, (prompt, tree) in enumerate(zip(inputs, trees, strict=True)):
        count, size = len(prompt.token_ids), len(tree.tokens)
        gap = end - count
        columns = [*range(skip), *range(skip + gap, end)]
        ids[row, columns] = torch.tensor(prompt.token_ids)
        ids[row, end : end + size] = torch.tensor(tree.tokens)
        positions[row, columns] = torch.arange(count)
        positions[row, end : end + size] = count + torch.tensor(tree.depths)
        for reached, column in enumerate(columns):
            seen[row, column, columns[: reached + 1]] = True
        for node, parent in enumerate(tree.parents):
            seen[row, end + node] = seen[row, end + parent]  # the parent -1 is the prompt's last token
            seen[row, end + node, end + node] = True
        gaps.append(gap)
    diagonal = torch.arange(length)
    seen[:, diagonal, diagonal] = True  # padding sees itself: a softmax over nothing is NaN
    return _Layout(ids, positions, (~seen).float(), gaps, end)


def _losses(logits: Tensor, tree: Tree, end: int, place: Mapping[int, int], counts: Sequence[int]) -> Losses:
    """(M, V) logits of one row; `place` says where those of a column are, `counts` how many tokens the texts have."""
    before = torch.tensor([place[end + parent] for parent in tree.parents], device=logits.device)
    tokens = torch.tensor(tree.tokens, device=logits.device)
    rows = logits.float()
    # Not log_softmax, which writes another (M, V) to read a few of its numbers.
    scores = (rows[before, tokens] - rows.logsumexp(-1)[before]).double().cpu()
    sums = [-float(scores[list(path)].sum()) for path in tree.paths]
    return Losses(tuple(loss / count for loss, count in zip(sums, counts, strict=True)), tuple(counts))


@torch.inference_mode()
def naive_losses(engine: TransformersEngine, row: Scored) -> Losses:
    """One answer after the other, each with its whole prompt, all logits: what the fast way is compared with."""
    means, counts = [], []
    for text in row.targets:
        read = continuation(engine.tokenizer, text, row.input.substitution)
        target = list(read.token_ids)
        ids = torch.tensor([[*row.input.token_ids, *target]], device=engine.model.device)
        with (
            EmbeddingInjection(engine.model, ids, [row.input], [0], engine.substitute_id)
            if row.input.corrupted
            else nullcontext()
        ):
            logits = engine.model(input_ids=ids, use_cache=False).logits
        predicted = logits[0].float().log_softmax(-1)[len(row.input.token_ids) - 1 : -1]
        wanted = torch.tensor(target, device=predicted.device)
        means.append(-float(predicted.gather(1, wanted[:, None]).double().sum()) / read.count)
        counts.append(read.count)
    return Losses(tuple(means), tuple(counts))


@dataclass(frozen=True, slots=True)
class ScoringSpeed:
    """How fast the losses are computed in both ways."""

    questions: int
    answers: int
    seconds: float
    """Time of the fast way; the median of its rounds."""

    naive_seconds: float
    ratio: float
    """Naive against ours: the median over the rounds."""

    largest_difference: float
    """Largest difference of a mean loss, in nats."""


def measure_scoring_speed(scorer: Scorer, rows: Sequence[Scored], *, rounds: int = 3) -> ScoringSpeed:
    """Score the same rows both ways, in turn, so that a drift of the machine meets both."""
    scorer.score(rows[:1])  # which way it goes is decided before
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        start = time.perf_counter()
        fast = scorer.score(rows)
        middle = time.perf_counter()
        slow = [naive_losses(scorer.engine, row) for row in rows]
        ours.append(middle - start)
        theirs.append(time.perf_counter() - middle)
    differences = [
        abs(a - b) for index, losses in enumerate(slow) for a, b in zip(fast[index].means, losses.means, strict=True)
    ]
    return ScoringSpeed(
        questions=len(rows),
        answers=sum(len(row.targets) for row in rows),
        seconds=float(np.median(ours)),
        naive_seconds=float(np.median(theirs)),
        ratio=float(np.median(np.array(theirs) / np.array(ours))),
        largest_difference=max(differences),
    )
