"""Which code makes the numbers of which stage and benchmark, and whether it is the code that was recorded.

`python tests/number_code.py` records the code of every stage and benchmark whose version was raised, and names the
others whose code has changed. If their numbers are the same as before, say so, `python tests/number_code.py --same NAME
...` (or `--same all`); if not, raise the version and run it again. Versions: `unlearned.benchmarks.versions`, and each
`Spec`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src" / "unlearned"
RECORD = Path(__file__).with_suffix(".json")

STAGES: Mapping[str, tuple[str, ...]] = {
    "detection": (
        *("classify", "names", "data", "benchmarks/verdicts.py"),
        *("types.py", "words.py", "texts.py", "tables.py", "examples.py", "embedded.py"),
    ),
    "generation": (
        *("prompts", "engines", "unlearners", "select", "corrupt", "substitution", "answers"),
        *("api.py", "models.py", "batches.py", "seeding.py"),
        *(f"benchmarks/{name}.py" for name in ("runner", "benchmark", "asking", "systems", "models", "settings")),
    ),
    "fitting": ("learn", "artifact", "checkpoints.py"),
    "training": ("methods",),
}
"""Stage -> folders and files of the package; of these, what a benchmark can reach counts."""

BENCHMARKS = ("benchmarks", "harness", "metrics")
"""Code that counts for every benchmark that can reach it."""

NO_NUMBERS = (
    *(
        "__init__.py",
        "envelope.py",
        "errors.py",
        "extras.py",
        "files.py",
        "plots.py",
        "progress.py",
        "registry.py",
        "settings.py",
    ),
    *("demo", "check", "report", "forgetting"),
    *(f"benchmarks/{name}.py" for name in ("__init__", "spec", "results", "step_cache", "versions", "source", "rows")),
)
"""What makes no number, or only reads data whose hash is compared."""

OWN_FORM = {"tofu": "benchmarks/tofu/run.py", "classifier": "benchmarks/classifier/run.py"}
"""Benchmarks whose results have a form of their own, and so no `Spec`."""

ELSEWHERE = {"eval": "harness/run.py"}
"""Benchmarks whose run does not lie beside their `Spec`."""

DESCRIBES = ("help", "group", "flag", "noun")
"""What a `setting` says of itself for the command line, beside its default and bounds."""

SPECS, VERSIONS = "benchmarks/spec.py", "benchmarks/versions.py"
SPEC = re.compile(r'register\("(\w+)", "unlearned\.([\w.]+):')
TARGET = re.compile(r"unlearned(?:\.\w+)+:\w+")
BESIDE = re.compile(r"\w+:\w+")
"""How registries name what they import later; the second, a file of their own folder."""


def entries() -> dict[str, list[str]]:
    """Benchmark -> the files where it begins: its run, and what makes values of items."""
    found = {name: [file] for name, file in OWN_FORM.items()}
    for name, spec in SPEC.findall((SOURCE / SPECS).read_text(encoding="utf-8")):
        file = spec.replace(".", "/") + ".py"
        found[name] = [ELSEWHERE.get(name, f"{file.rpartition('/')[0]}/run.py"), file]
    return found


def versions() -> dict[str, int]:
    """Stage or benchmark -> the version in the source, which is read and not imported: that would load torch."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse((SOURCE / VERSIONS).read_text(encoding="utf-8"))):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "STAGES" and node.value is not None:
            found |= ast.literal_eval(node.value)
    for name, files in entries().items():
        trees = [ast.parse((SOURCE / file).read_text(encoding="utf-8")) for file in files]
        found[name] = next(number for tree in reversed(trees) for number in _versions_in(tree))
    return found


def _versions_in(tree: ast.AST) -> Iterator[int]:
    """`version=1` in a `Spec`, or `VERSION = 1`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Spec":
            yield from (ast.literal_eval(word.value) for word in node.keywords if word.arg == "version")
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VERSION":
            yield ast.literal_eval(node.value)


def digest(text: str) -> str:
    """Of a module's code: without comments, documentation and layout, and the same under every Python."""
    return hashlib.sha256(repr(_shape(ast.parse(text))).encode()).hexdigest()[:12]


def _shape(node: Any) -> Any:
    if isinstance(node, list):
        return [_shape(one) for one in node if not _is_text(one)]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "setting":  # its description is documentation
        node = ast.Call(node.func, node.args[:1], [word for word in node.keywords if word.arg not in DESCRIBES])
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, []) and name != "kind"]
    return [type(node).__name__, *((name, _shape(value)) for name, value in fields)]


