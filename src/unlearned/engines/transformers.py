"""The transformers engine: the user's own model and tokenizer, batched, with corrupted rows injected where flagged."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unlearned.answers.guard import Bans
from unlearned.batches import ANSWER, by_length
from unlearned.engines.base import Completion
from unlearned.engines.caches import NAMES as CACHE_NAMES
from unlearned.engines.caches import is_cache
from unlearned.engines.guarding import SPECULATIVE, NameBanningProcessor, generated, goes_back
from unlearned.engines.injection import EmbeddingInjection, embedding_module, inner_model
from unlearned.engines.logits_to_keep import keep_logits
from unlearned.engines.prefix import SharedPrefix, shared_prefix
from unlearned.engines.restoring import restored
from unlearned.engines.vocabulary import Forbidding, Forbiddings
from unlearned.engines.watching import TokenBytes
from unlearned.errors import ConfigError
from unlearned.prompts.context import check_context, context_length
from unlearned.prompts.tokenize import chat_prompt, prepended, special_ids, text_prompt
from unlearned.substitution.bank import Bank
from unlearned.substitution.pieces import Pieces
from unlearned.substitution.scoring import Continuation, continuation
from unlearned.substitution.substitution import replaced
from unlearned.types import Message, Prompt, PromptInput

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Arguments of `generate` that would bring the model words nobody checked.
REFUSED = (
    "inputs",
    "input_ids",
    "inputs_embeds",
    "attention_mask",
    *CACHE_NAMES,
    "position_ids",
    "token_type_ids",
    "negative_prompt_ids",
    "decoder_input_ids",
    "encoder_outputs",
)


@dataclass(frozen=True, slots=True, eq=False)
class TeacherForced:
    """A continuation of n tokens as the model reads it; on the CPU."""

    predicted: Tensor
    """(n,) int64: the most likely tokens."""

    targets: Tensor
    """(n,) int64: the continuation's own."""

    log_probabilities: Tensor
    """(n,) float32 of the targets."""


