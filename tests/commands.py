"""`unlearned` as users run it, each command in a process of its own; what all of them import is imported once.

A server process imports the libraries and forks a process for each command, so a command does not spend ten seconds on
imports. Where it matters what a command imports, tests start Python themselves.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

TIMEOUT = 300

_server: subprocess.Popen[str] | None = None


def run(*arguments: str | Path, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What `unlearned ARGUMENTS` prints and how it ends."""
    server = _started()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        places = [str(Path(folder) / name) for name in ("in", "out", "err")]
        Path(places[0]).write_text(stdin)
        asked = {"arguments": [*map(str, arguments)], "cwd": str(cwd), "files": places}
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        assert answer, "the process that runs commands has ended"
        out, err = (Path(place).read_text(errors="replace") for place in places[1:])
        return subprocess.CompletedProcess([*map(str, arguments)], json.loads(answer), out, err)


def _started() -> subprocess.Popen[str]:
    global _server
    if _server is None or _server.poll() is not None:
        _server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(_server.kill)
    return _server


def _serve() -> None:
    """Fork a process for each line; answer with its exit status."""
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
    try:
        for number, place in enumerate(asked["files"]):
            opened = os.open(place, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        os.chdir(asked["cwd"])
        sys.argv = ["unlearned", *asked["arguments"]]
        sys.path[0] = asked["cwd"]
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        from unlearned.cli.main import main

        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
