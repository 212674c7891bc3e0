"""vLLM with the plug-in against vLLM without it: both servers run, and answer the same questions in turn."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

from bench.serving.clients import Prompts, answered, paired
from bench.serving.process import VllmProcess
from unlearned.demo.concepts import CONCEPTS, Concept
from unlearned.extras import require
from unlearned.progress import Progress


def measure_vllm(
    model: str,
    artifacts: Sequence[Path],
    *,
    options: Sequence[str] = (),
    clients: int = 32,
    shares: Sequence[float] = (0.0, 0.25),
    new_tokens: int = 48,
    rounds: int = 2,
    repeats: int = 5,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Throughput of all clients together, at each share of flagged prompts.

    Args:
        model: folder or hub id.
        artifacts: folders; the flagged prompts are about the demo's first concept.
        options: of `vllm serve`, for both servers.
        clients: how many ask at once.
        shares: of flagged prompts, 0 to 1.
        new_tokens: length of every answer.
        rounds: requests of each client in one turn.
        repeats: pairs.
        on_progress: takes phase, done, total.

    Returns:
        JSON-ready values: the machine, and two rows per share, "server" with the plug-in and "plain" without: tokens
        per second, and milliseconds of processor time per token, which other work on the machine disturbs less.
    """
    require("vllm", extra="vllm", purpose="This benchmark")
    report = on_progress or (lambda phase, done, total: None)
    ours = [part for path in artifacts for part in ("--unlearned", str(path))]
    prompts, flagged, rows = Prompts(), _flagged_prompts(), []
    with ExitStack() as stack:
        report("starting two servers", 0, 2)
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        plain = stack.enter_context(_serving(model, options, logs / "plain.log"))
        report("starting two servers", 1, 2)
        protected = stack.enter_context(_serving(model, [*options, *ours], logs / "protected.log"))
        for share in shares:
            where = f"{clients} clients, {share:.0%} flagged"
            speeds, costs = [], []
            for turn in range(repeats + 1):
                report(where, turn, repeats + 1)
                texts = prompts.next(clients * rounds)
                for place in range(round(share * len(texts))):  # spread over all clients
                    texts[int(place / share)] = next(flagged)
                # Who goes first changes, so that a machine that slows down favours nobody.
                found = {}
                for server in (plain, protected) if turn % 2 else (protected, plain):
                    before = server.processor_seconds()
                    tokens, seconds = answered(server.port, texts, clients, new_tokens, ignore_eos=True)
                    found[server] = tokens / seconds, 1000 * (server.processor_seconds() - before) / tokens
                speeds.append((found[protected][0], found[plain][0]))
                costs.append((found[protected][1], found[plain][1]))
            rows.append(paired(f"throughput, {where}", "tokens/s", speeds[1:]))  # the first pair warms up
            rows.append(paired(f"processor time, {where}", "ms/token", costs[1:]))
    return {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {sys.platform}",
        "versions": {name: version(name) for name in ("torch", "vllm")} | {"python": platform.python_version()},
        "model": model,
        "options": list(options),
        "new_tokens": new_tokens,
        "rows": [asdict(row) for row in rows],
    }


def _flagged_prompts() -> Iterator[str]:
    """Without end, and no two alike, so that no verdict is remembered."""
    concept = Concept(CONCEPTS[0])
    questions = [row.prompt for row in concept.forget]
    for number in count():
        yield f"{questions[number % len(questions)]} Answer in {number + 1} words."


@contextmanager
def _serving(model: str, options: Sequence[str], output: Path) -> Iterator[VllmProcess]:
    """A server in a process of its own."""
    server = VllmProcess(model, options, output)
    server.start()
    try:
        yield server
    finally:
        server.stop()
