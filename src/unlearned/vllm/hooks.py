"""Which places of vLLM are wrapped, checked before anything is: a release that moved one of them is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any

OLDEST = (0, 29)
"""The first release whose second model runner reads embeddings in prompts. Tested on 0.32."""


@dataclass(frozen=True, slots=True)
class PatchPoint:
    """A method or function that is wrapped, and the parameters it must have."""

    module: str
    owner: str
    """Class; empty for a function of the module."""

    method: str
    parameters: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(part for part in (self.module, self.owner, self.method) if part)

    def holder(self) -> Any:
        """What the method is an attribute of."""
        module = import_module(self.module)
        return getattr(module, self.owner) if self.owner else module

    def problem(self) -> str | None:
        """What is wrong with this place in the installed vLLM."""
        try:
            found = inspect.signature(getattr(self.holder(), self.method)).parameters
        except (ImportError, AttributeError, ValueError) as error:
            return f"{self} is not there ({error})"
        missing = [name for name in self.parameters if name not in found]
        return f"{self} has no parameter {missing[0]!r}" if missing else None


PROCESS_INPUTS = PatchPoint(
    "vllm.v1.engine.input_processor", "InputProcessor", "process_inputs", ("prompt", "params", "resumable")
)
FRONT_START = PatchPoint("vllm.v1.engine.input_processor", "InputProcessor", "__init__", ("vllm_config",))
ADD_REQUEST = PatchPoint("vllm.v1.engine.async_llm", "AsyncLLM", "add_request", ("request_id", "prompt", "params"))
ADD_NOW = PatchPoint("vllm.v1.engine.llm_engine", "LLMEngine", "add_request", ("request_id", "prompt", "params"))
RENDER_CHAT = PatchPoint("vllm.renderers.base", "BaseRenderer", "render_chat", ("conversations", "chat_params"))
RENDER_CHAT_ASYNC = PatchPoint(
    "vllm.renderers.base", "BaseRenderer", "render_chat_async", ("conversations", "chat_params")
)
BEAM_PROMPT = PatchPoint("vllm.entrypoints.generate.beam_search.utils", "BeamSearchSequence", "get_prompt", ("self",))
OFFLINE = PatchPoint(
    "vllm.entrypoints.common.offline", "OfflineInferenceMixin", "_render_and_add_requests", ("prompts",)
)
EXECUTOR = PatchPoint("vllm.v1.executor.abstract", "Executor", "__init__", ("vllm_config",))
CORE_REQUEST = PatchPoint("vllm.v1.engine.core", "EngineCore", "preprocess_add_request", ("request",))
BLOCK_KEYS = PatchPoint(
    *("vllm.v1.core.kv_cache_utils", "", "generate_block_hash_extra_keys"),
    ("request", "start_token_idx", "end_token_idx"),
)
NEW_STATE = PatchPoint("vllm.v1.engine.output_processor", "OutputProcessor", "add_request", ("request",))
OUTPUTS = PatchPoint("vllm.v1.engine.output_processor", "OutputProcessor", "process_outputs", ("engine_core_outputs",))
END_REQUESTS = PatchPoint(
    "vllm.v1.engine.output_processor", "OutputProcessor", "abort_requests", ("request_ids", "internal")
)
BEAMS = PatchPoint("vllm.entrypoints.generate.beam_search.online", "BeamSearchOnlineMixin", "beam_search", ("prompt",))
BEAMS_OFFLINE = PatchPoint(
    "vllm.entrypoints.generate.beam_search.offline", "BeamSearchOfflineMixin", "beam_search", ("prompts",)
)
ADD_FLAGS = PatchPoint("vllm.engine.arg_utils", "EngineArgs", "add_cli_args", ("parser",))
READ_FLAGS = PatchPoint("vllm.engine.arg_utils", "EngineArgs", "from_cli_args", ("args",))

PLACES = (
    *(FRONT_START, PROCESS_INPUTS, ADD_REQUEST, ADD_NOW, RENDER_CHAT, RENDER_CHAT_ASYNC, BEAM_PROMPT, OFFLINE),
    *(EXECUTOR, CORE_REQUEST, BLOCK_KEYS),
    *(NEW_STATE, OUTPUTS, END_REQUESTS, BEAMS, BEAMS_OFFLINE),
    *(ADD_FLAGS, READ_FLAGS),
)

REQUEST_FIELDS = (
    "prompt_token_ids",
    "prompt_embeds",
    "prompt_is_token_ids",
    "cache_salt",
    "trace_headers",
    "resumable",
)


def unsupported() -> str | None:
    """Why the installed vLLM cannot be protected; None = it can."""
    from vllm import __version__ as version

    numbers = tuple(int(part) for part in version.partition("+")[0].split(".")[:2] if part.isdecimal())
    # A build from source may call itself "dev": the places decide then.
    if len(numbers) == 2 and "dev" not in version and numbers < OLDEST:
        return f"vLLM {version} is too old: {'.'.join(map(str, OLDEST))} or later is needed"
    if problem := next((found for place in PLACES if (found := place.problem())), None):
        return f"vLLM {version} differs from the releases this was made for: {problem}"
    from vllm.v1.engine import EngineCoreRequest

    missing = [name for name in REQUEST_FIELDS if name not in EngineCoreRequest.__struct_fields__]
    return f"vLLM {version} differs: its requests have no field {missing[0]!r}" if missing else None


def wrap(place: PatchPoint, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put `make(the method)` in the place of a method; static and class methods stay what they are."""
    owner = place.holder()
    found = inspect.getattr_static(owner, place.method)
    inner = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
    wrapper = wraps(inner)(make(inner))
    kind = type(found) if isinstance(found, (staticmethod, classmethod)) else None
    setattr(owner, place.method, kind(wrapper) if kind else wrapper)
