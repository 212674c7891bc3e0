"""Beam searches go on from the model's own tokens: strangers become the user's words when a search has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from unlearned.engines.base import Completion
from unlearned.engines.restoring import restored
from unlearned.vllm.enforcer import GIVEN, given_with
from unlearned.vllm.hooks import BEAMS, BEAMS_OFFLINE, wrap


def install() -> None:
    """Wrap both kinds of beam search."""
    wrap(BEAMS, _beams)
    wrap(BEAMS_OFFLINE, _beams_offline)


def _beams(search: Callable[..., Any]) -> Callable[..., Any]:
    """Beams over HTTP."""

    async def wrapper(self: Any, prompt: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for found in search(self, prompt, *args, **kwargs):
            substitution = given_with(prompt).said.get(GIVEN)
            if substitution is not None:
                for output in found.outputs:
                    said = Completion(output.text, tuple(output.token_ids))
                    done = restored(said, substitution, substitution.pieces.tokenizer)
                    output.text, output.token_ids = done.text, list(done.token_ids)
            yield found

    return wrapper


def _beams_offline(search: Callable[..., Any]) -> Callable[..., Any]:
    """Beams of `LLM`."""

    def wrapper(self: Any, prompts: Any, *args: Any, **kwargs: Any) -> Any:
        results = search(self, prompts, *args, **kwargs)
        for result in results:
            for beam in result.sequences:
                origin = beam.orig_prompt
                substitution = given_with(origin).said.get(GIVEN) if isinstance(origin, dict) else None
                if substitution is not None:
                    cut = len(origin["prompt_token_ids"])
                    said = Completion("", tuple(beam.tokens[cut:]))
                    done = restored(said, substitution, substitution.pieces.tokenizer)
                    beam.tokens = [*beam.tokens[:cut], *done.token_ids]
                    beam.text = substitution.pieces.text(tuple(beam.tokens))
        return results

    return wrapper
