"""`python -m bench`: one command for each measurement."""

from __future__ import annotations

import typer

from bench.commands.corruption import corruption_table, strength
from bench.commands.cost import serving, speed
from bench.commands.exams import exams
from bench.commands.gpu import gpu
from bench.commands.index import index
from bench.commands.load import load
from bench.commands.methods import method_costs
from bench.commands.scopes import scopes
from unlearned.cli.command import Command
from unlearned.cli.running import run

app = typer.Typer(
    help="Measure the package itself; run it from the root of a clone.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (speed, gpu, index, scopes, strength, load, exams):
    app.command(cls=Command)(command)
app.command(name="corruptions", cls=Command)(corruption_table)
app.command(name="serve", cls=Command)(serving)
app.command(name="methods", cls=Command)(method_costs)


@app.callback()
def group() -> None:
    """Measure the package itself; run it from the root of a clone."""


if __name__ == "__main__":
    run(app)
