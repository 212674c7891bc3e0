"""A server in a process of its own, as a user starts it; it can be killed and started again."""

from __future__ import annotations

import http.client
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearned.errors import UnlearnedError
from unlearned.extras import require

START_SECONDS = 600.0


class Server:
    """A server on a free port of this machine.

    Args:
        command: what starts it, without its address.
        ready: the route that tells when it is.
        output: file for what it says.
    """

    def __init__(self, command: Sequence[str], ready: str, output: Path) -> None:
        self.output = output
        self.headers: dict[str, str] = {}
        """Sent with every request."""

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._command = [*command, "--host", "127.0.0.1", "--port", str(self.port)]
        self._route = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start it and wait until it is ready; the seconds that took.

        Raises:
            UnlearnedError: it ended, or was not ready in time; with the last lines of its output.
        """
        began = time.monotonic()
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        try:
            while not self._ready():
                if self._process.poll() is not None or time.monotonic() - began > START_SECONDS:
                    raise UnlearnedError(f"The server did not start:\n{self._last_lines()}")
                time.sleep(0.1)
        except BaseException:  # whoever waits may be told to end
            self.stop()
            raise
        return time.monotonic() - began

    def kill(self) -> None:
        """End the server and all its processes at once, as a crash would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End it in order, or, if it does not end, at once."""
        self._signal(signal.SIGTERM)
        if self._process is None:
            return
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        psutil = _psutil()
        try:
            processes = [psutil.Process(self._process.pid), *psutil.Process(self._process.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            processes = []
        for process in processes if number == signal.SIGKILL else processes[:1]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:  # it went with another
                continue

    def memory(self) -> int:
        """Bytes that the server's processes hold together; 0 while there are none."""
        psutil = _psutil()
        try:
            process = psutil.Process(self.pid)
            return sum(int(one.memory_info().rss) for one in [process, *process.children(recursive=True)])
        except psutil.NoSuchProcess:
            return 0

    def processor_seconds(self) -> float:
        """What the server's processes have used so far, in user and in system mode.

        Raises:
            UnlearnedError: it is not running.
        """
        psutil = _psutil()
        try:
            process = psutil.Process(self.pid)
            used = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
        except psutil.NoSuchProcess as error:
            raise UnlearnedError("The server is not running.") from error
        return sum(float(times.user + times.system) for times in used)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", self._route)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _last_lines(self) -> str:
        return "\n".join(self.output.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])


class ServerProcess(Server):
    """`unlearned serve`, with a key for clients and one for administrators.

    Args:
        arguments: of `unlearned serve`, without address and keys.
        folder: for key files and the server's output.
    """

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self.client_key, self.admin_key = secrets.token_hex(16), secrets.token_hex(16)
        for name, key in (("client", self.client_key), ("admin", self.admin_key)):
            (folder / name).write_text(key + "\n", encoding="utf-8")
        keys = ("--api-key-file", str(folder / "client"), "--admin-key-file", str(folder / "admin"))
        command = (sys.executable, "-m", "unlearned.cli.main", "serve", *arguments, *keys)
        super().__init__(command, "/ready", folder / "server.log")
        self.headers = {"Authorization": f"Bearer {self.admin_key}"}


class VllmProcess(Server):
    """`vllm serve`: vLLM's own server. It calls the model "bench".

    Args:
        model: folder or hub id.
        options: of `vllm serve`; with `--unlearned` among them it is protected.
        output: file for what it says.
    """

    def __init__(self, model: str, options: Sequence[str], output: Path) -> None:
        command = (sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", model, "--served-model-name", "bench")
        super().__init__((*command, *options), "/health", output)


def _psutil() -> Any:
    return require("psutil", extra="serve", purpose="Watching a server's process")
