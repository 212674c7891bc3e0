"""`unlearned methods`: what there is to compare with."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer


def methods(
    name: Annotated[str | None, typer.Argument(help="Only this one, with its settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the methods that `train` knows: paper, loss, data, defaults."""
    import json

    from unlearned.methods.describe import describe, describe_all
    from unlearned.unlearners.instruction import Kind

    found = describe_all() if name is None else [describe(name)]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    if name is None:
        width = max(len(row["name"]) for row in found)
        for row in found:
            typer.echo(f"{row['name']:<{width}}  {_line(row)}")
        typer.echo(
            "\nFor an adapter the rate is ten times that. Loss, data and settings of one: unlearned methods NAME\n"
            f"Made without training, by `unlearned instruct`: {', '.join(get_args(Kind))}."
        )
        return
    row = found[0]
    typer.echo(f"{row['name']}: {row['summary']}\n  paper: {row['paper']}\n  loss: {row['loss']}")
    typer.echo(f"  sees: {', '.join(row['sees'])}\n  recipe: {_pairs(row['recipe']) or 'no training'}")
    typer.echo(f"  settings (--set): {_pairs(row['settings']) or 'none'}")


def _line(row: dict[str, Any]) -> str:
    """Summary, paper and main defaults, or what is wrong with the method."""
    if "error" in row:
        return f"cannot be used: {row['error']}"
    recipe = row["recipe"]
    if recipe:
        length = f"{recipe['max_steps']} steps" if "max_steps" in recipe else f"{recipe['epochs']:g} epochs"
        defaults = f"rate {recipe['learning_rate']:g}, {length}, batch {recipe['batch_size']}"
    else:
        defaults = "no training"
    return f"{row['summary']} ({row['paper']}; {defaults})"


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
