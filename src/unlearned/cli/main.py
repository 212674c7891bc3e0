"""The `unlearned` command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from unlearned.cli.audit import audit
from unlearned.cli.chat import chat
from unlearned.cli.check import check
from unlearned.cli.classify import classify
from unlearned.cli.compat import compat
from unlearned.cli.demo import demo
from unlearned.cli.eval import evaluate
from unlearned.cli.fit import fit
from unlearned.cli.forget import forget
from unlearned.cli.generate import generate
from unlearned.cli.inspect import inspect
from unlearned.cli.instruct import instruct
from unlearned.cli.methods import methods
from unlearned.cli.output import never_fail_on_a_character
from unlearned.cli.report import report
from unlearned.cli.score import score
from unlearned.cli.serve import serve
from unlearned.cli.sign import sign
from unlearned.cli.train import train
from unlearned.errors import UnlearnedError

GO_ON = ("fit", "forget", "train", "bench", "eval")
"""Commands that keep finished steps."""


class Benchmarks(TyperGroup):
    """`unlearned bench`. Half of all options are its commands': they are imported when one of them is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
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
    app.command()(command)
# What serve does not know it hands to vLLM, if that is the engine; else it refuses it.
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(serve)
app.command(name="eval")(evaluate)
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
    # Told to end, a command still stops the servers that it has started.
    never_fail_on_a_character()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except UnlearnedError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail(interrupted(sys.argv[1:]), status=130)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            fail(interrupted(sys.argv[1:]), status=130)
        raise
    except BrokenPipeError:
        sys.stderr.close()  # the reader left; Python would complain again while flushing
        sys.exit(1)
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        fail(f"{error.strerror or error}{where}.")


def interrupted(arguments: Sequence[str]) -> str:
    """What is said after Ctrl-C."""
    goes_on = bool(arguments) and arguments[0] in GO_ON
    return f"Interrupted.{' The same command goes on from its finished steps.' if goes_on else ''}"


def fail(message: str, status: int = 1) -> None:
    """Print one line on stderr and exit."""
    print(f"unlearned: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
