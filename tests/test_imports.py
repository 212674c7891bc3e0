"""What importing costs, and that imports point one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import unlearned

SOURCE = Path(unlearned.__file__).parent
BENCH = SOURCE.parents[1] / "bench"
HEAVY = ("torch", "transformers", "sentence_transformers", "scipy", "pydantic", "matplotlib", "gguf", "peft")
STAGES = ("classify", "select", "corrupt", "engines")
"""Of these, the engines alone read prompts, so they may import `prompts`."""

CORE = (
    "types",
    "registry",
    "errors",
    "extras",
    "words",
    "names",
    "substitution",
    "answers",
    "batches",
    "prompts",
    *STAGES,
    "unlearners",
)
AROUND = (
    "learn",
    "forgetting",
    "methods",
    "benchmarks",
    "harness",
    "cli",
    "server",
    "vllm",
    "report",
    "plots",
    "demo",
    "artifact",
    "api",
    "compat",
    "metrics",
)

ALL_ROOMS = {part.stem for part in SOURCE.iterdir() if part.suffix == ".py" or part.is_dir()} - {"__init__"}
TARGET = re.compile(r"unlearned(\.\w+)+:\w+")
"""How a registry names what it imports later."""

PROBE = "import sys; {code}; print(' '.join(m for m in {heavy!r} if m in sys.modules))"


def _loaded(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(code=code, heavy=HEAVY)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert _loaded("import unlearned; dir(unlearned); unlearned.UnlearnedError") == ""


def test_help_loads_nothing_heavy_and_names_every_command() -> None:
    code = (
        "import runpy; sys.argv = ['unlearned', '--help']\n"
        "try: runpy.run_module('unlearned.cli.main', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", "import sys; " + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "LOADED"
    for command in ("demo", "fit", "classify", "generate", "chat", "inspect"):
        assert command in done.stdout


def test_the_command_answers_help_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "unlearned.cli.main", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


@pytest.mark.parametrize("name", unlearned.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(unlearned, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'unlearn'"):
        _ = unlearned.unlearn


def _imports(path: Path, *, running: bool = False) -> set[str]:
    """Every `unlearned` module that a file imports anywhere, as dotted names below the package.

    Args:
        path: of the file.
        running: without what only type checkers import, and with what a registry imports later by its name.
    """
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _running(tree) if running else ast.walk(tree):
        if running and isinstance(node, ast.Constant) and TARGET.fullmatch(str(node.value)):
            names = [str(node.value)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {name.partition(".")[2] for name in names if name.partition(".")[0] == "unlearned"}
    return found


def _rooms(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in _imports(path)} & ALL_ROOMS


def _files(room: str) -> list[Path]:
    return sorted((SOURCE / room).rglob("*.py")) if (SOURCE / room).is_dir() else [SOURCE / f"{room}.py"]


@pytest.mark.parametrize("room", ["types", "registry", "errors", "extras", "words"])
def test_the_ground_imports_no_stage(room: str) -> None:
    for path in _files(room):
        assert _rooms(path) <= {"errors", "types", "substitution", "answers"} - {room}, path


def test_substitution_knows_words_and_tokens_and_no_stage() -> None:
    for path in _files("substitution"):
        assert _rooms(path) <= {"substitution", "names", "words", "examples", "errors"}, path


def test_the_answer_side_knows_what_detection_knows_and_no_engine() -> None:
    for path in _files("answers"):
        assert _rooms(path) <= {"answers", "classify", "names", "substitution", "types", "errors"}, path


def test_making_prompts_knows_no_stage() -> None:
    for path in _files("prompts"):
        assert _rooms(path) <= {"prompts", "types", "errors"}, path


@pytest.mark.parametrize("room", ["classify", "select", "corrupt", "answers", "substitution"])
def test_what_reads_a_prompt_does_not_know_how_it_was_made(room: str) -> None:
    for path in _files(room):
        assert "prompts" not in _rooms(path), path


@pytest.mark.parametrize("room", STAGES)
def test_the_four_stages_never_import_each_other(room: str) -> None:
    for path in _files(room):
        assert not _rooms(path) & (set(STAGES) - {room}), path


@pytest.mark.parametrize("room", CORE)
def test_the_core_imports_nothing_that_is_built_around_it(room: str) -> None:
    for path in _files(room):
        assert not _rooms(path) & set(AROUND), path


@pytest.mark.parametrize("room", STAGES)
def test_no_stage_imports_an_unlearner(room: str) -> None:
    for path in _files(room):
        assert "unlearners" not in _rooms(path), path


def test_only_unlearners_and_what_is_around_the_core_see_more_than_one_stage() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if len(_rooms(path) & set(STAGES)) > 1:
            assert room in ("unlearners", *AROUND), path


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _running(child)


def test_no_folder_imports_one_that_imports_it_in_turn() -> None:
    """Over any number of steps. Names that a registry imports later count as imports."""
    rooms: dict[str, set[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        found = {name.partition(".")[0] for name in _imports(path, running=True)} & ALL_ROOMS
        rooms.setdefault(room, set()).update(found - {room})
    for room in rooms:
        seen, left = set[str](), list(rooms[room])
        while left:
            other = left.pop()
            if other not in seen:
                seen.add(other)
                left += rooms.get(other, ())
        assert room not in seen, f"{sorted(other for other in seen if room in rooms.get(other, ()))} import {room}"


def test_reports_read_results_of_benchmarks_and_never_the_reverse() -> None:
    for room in ("benchmarks", "harness", "metrics", "learn", "methods"):
        for path in _files(room):
            assert not _rooms(path) & {"report", "cli"}, path
    for path in _files("benchmarks"):
        assert "harness" not in _rooms(path), path


def test_the_package_runs_without_the_measurements_beside_it() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "bench" not in {name.partition(".")[0] for name in names}, path


def test_only_commands_of_the_measurements_import_the_command_line() -> None:
    files = sorted(BENCH.rglob("*.py"))
    assert files
    for path in files:
        if path.parent.name != "commands" and path.name != "__main__.py":
            assert not _rooms(path) & {"cli", "harness"}, path


def test_nothing_is_unpickled() -> None:
    for path in sorted([*SOURCE.rglob("*.py"), *BENCH.rglob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not {"pickle", "joblib", "dill", "cloudpickle"} & {name.partition(".")[0] for name in names}, (
                    path
                )
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "load":
                library = ast.unparse(node.func.value)
                assert library != "torch", path
                if library in ("np", "numpy"):
                    assert "allow_pickle=False" in [ast.unparse(keyword) for keyword in node.keywords], path