class TransformersEngine:
    """Args: `model` and its `tokenizer`; neither is changed, also not their padding or training settings."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model: Any = model
        self.tokenizer = tokenizer
        self.embedding = embedding_module(model)
        self.pad_id = _pad_id(model, tokenizer)
        self.substitute_id = plain_token_id(model, special_ids(tokenizer))
        self.context = context_length(model, tokenizer)
        """Tokens that the model can read; None where it does not say."""

    @cached_property
    def bank(self) -> Bank:
        """Words for strangers; with a tokenizer of its own, since fast tokenizers are for one thread at a time."""
        return Bank(Pieces(copy.deepcopy(self.tokenizer)))

    @cached_property
    def token_bytes(self) -> TokenBytes:
        """What each token adds to a text."""
        return TokenBytes(self.tokenizer)

    def forbidding(self, bans: Bans) -> Forbidding:
        """The tokens that complete a name; of the artifacts that were asked about last."""
        return self._forbiddings.of(bans)

    @cached_property
    def _forbiddings(self) -> Forbiddings:
        return Forbiddings(self.token_bytes)

    def tokenize(self, prompt: str | Sequence[Message], *, chat: bool | None = None) -> Prompt:
        """Text or messages -> Prompt.

        Args:
            prompt: a text, or a conversation.
            chat: for a text: make it a user's message under the chat template; None = if there is a template.
        """
        if not isinstance(prompt, str):
            return chat_prompt(self.tokenizer, prompt)
        if chat is None:
            chat = bool(getattr(self.tokenizer, "chat_template", None))
        return (
            chat_prompt(self.tokenizer, [{"role": "user", "content": prompt}])
            if chat
            else text_prompt(self.tokenizer, prompt)
        )

    def prepend(self, prompt: Prompt, words: str) -> Prompt:
        """A prompt of `tokenize` with words in front of it: in a chat, of the first message of a user."""
        return prepended(self.tokenizer, prompt, words)

    @torch.no_grad()
    def embed(self, token_ids: Sequence[int]) -> Tensor:
        """(T, D) embeddings of T token ids on the CPU, scaled and normalised as the embedding module does it."""
        device = next(self.embedding.parameters()).device
        ids = torch.tensor([list(token_ids)], device=device)
        output: Tensor = self.embedding(ids)[0]
        return output.detach().cpu()

    @torch.inference_mode()
    def generate(
        self, inputs: Sequence[PromptInput], /, *, batch_size: int = 16, **generation: Any
    ) -> list[Completion]:
        """Answer prompts with `model.generate`; every argument of it works, besides those that carry words.

        Prompts of similar length share a batch; flagged and unflagged ones may. The result is in the prompts' order,
        `num_return_sequences` answers to each in a row. A prompt with an answer of its own gets that, however long.

        Raises:
            ConfigError: an argument would bypass the check.
            ContextError: a prompt does not fit with the answer that is asked for; nothing is ever cut.
            InjectionError: the corrupted embeddings did not reach the model; nothing is returned.
        """
        self._refuse_bypass(generation)
        new = self.longest_answer(generation)
        lengths = [0 if prompt.answer is not None else len(prompt.token_ids) for prompt in inputs]
        check_context(lengths, [new if length else 0 for length in lengths], self.context)
        answers: dict[int, list[Completion]] = {}
        for indices, settings in self._runs(inputs, generation):
            for places in by_length([len(inputs[index].token_ids) for index in indices], batch_size, free=ANSWER):
                chosen = [indices[place] for place in places]
                found = self._answered([inputs[index] for index in chosen], settings)
                copies = len(found) // len(chosen)
                answers |= {index: found[n * copies : (n + 1) * copies] for n, index in enumerate(chosen)}
        copies = int(self.setting("num_return_sequences", generation) or 1)
        for index, prompt in enumerate(inputs):
            if prompt.answer is not None:
                ids = self.tokenizer(prompt.answer, add_special_tokens=False)["input_ids"]
                answers[index] = [Completion(prompt.answer, tuple(ids))] * copies
        return [answer for index in range(len(inputs)) for answer in answers[index]]

    def _runs(
        self, inputs: Sequence[PromptInput], generation: Mapping[str, Any]
    ) -> list[tuple[list[int], Mapping[str, Any]]]:
        """Prompts that the model answers, together with the arguments of `generate` that they share.

        A stop string that names a word is looked for as the model says it: with the stranger in its place.
        """
        asked = [index for index, prompt in enumerate(inputs) if prompt.answer is None]
        stops = self.setting("stop_strings", generation)
        if not stops:
            return [(asked, generation)]
        own = [stops] if isinstance(stops, str) else list(stops)
        groups: dict[tuple[str, ...], list[int]] = {}
        for index in asked:
            known = inputs[index].substitution
            said = tuple(own if known is None else [replaced(stop, known.away(stop)) for stop in own])
            groups.setdefault(said, []).append(index)
        return [(indices, {**generation, "stop_strings": list(said)}) for said, indices in groups.items()]

    def _answered(self, batch: Sequence[PromptInput], generation: Mapping[str, Any]) -> list[Completion]:
        """The answers to one batch, `num_return_sequences` to each in a row, as the user reads them."""
        sequences = self._guarded(batch, generation) if any(prompt.guard for prompt in batch) else None
        if sequences is None:
            sequences = self.run(batch, generation)
        copies = len(sequences) // len(batch)
        said = [self._completion(sequence, generation) for sequence in sequences]
        return [restored(one, batch[n // copies].substitution, self.tokenizer) for n, one in enumerate(said)]

    def run(self, batch: Sequence[PromptInput], generation: Mapping[str, Any]) -> list[list[int]]:
        """The new tokens of one `model.generate`, padding included."""
        ids, attention, first = self.left_padded(batch)
        arguments = self._arguments(generation, corrupted=any(prompt.corrupted for prompt in batch))
        with self.injecting(ids, batch, first):
            output = self.model.generate(input_ids=ids, attention_mask=attention, **arguments)
        sequences: list[list[int]] = getattr(output, "sequences", output)[:, ids.shape[1] :].tolist()
        return sequences

    def _guarded(self, batch: Sequence[PromptInput], generation: Mapping[str, Any]) -> list[list[int]]:
        """The token ids of answers in which something may not be said."""
        names = ("num_beams", *SPECULATIVE)
        if not goes_back({name: self.setting(name, generation) for name in names}):
            beams = int(self.setting("num_beams", generation) or 1)
            length = max(len(prompt.token_ids) for prompt in batch)
            banning = NameBanningProcessor(self, batch, length, beams)
            before = generation.get("logits_processor") or ()
            return self.run(batch, {**generation, "logits_processor": [*before, banning]})
        most = self.setting("max_new_tokens", generation)
        return generated(
            self,
            batch,
            generation,
            copies=int(self.setting("num_return_sequences", generation) or 1),
            most=None if most is None else int(most),
            ends=as_set(self.setting("eos_token_id", generation)),
        )

    def _arguments(self, generation: Mapping[str, Any], *, corrupted: bool) -> dict[str, Any]:
        """The caller's settings and ours: in the caller's configuration if there is one, for mixing is deprecated."""
        ours: dict[str, Any] = {"pad_token_id": generation.get("pad_token_id", self.pad_id)}
        for name in ("stop_strings", "max_new_tokens", "num_return_sequences"):
            if name in generation:
                ours[name] = generation[name]
        if corrupted:
            ours["disable_compile"] = True  # a compiled forward does not run Python hooks on replay
        config = generation.get("generation_config")
        if config is None:
            return {**generation, **ours}
        config = copy.deepcopy(config)
        for name, value in ours.items():
            setattr(config, name, value)
        return {**{name: value for name, value in generation.items() if name not in ours}, "generation_config": config}

    def _refuse_bypass(self, generation: Mapping[str, Any]) -> None:
        if bypassing := [name for name, value in generation.items() if name in REFUSED or is_cache(value)]:
            raise ConfigError(f"{bypassing[0]!r} would reach the model unchecked. Pass prompts instead.")
        if self.setting("guidance_scale", generation) not in (None, 1):
            # Its unconditional branch reads the last prompt token in a forward of its own, which cannot be told from a
            # decode step.
            raise ConfigError(
                "guidance_scale would let the model read the prompt's last token unchecked. Leave it out."
            )

    @torch.inference_mode()
    def log_likelihood(
        self, inputs: Sequence[PromptInput], continuations: Sequence[str], *, batch_size: int = 16
    ) -> list[Tensor]:
        """Log-probability of every continuation token given its prompt; noise is added to prompt tokens alone.

        Where strangers stand for words of a prompt, they stand for them in its continuation as well: this is the
        probability that the system, whose answers are turned back, says the continuation.

        Args:
            inputs: N prompts.
            continuations: N texts, tokenised without special tokens; an empty one gives an empty tensor.
            batch_size: prompts per forward pass.

        Returns:
            N tensors (n,) float32 on the CPU.
        """
        targets = self._targets(inputs, continuations)
        prefix = shared_prefix(self.model, inputs)
        scores: dict[int, Tensor] = {}
        for chosen in self._scoring_batches(inputs, targets, batch_size, prefix):
            batch, wanted = [inputs[index] for index in chosen], [targets[index].token_ids for index in chosen]
            scores |= zip(chosen, (row.cpu() for row in self._scores(batch, wanted, prefix)), strict=True)
        return [targets[index].at_text(scores[index]) for index in range(len(inputs))]

    @torch.inference_mode()
    def next_token_scores(
        self, inputs: Sequence[PromptInput], token_ids: Sequence[int], *, batch_size: int = 16
    ) -> Tensor:
        """(N, K) logits, float32 on the CPU, of K candidate tokens right after each of N prompts."""
        columns = torch.tensor(list(token_ids), dtype=torch.long)
        prefix = shared_prefix(self.model, inputs)
        scores = torch.empty((len(inputs), len(columns)))
        done = prefix.length if prefix else 0
        for chosen in by_length([len(prompt.token_ids) - done for prompt in inputs], batch_size):
            batch = [inputs[index] for index in chosen]
            logits, skipped = self._logits([prompt.token_ids for prompt in batch], batch, prefix)
            last = torch.tensor([len(prompt.token_ids) - 1 - skipped for prompt in batch], device=logits.device)
            rows = logits[torch.arange(len(batch), device=logits.device), last]
            scores[chosen] = rows[:, columns.to(logits.device)].float().cpu()
        return scores

    @torch.inference_mode()
    def teacher_forced(
        self, inputs: Sequence[PromptInput], continuations: Sequence[str], *, batch_size: int = 16
    ) -> list[TeacherForced]:
        """Which token the model holds most likely at every place of a continuation, given the true ones before it.

        Args:
            inputs: N prompts.
            continuations: N texts, as for `log_likelihood`, whose values come with it.
            batch_size: prompts per forward pass.
        """
        targets = self._targets(inputs, continuations)
        found: dict[int, TeacherForced] = {}
        for chosen in self._scoring_batches(inputs, targets, batch_size):
            rows = [[*inputs[index].token_ids, *targets[index].token_ids] for index in chosen]
            logits, skipped = self._logits(rows, [inputs[index] for index in chosen], None)
            for row, index in enumerate(chosen):
                start, wanted = len(inputs[index].token_ids) - 1 - skipped, torch.tensor(targets[index].token_ids)
                scores = logits[row, start : start + len(wanted)].float().log_softmax(-1).cpu()
                wanted = wanted.long()
                found[index] = TeacherForced(scores.argmax(-1), wanted, scores.gather(1, wanted[:, None])[:, 0])
        return [found[index] for index in range(len(inputs))]

    @torch.inference_mode()
    def prompt_log_probabilities(self, inputs: Sequence[PromptInput], *, batch_size: int = 16) -> list[Tensor]:
        """Log-probability of every token of a prompt but its first, as the model reads it, corrupted where it is.

        Where a stranger stands for a word, this is the probability of the stranger.

        Returns:
            N tensors (T - 1,) float32 on the CPU.
        """
        found: dict[int, Tensor] = {}
        for chosen in by_length([len(prompt.token_ids) for prompt in inputs], batch_size):
            batch = [inputs[index] for index in chosen]
            ids, attention = self._right_padded([prompt.token_ids for prompt in batch])
            with self.injecting(ids, batch, [0] * len(batch)):
                logits = self.model(input_ids=ids, attention_mask=attention, use_cache=False).logits
            for row, index in enumerate(chosen):
                said = torch.tensor(as_read(inputs[index]), device=logits.device)
                predicted = logits[row, : len(said) - 1].float().log_softmax(-1)
                found[index] = predicted.gather(1, said[1:, None])[:, 0].cpu()
        return [found[index] for index in range(len(inputs))]

    def likelihood_gradients(
        self, inputs: Sequence[PromptInput], continuations: Sequence[str], *, batch_size: int = 16
    ) -> list[Tensor]:
        """Gradient of each continuation's mean log-probability with respect to the prompt's corrupted vectors.

        The only place where gradients are taken, and none of them reaches the model's own parameters.

        Args:
            inputs: N corrupted prompts, of K_i positions.
            continuations: N texts of at least one token.
            batch_size: prompts per pass.

        Returns:
            N tensors (K_i, D) float32 on the CPU.
        """
        targets = self._targets(inputs, continuations)
        gradients: dict[int, Tensor] = {}
        for chosen in self._scoring_batches(inputs, targets, batch_size):
            with torch.enable_grad():
                batch = [
                    replace(inputs[index], vectors=inputs[index].vectors.detach().clone().requires_grad_())  # type: ignore[union-attr]
                    for index in chosen
                ]
                total = sum(row.mean() for row in self._scores(batch, [targets[index].token_ids for index in chosen]))
                vectors = [prompt.vectors for prompt in batch if prompt.vectors is not None]
                found = torch.autograd.grad(total, vectors)  # type: ignore[arg-type]
            gradients |= zip(chosen, (gradient.float().cpu() for gradient in found), strict=True)
        return [gradients[index] for index in range(len(inputs))]

    def _targets(self, inputs: Sequence[PromptInput], continuations: Sequence[str]) -> list[Continuation]:
        pairs = zip(inputs, continuations, strict=True)
        return [continuation(self.tokenizer, text, prompt.substitution) for prompt, text in pairs]

    def _scoring_batches(
        self,
        inputs: Sequence[PromptInput],
        targets: Sequence[Continuation],
        batch_size: int,
        prefix: SharedPrefix | None = None,
    ) -> list[list[int]]:
        lengths = [len(prompt.token_ids) for prompt in inputs]
        check_context(lengths, [len(target.token_ids) for target in targets], self.context)
        done = prefix.length if prefix else 0
        sizes = [len(p.token_ids) - done + len(t.token_ids) for p, t in zip(inputs, targets, strict=True)]
        return by_length(sizes, batch_size)

    def _scores(
        self, batch: Sequence[PromptInput], targets: Sequence[Sequence[int]], prefix: SharedPrefix | None = None
    ) -> Iterator[Tensor]:
        """Per row the (n,) log-probabilities of its target tokens."""
        rows = [[*prompt.token_ids, *target] for prompt, target in zip(batch, targets, strict=True)]
        logits, skipped = self._logits(rows, batch, prefix)
        for row, (prompt, target) in enumerate(zip(batch, targets, strict=True)):
            start = len(prompt.token_ids) - 1 - skipped
            predicted = logits[row, start : start + len(target)].float().log_softmax(-1)
            wanted = torch.tensor(target, device=predicted.device, dtype=torch.long)
            yield predicted.gather(1, wanted[:, None])[:, 0]

    def _logits(
        self, rows: Sequence[Sequence[int]], batch: Sequence[PromptInput], prefix: SharedPrefix | None
    ) -> tuple[Tensor, int]:
        """One forward of right-padded rows -> (B, S, V) logits, and how many leading positions they leave out.

        Only positions from the last prompt token on go through the output head.
        """
        ids, attention = self._right_padded(rows)
        first_needed = min(len(prompt.token_ids) for prompt in batch) - 1
        arguments: dict[str, Any] = {"input_ids": ids, "attention_mask": attention, "use_cache": False}
        arguments |= keep_logits(self.model, torch.arange(first_needed - ids.shape[1], 0, device=ids.device))
        if prefix is not None:
            # The mask still covers the prefix; where the rest begins, model and injection read from the cache.
            arguments |= {"input_ids": ids[:, prefix.length :], **prefix.arguments(len(batch))}
        with self.injecting(ids, batch, [0] * len(batch)):
            logits: Tensor = self.model(**arguments).logits
        return logits, ids.shape[1] - logits.shape[1]

    def injecting(self, ids: Tensor, batch: Sequence[PromptInput], first: Sequence[int]) -> AbstractContextManager[Any]:
        """Put the corrupted rows of a padded batch in, for one call of the model; `first`: where each prompt starts."""
        if not any(prompt.corrupted for prompt in batch):
            return nullcontext()  # the original model's own path, without any hook
        return EmbeddingInjection(self.model, ids, batch, first, self.substitute_id)

    def left_padded(self, batch: Sequence[PromptInput]) -> tuple[Tensor, Tensor, list[int]]:
        """ids (B, L), attention mask (B, L), and where each prompt starts."""
        length = max(len(prompt.token_ids) for prompt in batch)
        first = [length - len(prompt.token_ids) for prompt in batch]
        ids = [[self.pad_id] * gap + list(p.token_ids) for gap, p in zip(first, batch, strict=True)]
        attention = [[0] * gap + [1] * (length - gap) for gap in first]
        device = self.model.device
        return torch.tensor(ids, device=device), torch.tensor(attention, device=device), first

    def _right_padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        length = max(map(len, rows))
        ids = [[*row, *[self.pad_id] * (length - len(row))] for row in rows]
        attention = [[1] * len(row) + [0] * (length - len(row)) for row in rows]
        device = self.model.device
        return torch.tensor(ids, device=device), torch.tensor(attention, device=device)

    def _completion(self, sequence: list[int], generation: Mapping[str, Any]) -> Completion:
        """One row of `generate`'s output, without the padding after its end."""
        ends = as_set(self.setting("eos_token_id", generation))
        stop = next((index + 1 for index, token in enumerate(sequence) if token in ends), None)
        if stop is None:
            stop = len(sequence)
            # Rows that a stop string or a criterion ended are padded to the batch's longest answer.
            if generation.get("stopping_criteria") or self.setting("stop_strings", generation):
                pad = generation.get("pad_token_id", self.pad_id)
                while stop and sequence[stop - 1] == pad:
                    stop -= 1
        return Completion(str(self.tokenizer.decode(sequence[:stop], skip_special_tokens=True)), tuple(sequence[:stop]))

    def longest_answer(self, generation: Mapping[str, Any]) -> int:
        """Tokens that an answer may have with these arguments of `generate`."""
        return int(self.setting("max_new_tokens", generation) or 1)

    def setting(self, name: str, generation: Mapping[str, Any]) -> Any:
        """What `generate` takes this setting from: its arguments, the configuration among them, the model's own."""
        if name in generation:
            return generation[name]
        configs = (generation.get("generation_config"), self.model.generation_config)
        return next((value for config in configs if (value := getattr(config, name, None)) is not None), None)


