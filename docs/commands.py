"""The reference of the command line, read from the source of `unlearned.cli` without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CLI = Path(__file__).parent.parent / "src" / "unlearned" / "cli"
INTRO = """# Command line

Every command and option, as `unlearned COMMAND --help` shows them. A default of `True` is turned off by `--no-...`,
such as `--no-fluency`. Commands that load a model also take the [options of models](#options-of-models).
"""


def page() -> str:
    """The whole page, in Markdown."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(CLI.rglob("*.py"))}
    shared: dict[str, ast.expr] = {}
    names: dict[str, str] = {}
    groups: dict[str, str] = {}
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                shared[node.targets[0].id] = node.value
        prefix = "bench " if path.parent.name == "bench" else ""
        for call in ast.walk(tree) if path in (CLI / "main.py", CLI / "bench" / "__init__.py") else ():
            if isinstance(call, ast.For):  # for command in (...): app.command()(command)
                listed = [one.id for one in ast.walk(call.iter) if isinstance(one, ast.Name)]
                names |= {name: prefix + name.replace("_", "-") for name in listed}
            elif isinstance(call, ast.Call) and isinstance(call.func, ast.Call) and call.args:
                given = [k.value for k in call.func.keywords if k.arg == "name"]
                called = call.args[0].id if isinstance(call.args[0], ast.Name) else ""
                if called != "command":
                    names[called] = prefix + (ast.literal_eval(given[0]) if given else called.replace("_", "-"))
            elif isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "add_typer":
                groups[ast.unparse(call.args[0])] = ast.literal_eval(call.keywords[0].value)
    parts: dict[str, str] = {}
    for tree in trees.values():
        for function in tree.body:
            if not isinstance(function, ast.FunctionDef):
                continue
            name = names.get(function.name)
            for decorator in function.decorator_list:
                text = ast.unparse(decorator)
                if match := re.match(r"(\w+)\.command\(", text):
                    name = f"{groups.get(match[1], match[1])} {function.name.replace('_', '-')}"
            if name is not None:
                parts[name] = _command(name, function, shared)
    order = sorted(parts, key=lambda name: (" " in name, name))
    return "\n".join([INTRO, *(parts[name] for name in order), _models(shared)])


def _command(name: str, function: ast.FunctionDef, shared: dict[str, ast.expr]) -> str:
    lines = [f"## unlearned {name}", "", ast.get_docstring(function) or "", ""]
    arguments = function.args
    defaults: list[ast.expr | None] = [None] * (len(arguments.args) - len(arguments.defaults)) + [*arguments.defaults]
    pairs = [
        *zip(arguments.args, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    rows = [row for argument, default in pairs for row in _row(argument.arg, argument.annotation, default, shared)]
    if rows:
        lines += ["| option | meaning | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(
    name: str, annotation: ast.expr | None, default: ast.expr | None, shared: dict[str, ast.expr]
) -> Iterator[str]:
    if isinstance(annotation, ast.Name):
        annotation = shared.get(annotation.id, annotation)
    if not (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Annotated"):
        return
    given = next((one for one in ast.walk(annotation) if isinstance(one, ast.Call)), None)
    if given is None:
        return
    flags = [one.value for one in given.args if isinstance(one, ast.Constant) and str(one.value).startswith("-")]
    positional = ast.unparse(given.func).endswith("Argument")
    option = name.upper() if positional else ", ".join(map(str, flags)) or f"--{name.replace('_', '-')}"
    meaning = "".join(
        str(part.value)
        for keyword in given.keywords
        if keyword.arg == "help"
        for part in ast.walk(keyword.value)
        if isinstance(part, ast.Constant)
    )
    value = "" if default is None else re.sub(r"^Path\((.*)\)$", r"\1", ast.unparse(default)).strip("'\"")
    shown = "" if value in ("", "None", "False") else f"`{value}`"
    yield f"| `{option}` | {meaning.replace('|', chr(92) + '|')} | {shown} |"


def _models(shared: dict[str, ast.expr]) -> str:
    rows = ["## Options of models", "", "| option | meaning | default |", "|---|---|---|"]
    for path in [CLI / "options.py"]:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "_MODEL_OPTIONS":
                assert isinstance(node.value, ast.Dict)
                for key, value in zip(node.value.keys, node.value.values, strict=True):
                    assert isinstance(key, ast.Constant)
                    rows += _row(str(key.value), value, None, shared)
    return "\n".join([*rows, ""])
