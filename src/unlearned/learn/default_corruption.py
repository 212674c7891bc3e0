"""Which corruption serves a scope best, where nobody said: strangers where the prompts name somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from unlearned.corrupt.functions import SUBSTITUTION, corruptions
from unlearned.errors import ConfigError
from unlearned.examples import Row
from unlearned.learn.config import AUTO, AUTO_FUNCTIONS, BEST, WITHOUT_NAMES, StrengthConfig
from unlearned.substitution.bank import Bank, kind_by_itself
from unlearned.substitution.entities import entities
from unlearned.substitution.strangers import Strangers
from unlearned.substitution.table import NameTable

Config = TypeVar("Config", bound=StrengthConfig)

TRIED = ("Edison", "Marguerite", "Lisbon")
"""Names by which a tokenizer is tried out."""

LEAST_NAMED = 0.5
"""Share of the prompts with a name from which on strangers serve a scope best."""


def may_substitute(corruption: str) -> bool:
    """Whether strangers may stand for names under this choice of a corruption."""
    return corruption == AUTO or (corruption != BEST and corruptions.get(corruption).substitutes)


def decided(config: Config, forget: Sequence[Row], bank: Bank) -> tuple[Config, str]:
    """The corruption that serves these prompts best, where the config leaves it open, and why.

    Raises:
        ConfigError: strangers are asked for by name, and this tokenizer has none.
    """
    lacking = unsupported(bank) if config.corruption in (BEST, SUBSTITUTION) else None
    if config.corruption == SUBSTITUTION and lacking:
        raise ConfigError(f"{SUBSTITUTION} does not work with this tokenizer: {lacking}. Use another corruption.")
    if config.corruption == AUTO and unsupported(bank):
        functions = tuple(name for name in AUTO_FUNCTIONS if name != SUBSTITUTION)
        return replace(config, auto_functions=functions), ""
    if config.corruption != BEST:
        return config, ""
    share = named_share(forget, bank)
    if lacking:
        return replace(config, corruption=WITHOUT_NAMES), f"no strangers for this tokenizer: {lacking}"
    if share < LEAST_NAMED:
        why = f"only {share:.0%} of the forget prompts name somebody or something"
        return replace(config, corruption=WITHOUT_NAMES), why
    return replace(config, corruption=SUBSTITUTION), f"{share:.0%} of the forget prompts name somebody or something"


def unsupported(bank: Bank) -> str | None:
    """Why words cannot be substituted token by token under this tokenizer; None = they can."""
    for name in TRIED:
        ids = bank.pieces.ids(f" {name}")
        if bank.pieces.text(ids).strip() != name:
            return f"it does not give {name!r} back as it was"
    draft = Strangers(NameTable(b"tried", ""), bank)
    found = sum(
        next(draft.candidates(name, kind_by_itself(name, bank.is_ordinary)), None) is not None for name in TRIED
    )
    return None if found == len(TRIED) else "too few words of the bank take as many tokens as a name"


def named_share(rows: Sequence[Row], bank: Bank) -> float:
    """Share of the prompts that hold a name, a date or a code."""
    return sum(bool(entities(row.prompt, (), bank)) for row in rows) / len(rows)
