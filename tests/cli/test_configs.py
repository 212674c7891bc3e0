"""A setting is described once: options take name, default, bounds and help from the configurations."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.models import ParameterInfo
from typer.testing import CliRunner

import bench.commands
import unlearned.cli
from bench.__main__ import app as measurements
from unlearned.cli import configs
from unlearned.cli.bench import bench as benchmarks
from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.cli.main import app
from unlearned.errors import ConfigError, UnknownNameError
from unlearned.settings import REQUIRED, check_bounds, setting, settings_of


def commands(group: typer.Typer, path: str = "unlearned") -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield f"{path} {command.name or command.callback.__name__}", command.callback
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, f"{path} {inner.name}")


COMMANDS = dict([*commands(app), *commands(benchmarks, "unlearned bench"), *commands(measurements, "python -m bench")])
FILES = sorted(
    file for package in (unlearned.cli, bench.commands) for file in Path(package.__file__).parent.rglob("*.py")
)


def options_of(command: Callable[..., Any]) -> dict[str, tuple[type[Any], str]]:
    """Option -> configuration and field."""
    taken = getattr(command, "taken", {}).values()
    return {option: (config, field) for config, _, names in taken for field, option in names.items()}


def default_of(config: type[Any], name: str) -> Any:
    field = next(one for one in fields(config) if one.name == name)
    return field.default if field.default_factory is MISSING else field.default_factory()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_says_again_what_a_configuration_says(name: str) -> None:
    command = COMMANDS[name]
    made = options_of(command)
    own = {option: one for option, one in inspect.signature(command).parameters.items() if option not in made}
    for config in {config for config, _ in made.values()}:
        for field in fields(config):
            default = own[field.name].default if field.name in own else None
            if default not in (None, inspect.Parameter.empty):
                assert field.name not in settings_of(config), f"{name} --{field.name} stands in {config.__name__}"
                assert default != default_of(config, field.name), f"{name} --{field.name} repeats {config.__name__}"


def test_no_help_text_holds_what_the_console_takes_for_markup() -> None:
    helps = {
        f"{name} --{option}": one.help
        for name, command in COMMANDS.items()
        for option, parameter in inspect.signature(command, eval_str=True).parameters.items()
        for one in [*getattr(parameter.annotation, "__metadata__", ()), parameter.default]
        if isinstance(one, ParameterInfo)
    }
    assert len(helps) > 300
    assert [option for option, text in helps.items() if "[" in (text or "")] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_what_nobody_sets_is_as_the_configuration_has_it(name: str) -> None:
    command = COMMANDS[name]
    parameters = inspect.signature(command).parameters
    for option, (config, field) in options_of(command).items():
        default = default_of(config, field)
        if option in command.instead:  # type: ignore[attr-defined]
            assert command.instead[option] != default, f"{name} --{option}"  # type: ignore[attr-defined]
        elif default is MISSING:
            assert parameters[option].default is inspect.Parameter.empty
        else:
            known = next(one for one in fields(config) if one.name == field)
            assert configs._value(known, parameters[option].default) == default, f"{name} --{option}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_command_builds_a_configuration_by_hand(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    light = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.rpartition(".")[2] in ("config", "models")
    ]
    configurations = {
        alias.name
        for node in light
        for alias in node.names
        if is_dataclass(found := getattr(import_module(node.module or ""), alias.name))
        and isinstance(found, type)
        and settings_of(found)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in configurations:
            # `ModelOptions(model=...)` of a command that has that one option alone.
            assert (file.stem, node.func.id) == ("inspect", "ModelOptions"), f"line {node.lineno}: {ast.unparse(node)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Small:
    """Every kind of setting."""

    words: str = setting(REQUIRED, "Words.")
    count: int = setting(3, "How many.", min=1, max=9)
    share: float | None = setting(None, "Share.")
    kind: str = setting("good", "good or bad.", choices=("good", "bad"), noun="kind")
    parts: tuple[str, ...] = setting(("a", "b"), "Parts.", flag="--part")
    files: tuple[Path, ...] = setting((), "Files.", flag="--file -f", several=True)
    more: Mapping[str, Any] = setting({"x": 1}, "More.")
    on: bool = setting(True, "On.")
    fast: bool = setting(False, "Fast.")
    inner: int = 5

    def __post_init__(self) -> None:
        check_bounds(self)


def small(*arguments: str, only: Only | None = None) -> Any:
    """What a command with these options makes of a command line."""
    found: list[Small] = []

    def run(config: Any, out: str = "x") -> None:
        found.append(config.make(inner=7))

    run.__annotations__ = {
        "config": Annotated[Chosen[Small], only or Only()],
        "out": Annotated[str, typer.Option(help="Folder.")],
    }
    made = typer.Typer()
    made.command()(with_settings(run))
    done = CliRunner().invoke(made, [*arguments])
    if done.exit_code:
        raise done.exception if not isinstance(done.exception, SystemExit) else ValueError(done.output)
    return found[0]


def test_options_become_a_configuration() -> None:
    assert small("--words", "w") == Small(words="w", more={"x": 1}, inner=7)
    chosen = small(
        *("--words", "w", "--count", "4", "--share", "0.5", "--kind", "bad", "--part", "c, d,", "-f", "one"),
        *("--file", "two", "--more", "y=[2]", "--no-on", "--fast"),
    )
    assert chosen == Small(
        words="w",
        count=4,
        share=0.5,
        kind="bad",
        parts=("c", "d"),
        files=(Path("one"), Path("two")),
        more={"x": 1, "y": [2]},
        on=False,
        fast=True,
        inner=7,
    )


def test_bounds_and_names_hold_on_the_command_line_and_bounds_in_python() -> None:
    with pytest.raises(ValueError, match="less than or equal to 9"):
        small("--words", "w", "--count", "10")
    with pytest.raises(ValueError, match="--words"):
        small()
    with pytest.raises(UnknownNameError, match="Did you mean 'good'"):
        small("--words", "w", "--kind", "goood")
    with pytest.raises(ConfigError, match="count=0: must be at least 1"):
        Small(words="w", count=0)
    with pytest.raises(ConfigError, match="count=10: must be at most 9"):
        Small(words="w", count=10)


def test_a_command_can_leave_settings_out_and_have_other_defaults() -> None:
    assert small("--words", "w", only=Only("words", count=8)) == Small(words="w", count=8, inner=7)
    with pytest.raises(ValueError, match="No such option"):
        small("--words", "w", "--share", "1", only=Only(without=("share",)))


def test_benchmarks_are_imported_when_one_is_asked_for() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from unlearned.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "assert 'unlearned.cli.bench' not in sys.modules\n"
        "done = CliRunner().invoke(app, ['bench', '--help'])\n"
        "assert done.exit_code == 0 and 'tofu' in done.output and 'mmlu' in done.output, done.output\n"
        "assert CliRunner().invoke(app, ['bench', 'tofuu']).exit_code == 2\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
