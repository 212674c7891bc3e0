"""`unlearned-completions`: lm-eval's `local-completions` that tells `unlearned serve` what is scored.

`/v1/completions` gets context and continuation as one text, so a continuation in scope is a prompt like any other, and
is corrupted. This model says where it begins. Importing this file registers it; lm-eval needs its extra `api`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.registry import register_model
from lm_eval.models.openai_completions import LocalCompletionsAPI

from unlearned.errors import ConfigError

Choices = tuple[list[list[int]], list[int], list[Any]]


class _Tokens(list[int]):
    """Context and continuation of one request."""

    context_length = 0


@register_model("unlearned-completions")
class UnlearnedCompletions(LocalCompletionsAPI):  # type: ignore[misc]
    """lm-eval's `local-completions` for `unlearned serve` on transformers, with an administrator's key.

    Contexts are checked and corrupted, continuations never: log-likelihoods are those of `unlearned eval` and
    `Unlearned.log_likelihood`. The key is taken from OPENAI_API_KEY, as lm-eval does it.

    Args:
        base_url: the server's `/v1/completions`.
        settings: everything that `local-completions` takes. Requests are sent as token ids.

    Raises:
        ConfigError: `tokenized_requests` is switched off.
    """

    def __init__(self, base_url: str | None = None, tokenizer_backend: str = "huggingface", **settings: Any) -> None:
        if str(settings.get("tokenized_requests", True)).lower() == "false" or tokenizer_backend != "huggingface":
            raise ConfigError(
                "unlearned-completions says at which token an answer begins, so it needs the model's own tokenizer: "
                "leave out tokenized_requests and tokenizer_backend."
            )
        super().__init__(base_url=base_url, tokenizer_backend=tokenizer_backend, **settings)

    def batch_loglikelihood_requests(self, chunks: Any) -> Choices:
        """lm-eval's batches; each row knows how long its context is."""
        inputs, lengths, keys = super().batch_loglikelihood_requests(chunks)
        marked = [_Tokens(row) for row in inputs]
        for row, length in zip(marked, lengths, strict=True):
            row.context_length = length
        return marked, lengths, keys  # type: ignore[return-value]

    def _create_payload(self, messages: Any, generate: bool = False, **more: Any) -> dict[str, Any]:
        payload: dict[str, Any] = super()._create_payload(messages, generate=generate, **more)
        if not generate:
            payload["unlearned"] = {"scored_from": [row.context_length for row in messages]}
        return payload

    @staticmethod
    def parse_logprobs(
        outputs: Mapping[str, Any] | Sequence[Mapping[str, Any]], *args: Any, **more: Any
    ) -> list[tuple[float, bool]]:
        """Log-likelihoods, and whether they are those of the greedy answer.

        Raises:
            ConfigError: the server does not know what is scored.
        """
        for output in [outputs] if isinstance(outputs, Mapping) else outputs:
            if "scored_from" not in (output.get("unlearned") or {}):
                raise ConfigError(
                    "This server read the scored answers as prompts. `unlearned-completions` needs `unlearned serve` "
                    "on transformers; use `unlearned eval` for vLLM's models."
                )
        found: list[tuple[float, bool]] = LocalCompletionsAPI.parse_logprobs(outputs, *args, **more)
        return found