def as_read(prompt: PromptInput) -> tuple[int, ...]:
    """(T,) tokens of a prompt; strangers where they stand for words."""
    read = () if prompt.substitution is None else prompt.substitution.token_ids
    return read + prompt.token_ids[len(read) :]


def plain_token_id(model: Any, special: Iterable[int]) -> int:
    """An ordinary token id: not special to the tokenizer, and named by no `*_token_id` of the configuration."""
    config = inner_model(model).config
    reserved = set(special)
    for part in {id(config): config, id(config.get_text_config()): config.get_text_config()}.values():
        for name, value in part.to_dict().items():
            if name.endswith(("token_id", "token_index", "token_ids")):
                reserved |= as_set(value)
    size = embedding_rows(model)
    # From the middle of the vocabulary: both ends hold the special and the reserved ids.
    return next(token for token in chain(range(size // 2, size), range(size // 2)) if token not in reserved)


def embedding_rows(model: Any) -> int:
    """How many token ids the embedding module knows."""
    module = embedding_module(model)
    rows = getattr(module, "num_embeddings", None)
    return int(inner_model(model).config.get_text_config().vocab_size if rows is None else rows)


def _pad_id(model: Any, tokenizer: PreTrainedTokenizerBase) -> int:
    candidates = (
        tokenizer.pad_token_id,
        inner_model(model).config.get_text_config().pad_token_id,
        tokenizer.eos_token_id,
        0,
    )
    return next(int(token) for token in candidates if token is not None)


def as_set(value: Any) -> set[int]:
    """The token ids that a setting names: none, one, or many."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, int):
        return {value}
    return {item for item in value if isinstance(item, int)} if isinstance(value, (list, tuple)) else set()
