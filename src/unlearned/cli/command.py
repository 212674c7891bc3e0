"""What all commands do: nothing that is given is lost, what is not there is said at once, and the help is whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from typer.core import TyperCommand

from unlearned.cli.before import check_places
from unlearned.errors import ConfigError


class Command(TyperCommand):
    """Refuses an option that takes one value and is given several; a parser keeps the last and drops the others."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help; names and values that are longer than their column go on in the next line."""
        from rich import table

        column = table.Column
        table.Column = partial(column, overflow="fold")  # type: ignore[assignment,misc]
        try:
            super().format_help(ctx, formatter)
        finally:
            table.Column = column  # type: ignore[misc]

    def invoke(self, ctx: Any) -> Any:
        """Run the command, if what it was given is there."""
        check_places(ctx.params)
        return super().invoke(ctx)

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
