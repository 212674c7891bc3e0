"""Choosing the next token row by row, so that requests with different settings can share one batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from unlearned.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class RowSettings:
    """How one row of a batch is continued."""

    max_new_tokens: int

    temperature: float = 0.0
    """0 = greedy."""

    top_p: float = 1.0
    """Sample from the most probable tokens that together reach this probability."""

    top_k: int | None = None
    """Sample from so many of the most probable tokens; None = from all."""

    seed: int | None = None
    """Seed of this row's own generator; None = a new one every time."""

    presence_penalty: float = 0.0
    """Taken from the logit of every token that the answer already holds."""

    frequency_penalty: float = 0.0
    """Taken from a token's logit once for each time that the answer holds it."""

    logit_bias: Mapping[int, float] = field(default_factory=dict)
    """Token id -> what is added to its logit."""

    top_logprobs: int | None = None
    """Report the log-probability of the chosen token and of so many of the most probable ones; None = report none."""

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ConfigError(f"max_new_tokens={self.max_new_tokens}: a row needs at least one.")
        if not self.temperature >= 0:
            raise ConfigError(f"temperature={self.temperature}: must be 0 (greedy) or more.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p={self.top_p}: must lie above 0 and not above 1.")
        if self.top_k is not None and self.top_k < 1:
            raise ConfigError(f"top_k={self.top_k}: must be at least 1.")

    @property
    def edits_logits(self) -> bool:
        return bool(self.presence_penalty or self.frequency_penalty or self.logit_bias)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an answer or of a scored prompt."""

    id: int
    logprob: float | None = None
    """Log-probability under the model as it is: before temperature, penalties and bias."""

    top: tuple[tuple[int, float], ...] = ()
    """(token id, log-probability), most probable first."""


class RowSampler:
    """Chooses the next token of every row of one batch.

    A row's draws come from its own generator, one number for each token, so neighbours do not change them. Greedy rows
    are left to the caller's argmax: their logits are not touched.

    Args:
        settings: of the rows.
        generators: of the rows, where answers are gone on with; None = new ones.
        seen: tokens that the answers have already.
    """

    def __init__(
        self,
        settings: Sequence[RowSettings],
        generators: Sequence[torch.Generator] | None = None,
        seen: Sequence[Iterable[int]] | None = None,
    ) -> None:
        self.settings = settings
        self.generators = [new_generator(row) for row in settings] if generators is None else list(generators)
        self.seen: list[Counter[int]] = [Counter(own) for own in (seen or [()] * len(settings))]
        self.logprobs: dict[int, Tensor] = {}
        self.hidden: Mapping[int, Sequence[int]] = {}
        """Row -> tokens that must not be reported among the most probable ones."""

    def __call__(self, logits: Tensor, alive: Sequence[bool]) -> Tensor:
        """(B, V) float logits -> (B, V), whose argmax is each row's next token; rows that are done do not matter."""
        rows = [row for row, lives in enumerate(alive) if lives]
        self.logprobs = {
            row: logits[row].float().log_softmax(-1) for row in rows if self.settings[row].top_logprobs is not None
        }
        edited = [row for row in rows if self.settings[row].edits_logits]
        sampled = [row for row in rows if self.settings[row].temperature > 0]
        if not edited and not sampled:
            return logits
        logits = logits.clone()
        for row in edited:
            self._edit(logits[row], row)
        if sampled:
            chosen = self._draw(logits[sampled].float(), sampled)
            logits[sampled] = float("-inf")
            logits[sampled, chosen] = 0.0
        return logits

    def token(self, row: int, token_id: int) -> Token:
        """What was chosen for a row in this step."""
        self.seen[row][token_id] += 1
        if row not in self.logprobs:
            return Token(token_id)
        return scored_token(
            token_id, self.logprobs[row], self.settings[row].top_logprobs or 0, self.hidden.get(row, ())
        )

    def _edit(self, logits: Tensor, row: int) -> None:
        settings = self.settings[row]
        change: Counter[int] = Counter()
        for token, count in self.seen[row].items():
            change[token] -= settings.presence_penalty + settings.frequency_penalty * count  # type: ignore[assignment]
        for token, bias in settings.logit_bias.items():
            if token < len(logits):
                change[token] += bias  # type: ignore[assignment]
        if change:
            ids = torch.tensor(list(change), device=logits.device)
            logits[ids] += torch.tensor(list(change.values()), dtype=logits.dtype, device=logits.device)

    def _draw(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """(R, V) logits of the sampled rows -> (R,) token ids, by inverting the distribution function."""
        own = [self.settings[row] for row in rows]
        temperature = torch.tensor([row.temperature for row in own], device=logits.device)[:, None]
        # Divided after the maximum is taken off: a tiny temperature would overflow, and infinity minus infinity is NaN.
        probabilities = ((logits - logits.amax(-1, keepdim=True)) / temperature.clamp(min=1e-6)).softmax(-1)
        drawn = torch.cat([torch.rand(1, generator=self.generators[row], dtype=torch.float64) for row in rows])
        order: Tensor | None = None
        if any(row.top_p < 1 or row.top_k is not None for row in own):
            probabilities, order = probabilities.sort(dim=-1, descending=True)
            top_p = torch.tensor([row.top_p for row in own], device=logits.device)[:, None]
            top_k = torch.tensor([row.top_k or logits.shape[1] for row in own], device=logits.device)[:, None]
            before = probabilities.cumsum(-1) - probabilities
            rank = torch.arange(logits.shape[1], device=logits.device)
            kept = ((before < top_p) & (rank < top_k)) | (rank == 0)
            probabilities = probabilities.where(kept, torch.zeros_like(probabilities))
        reached = probabilities.double().cumsum(-1)
        target = drawn.to(logits.device)[:, None] * reached[:, -1:]
        # The first token whose share of the line holds the number drawn; one of probability 0 holds nothing.
        chosen = torch.searchsorted(reached, target, right=True).clamp(max=logits.shape[1] - 1)
        return (chosen if order is None else order.gather(1, chosen))[:, 0]


def new_generator(settings: RowSettings) -> torch.Generator:
    """Generator for the draws of one row."""
    generator = torch.Generator()
    generator.seed() if settings.seed is None else generator.manual_seed(settings.seed % 2**63)
    return generator


def scored_token(token_id: int, logprobs: Tensor, top: int, hidden: Sequence[int] = ()) -> Token:
    """A token under (V,) log-probabilities, with the `top` most probable ones; those that are hidden left out."""
    shown = logprobs
    if top and hidden:
        shown = logprobs.clone()
        shown[list(hidden)] = float("-inf")
    values, ids = shown.topk(min(top, len(logprobs))) if top else (logprobs[:0], logprobs[:0])
    best = tuple((int(i), v) for i, v in zip(ids.tolist(), values.tolist(), strict=True))
    return Token(token_id, float(logprobs[token_id]), best)
