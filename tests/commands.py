"""`unlearned` as users run it, each command in a process of its own; what all of them import is imported once.

A server process imports the libraries and forks a process for each command, so a command does not spend ten seconds on
imports. A second one imports the command line alone, for commands that must end before anything else is imported. Where
it matters how Python itself starts, tests start it themselves.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 300

_servers: dict[bool, subprocess.Popen[str]] = {}


@dataclass(frozen=True)
class Done:
    """How a command ended, what it printed, and which modules were loaded then."""

    returncode: int
    stdout: str
    stderr: str
    modules: frozenset[str]


def run(
    *arguments: str | Path,
    cwd: Path,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    module: str = "unlearned",
    light: bool = False,
) -> Done:
    """`python -m MODULE ARGUMENTS`.

    Args:
        arguments: of the command.
        cwd: where it runs.
        stdin: what it reads there.
        env: what is set for it beside the variables of the tests.
        module: that Python runs.
        light: whether nothing but the command line is imported beforehand.
    """
    server = _started(light)
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        places = {name: str(Path(folder) / name) for name in ("in", "out", "err", "modules")}
        Path(places["in"]).write_text(stdin)
        asked = {"module": module, "arguments": [*map(str, arguments)], "cwd": str(cwd), "env": dict(env or {})}
        server.stdin.write(json.dumps({**asked, "files": places}) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the process that runs commands has ended"
        out, err, modules = (Path(places[name]).read_text(errors="replace") for name in ("out", "err", "modules"))
        return Done(json.loads(answer), out, err, frozenset(modules.split()))


def _started(light: bool) -> subprocess.Popen[str]:
    if light not in _servers or _servers[light].poll() is not None:
        command = [sys.executable, __file__, *(["--light"] if light else [])]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _servers[light] = server
        atexit.register(server.kill)
    return _servers[light]


def _serve(light: bool) -> None:
    """Fork a process for each line; answer with its exit status."""
    import unlearned.cli.main

    if not light:
        import torch  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM  # noqa: F401

        import unlearned.api
        import unlearned.classify.sentences
        import unlearned.learn.fit  # noqa: F401

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _command(json.loads(line))
        signal.signal(signal.SIGALRM, lambda *_, child=child: os.kill(child, signal.SIGKILL))
        signal.alarm(TIMEOUT)
        _, status = os.waitpid(child, 0)
        signal.alarm(0)
        print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)


def _command(asked: dict[str, Any]) -> None:
    """Become the command; never returns."""
    status = 1
    files = asked["files"]
    try:
        for number, name in enumerate(("in", "out", "err")):
            opened = os.open(files[name], os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        Path(files["modules"]).touch()
        os.chdir(asked["cwd"])
        os.environ.update(asked["env"])
        sys.argv = [asked["module"], *asked["arguments"]]
        sys.path[0] = asked["cwd"]
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        runpy.run_module(asked["module"], run_name="__main__")
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        Path(files["modules"]).write_text("\n".join(sys.modules))
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve("--light" in sys.argv)
