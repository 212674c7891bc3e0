"""How a command runs and ends: whatever stops it is one line on stderr."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence

from unlearned.cli.output import never_fail_on_a_character
from unlearned.errors import UnlearnedError


def run(app: Callable[[], object], go_on: Sequence[str] = ()) -> None:
    """Run the command line; an error is one line on stderr and exit status 1.

    Args:
        app: reads the command line and does it.
        go_on: its commands that keep finished steps.
    """
    # Told to end, a command still stops the servers that it has started.
    never_fail_on_a_character()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        app()
    except UnlearnedError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail(interrupted(sys.argv[1:], go_on), status=130)
    except SystemExit as end:
        if end.code == 130:  # what typer makes of Ctrl-C
            fail(interrupted(sys.argv[1:], go_on), status=130)
        raise
    except BrokenPipeError:
        sys.stderr.close()  # the reader left; Python would complain again while flushing
        sys.exit(1)
    except OSError as error:
        where = f" {error.filename!r}" if error.filename else ""
        fail(f"{error.strerror or error}{where}.")


def interrupted(arguments: Sequence[str], go_on: Sequence[str]) -> str:
    """What is said after Ctrl-C."""
    keeps_rows = arguments[:1] in (["generate"], ["classify"]) and any(
        word in ("-o", "--out") or word.startswith("--out=") for word in arguments
    )
    goes_on = keeps_rows or (bool(arguments) and arguments[0] in go_on)
    return f"Interrupted.{' The same command goes on from its finished steps.' if goes_on else ''}"


def fail(message: str, status: int = 1) -> None:
    """Print one line on stderr and exit."""
    print(f"unlearned: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)
