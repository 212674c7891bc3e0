"""Commands whose options each count once: what is given twice is never dropped in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from unlearned.errors import ConfigError


class Once(TyperCommand):
    """Refuses an option that takes one value and is given several; a parser keeps the last and drops the others."""

    def make_parser(self, ctx: Any) -> Any:
        parser = super().make_parser(ctx)
        parse = parser.parse_args

        def checked(args: list[str]) -> Any:
            values, rest, order = parse(args)
            if not ctx.resilient_parsing:
                _check(order)
            return values, rest, order

        parser.parse_args = checked  # type: ignore[method-assign]
        return parser


def _check(order: Sequence[Any]) -> None:
    for option in order:
        if option.param_type_name != "option" or option.multiple or option.is_flag or option.count:
            continue
        if (times := order.count(option)) > 1:
            name = max(option.opts, key=len)
            raise ConfigError(f"{name} is given {times} times, and takes one value. Give it once.")
