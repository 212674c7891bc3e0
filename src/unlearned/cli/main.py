"""The `unlearned` command."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from unlearned.cli.audit import audit
from unlearned.cli.chat import chat
from unlearned.cli.check import check
from unlearned.cli.classify import classify
from unlearned.cli.command import Command
from unlearned.cli.compat import compat
from unlearned.cli.demo import demo
from unlearned.cli.eval import evaluate
from unlearned.cli.fit import fit
from unlearned.cli.forget import forget
from unlearned.cli.generate import generate
from unlearned.cli.inspect import inspect
from unlearned.cli.instruct import instruct
from unlearned.cli.methods import methods
from unlearned.cli.report import report
from unlearned.cli.running import run
from unlearned.cli.score import score
from unlearned.cli.serve import serve
from unlearned.cli.sign import sign
from unlearned.cli.train import train
from unlearned.errors import ConfigError

GO_ON = ("fit", "forget", "train", "bench", "eval")
"""Commands that keep finished steps."""


class Benchmarks(TyperGroup):
    """`unlearned bench`. Half of all options are its commands': they are imported when one of them is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from unlearned.cli.bench.moved import MOVED, moved

        if cmd_name in MOVED:
            raise ConfigError(moved(cmd_name))
        self._load()
        return super().get_command(ctx, cmd_name)

    def _load(self) -> None:
        if not self.commands:
            from unlearned.cli.bench import bench

            whole: Any = typer.main.get_command(bench)
            self.commands.update(whole.commands)


app = typer.Typer(
    name="unlearned",
    help="Make a language model behave as if it had never seen some data, without touching its weights.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command in (
    *(demo, forget, fit, check, classify, generate, chat, inspect, sign, compat, report, train, instruct, methods),
):
    app.command(cls=Command)(command)
# What serve does not know it hands to vLLM, if that is the engine; else it refuses it.
app.command(cls=Command, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(serve)
app.command(name="eval", cls=Command)(evaluate)
app.add_typer(typer.Typer(cls=Benchmarks, help="Run a benchmark.", no_args_is_help=True), name="bench")
app.add_typer(score, name="score")
app.add_typer(audit, name="audit")


@app.callback(invoke_without_command=True)
def version(
    context: typer.Context,
    show: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Make a language model behave as if it had never seen some data, without touching its weights."""
    if show:
        from unlearned import __version__

        typer.echo(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command; an error is one line on stderr and exit status 1."""
    run(app, GO_ON)


if __name__ == "__main__":
    main()
