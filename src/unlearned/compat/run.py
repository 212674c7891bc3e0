"""All model types, each in a process of its own: a crash, a hang or a runaway allocation is a result, not an abort."""

from __future__ import annotations

import io
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from unlearned.compat.check import TypeResult, check_type
from unlearned.compat.tiny import model_types
from unlearned.errors import ConfigError, UnknownNameError

COMMON = "transformers.models.llama.modeling_llama"
"""Brings what nearly every type imports, generation above all: a third of a second that each process would spend."""

MEMORY = 8 << 30  # bytes of data a process may hold; a tiny model needs a hundredth


@dataclass(frozen=True, slots=True)
class _Job:
    model_type: str
    process: BaseProcess
    answer: Connection
    started: float


def run_all(
    types: Iterable[str] | None = None,
    *,
    workers: int = 2,
    timeout: float = 60.0,
    progress: Callable[[TypeResult], None] | None = None,
) -> list[TypeResult]:
    """Check model types in parallel.

    Args:
        types: names from `model_types()`; None = all of them.
        workers: how many processes at a time, each with one thread.
        timeout: seconds until a type counts as failed.
        progress: called in this process with every result, in the order in which they arrive.

    Returns:
        One result per type, sorted by name.

    Raises:
        UnknownNameError: a type that transformers does not list.
        ConfigError: `workers` or `timeout` is not positive.
    """
    chosen = sorted(set(model_types() if types is None else types))
    if unknown := sorted(set(chosen) - set(model_types())):
        raise UnknownNameError(f"transformers lists no causal language model of type {unknown[0]!r}.")
    if workers < 1 or timeout <= 0:
        raise ConfigError(f"workers={workers}, timeout={timeout:g}: both must be positive.")
    # A fork server has imported everything once and runs no threads; where there is none, every process imports anew.
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["__main__", __name__, COMMON])
    waiting, running, results = chosen[::-1], list[_Job](), list[TypeResult]()
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_start(context, waiting.pop()))
            first_out = min(job.started for job in running) + timeout
            wait([job.answer for job in running], timeout=max(0.0, first_out - time.monotonic()))
            for job in list(running):
                if result := _finished(job, timeout):
                    running.remove(job)
                    results.append(result)
                    if progress is not None:
                        progress(result)
    finally:
        for job in running:
            _stop(job)
    return sorted(results, key=lambda result: result.model_type)


def _start(context: multiprocessing.context.BaseContext, model_type: str) -> _Job:
    answer, child = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(model_type, child), daemon=True)  # type: ignore[attr-defined]
    process.start()
    child.close()  # so that the end of the process is the end of the pipe
    return _Job(model_type, process, answer, time.monotonic())


def _finished(job: _Job, timeout: float) -> TypeResult | None:
    """The job's result, if it has answered, died or used up its time."""
    seconds = time.monotonic() - job.started
    if job.answer.poll():
        try:
            result: TypeResult = job.answer.recv()
        except EOFError:
            job.process.join()
            result = TypeResult(
                job.model_type, "fail", f"crashed with exit code {job.process.exitcode}", seconds=seconds
            )
    elif seconds >= timeout:
        result = TypeResult(job.model_type, "fail", f"no answer within {timeout:g} s", seconds=seconds)
    else:
        return None
    _stop(job)
    return result


def _stop(job: _Job) -> None:
    job.process.kill()
    job.process.join()
    job.answer.close()


def _child(model_type: str, answer: Connection) -> None:
    import torch
    import transformers

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    with suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with redirect_stdout(io.StringIO()):  # some modeling code prints
        result = check_type(model_type)
    answer.send(result)
    answer.close()