def _is_text(node: Any) -> bool:
    """A docstring, of an attribute, too."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def imports(file: str) -> frozenset[str]:
    """Files of the package that this one imports anywhere when it runs, and those that it names to a registry."""
    tree = ast.parse((SOURCE / file).read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            found |= {name for alias in node.names if (name := _file(alias.name))}
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name for one in names if (name := _file(one) or _file(node.module or ""))}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and file != SPECS:
            found |= {name for one in TARGET.findall(node.value) if (name := _file(one.partition(":")[0]))}
            beside = f"{file.rpartition('/')[0]}/{node.value.partition(':')[0]}.py"
            if BESIDE.fullmatch(node.value) and (SOURCE / beside).is_file():
                found.add(beside)
    return frozenset(found)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield from _running(child)


def _file(module: str) -> str | None:
    if module.partition(".")[0] != "unlearned":
        return None
    path = SOURCE.joinpath(*module.split(".")[1:])
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file() and path != SOURCE:
            return found.relative_to(SOURCE).as_posix()
    return None


def reached(starts: Iterable[str]) -> set[str]:
    """These files, and all that they import."""
    found: set[str] = set()
    left = list(starts)
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += imports(file)
    return found


def within(file: str, places: Iterable[str]) -> bool:
    """Whether a file is one of these places, or in one."""
    return any(file == place or file.startswith(f"{place}/") for place in places)


def code() -> dict[str, dict[str, str]]:
    """Stage or benchmark -> file -> digest.

    Raises:
        SystemExit: a benchmark reaches a file that neither makes numbers nor makes none, as far as is said here.
    """
    own = {name: reached(starts) for name, starts in entries().items()}
    everything = set().union(*own.values())
    data = {file.relative_to(SOURCE).as_posix() for file in (SOURCE / "data").iterdir() if file.suffix != ".py"}
    found: dict[str, dict[str, str]] = {}
    for stage, places in STAGES.items():
        files = [file for file in sorted(everything | data) if within(file, places) and not within(file, NO_NUMBERS)]
        found[stage] = {file: _digest(file) for file in files}
    staged = {file for files in found.values() for file in files}
    for name, files in own.items():
        left = [file for file in sorted(files - staged) if not within(file, NO_NUMBERS)]
        if unknown := [file for file in left if not within(file, BENCHMARKS)]:
            raise SystemExit(f"{unknown[0]}: say in tests/number_code.py to which stage it belongs.")
        found[name] = {file: _digest(file) for file in left}
    return found


def _digest(file: str) -> str:
    content = (SOURCE / file).read_bytes()
    return digest(content.decode()) if file.endswith(".py") else hashlib.sha256(content).hexdigest()[:12]


def changes(record: Mapping[str, Any], now: Mapping[str, Mapping[str, str]], at: Mapping[str, int]) -> dict[str, str]:
    """Stage or benchmark whose code or version is not the recorded one -> what has changed."""
    found = {}
    for name, files in now.items():
        before = record.get(name, {"version": None, "code": {}})
        changed = sorted(file for file in {*files, *before["code"]} if files.get(file) != before["code"].get(file))
        if changed or before["version"] != at[name]:
            found[name] = ", ".join(changed[:4]) + (f" and {len(changed) - 4} more" if len(changed) > 4 else "")
    return found


def main(arguments: list[str]) -> int:
    """Record, and name what cannot be recorded."""
    same = arguments[1:] if arguments[:1] == ["--same"] else []
    if bool(arguments) != bool(same):
        raise SystemExit(__doc__)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    now, at = code(), versions()
    if unknown := set(same) - {*now, "all"}:
        raise SystemExit(f"There is no {min(unknown)!r}. Known: all, {', '.join(now)}.")
    open_ = {}
    for name, what in changes(record, now, at).items():
        raised = name not in record or at[name] > record[name]["version"]
        if not raised and name not in same and "all" not in same:
            open_[name] = what
            continue
        record[name] = {"version": at[name], "code": now[name]}
        print(f"{name}: version {at[name]}{'' if raised else ', the same numbers'} recorded")
    kept = {name: record[name] for name in now if name in record}
    RECORD.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    for name, what in open_.items():
        print(f"{name} is still version {at[name]}, but its code has changed: {what}")
    if open_:
        print("Raise the version, or say that all numbers are the same: python tests/number_code.py --same NAME ...")
    return int(bool(open_))


if __name__ == "__main__":
    sys.path.insert(0, str(SOURCE.parent))
    sys.exit(main(sys.argv[1:]))
