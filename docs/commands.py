"""The reference of the command line, made from the commands themselves; they import nothing but typer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOURCE = str(Path(__file__).parent.parent / "src")

INTRO = """# Command line

Every command and option, as `unlearned COMMAND --help` shows them. Commands that load a model also take the
[options of models](#options-of-models).
"""
MODEL = "Model"
"""The group whose options are listed once."""


def page() -> str:
    """The whole page, in Markdown."""
    sys.path.insert(0, SOURCE)
    import typer

    from unlearned.cli.main import app

    root: Any = typer.main.get_command(app)
    found = dict(_commands(root, root.make_context("unlearned", [], resilient_parsing=True), ""))
    order = sorted(found, key=lambda name: (" " in name, name))
    models = [one for one in found["generate"].params if _group(one) == MODEL]
    tables = [_section(f"unlearned {name}", found[name], [p for p in found[name].params if _group(p) != MODEL])
              for name in order]  # fmt: skip
    return "\n".join([INTRO, *tables, _section("Options of models", None, models)])


def _commands(group: Any, context: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            yield from _commands(command, inner, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def _group(parameter: Any) -> str:
    return str(getattr(parameter, "rich_help_panel", None) or "")


def _section(title: str, command: Any, parameters: list[Any]) -> str:
    lines = [f"## {title}", "", *([command.help or "", ""] if command is not None else [])]
    last = None
    for one in sorted(parameters, key=_group):
        if one.name == "help" or getattr(one, "hidden", False):
            continue
        if _group(one) != last:
            last = _group(one)
            lines += ["", *([f"**{last}**", ""] if last else []), "| option | meaning | default |", "|---|---|---|"]
        names = [*one.opts, *one.secondary_opts] if one.param_type_name == "option" else [one.name.upper()]
        options = ", ".join(f"`{name}`" for name in names)
        shown = "" if one.default in (None, False, ()) or callable(one.default) else f"`{_said(one.default)}`"
        lines.append(f"| {options} | {' '.join((one.help or '').split()).replace('|', chr(92) + '|')} | {shown} |")
    return "\n".join([*lines, ""])


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
