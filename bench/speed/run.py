"""Measure generation, detection and fitting on the embedded model. Every ratio pairs two measurements made in turn."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from unlearned.answers.withheld import AnswerPolicy, under
from unlearned.api import Unlearned
from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.benchmarks.pairs import in_turn, seconds
from unlearned.classify.detect import forget_asked
from unlearned.classify.sentences import SentenceEncoder, sentence_encoder
from unlearned.demo.concepts import CONCEPTS, Concept, general_prompts
from unlearned.engines.transformers import TransformersEngine
from unlearned.examples import background_prompts
from unlearned.learn.config import FitConfig
from unlearned.learn.fit import fit
from unlearned.progress import Progress
from unlearned.types import Prompt, messages_only, text_only

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NEW_TOKENS = 64
TURNS = 20


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours against the baseline: the median over pairs, and the quartiles."""

    name: str
    baseline: str
    target: str
    median: float
    low: float
    high: float
    ours: float
    """Median of our measurement, in `unit`."""

    theirs: float
    unit: str
    pairs: int


def measure_speed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, repeats: int = 5, on_progress: Progress | None = None
) -> dict[str, Any]:
    """Everything that `make bench` prints, as JSON-ready values."""
    report = on_progress or (lambda phase, done, total: None)
    concept = Concept(CONCEPTS[0])
    artifact = fit(
        model, tokenizer, concept.forget, concept.retain, scope=concept.name, config=FitConfig(strength=2, seed=0)
    )
    llm = Unlearned(model, tokenizer, artifact)
    engine = llm.engine
    clean, flagged = general_prompts()[:16], [question.prompt for question in concept.held_out[:16]]
    assert not any(verdict.in_scope for verdict in llm.classify(clean))
    flagged = [p for p, verdict in zip(flagged, llm.classify(flagged), strict=True) if verdict.in_scope]
    ratios = []
    for kind, prompts, target in (("unflagged", clean, ">= 0.97"), ("flagged", flagged, ">= 0.95")):
        for batch in (1, 16):
            name = f"throughput, {kind}, batch {batch}"
            report(name, 0, 1)
            chosen = prompts[: 4 if batch == 1 else 16]
            ratios.append(_throughput(name, target, engine, llm, chosen, batch, repeats))
            report(name, 1, 1)
    without = Unlearned(model, tokenizer, _answering(artifact, "off"))
    targets: dict[AnswerPolicy, str] = {"names+quotes": ">= 0.98", "names+quotes+content": ">= 0.95"}
    for policy, target in targets.items():
        held = Unlearned(model, tokenizer, _answering(artifact, policy))
        for batch in (1, 16):
            name = f"throughput, unflagged, answers {policy}, batch {batch}"
            report(name, 0, 1)
            ratios.append(_held_back(name, target, held, without, clean[: 4 if batch == 1 else 16], batch, repeats))
            report(name, 1, 1)
    report("one long prompt", 0, 1)
    ratios += [_beside_long(name, llm, clean[:15], repeats) for name in ("answers", "scores")]
    report("one long prompt", 1, 1)
    encoder = artifact.scopes[0].classifier.encoder
    assert isinstance(encoder, SentenceEncoder)
    for batch in (1, 32):
        report("detection", 0, 1)
        ratios.append(_detection(llm, encoder, clean + flagged, batch, repeats))
        report("detection", 1, 1)
    report("detection, a chat", 0, 1)
    ratios.append(_turns(llm, background_prompts(), repeats))
    report("detection, a chat", 1, 1)
    fits = [_fit(model, tokenizer, count, report) for count in (40, 400)]
    return {
        "machine": f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, {sys.platform}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "model": base_model_record(engine).id,
        "ratios": [asdict(ratio) for ratio in ratios],
        "fit": fits,
    }


def _throughput(
    name: str,
    target: str,
    engine: TransformersEngine,
    llm: Unlearned,
    prompts: Sequence[str],
    batch: int,
    repeats: int,
) -> Ratio:
    """New tokens per second, from texts to texts, of `Unlearned` against `model.generate` batched by hand."""
    settings: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
    ordered = sorted(prompts, key=lambda prompt: -len(prompt))
    tokens = NEW_TOKENS * len(prompts)

    def plain() -> float:
        return tokens / seconds(lambda: _plain_generate(engine, ordered, batch, settings))

    def ours() -> float:
        forget_asked()  # texts that nobody has asked before
        return tokens / seconds(lambda: llm.generate(ordered, batch_size=batch, **settings))

    return _paired(name, "model.generate on the same prompts", target, "tokens/s", ours, plain, repeats)


def _answering(artifact: Artifact, policy: AnswerPolicy) -> Artifact:
    """The same scopes, with another policy for answers."""
    scopes = [replace(one, withheld=under(one.withheld, policy, one.lexicon)) for one in artifact.scopes]
    return replace(artifact, scopes=tuple(scopes))


def _held_back(
    name: str, target: str, held: Unlearned, without: Unlearned, prompts: Sequence[str], batch: int, repeats: int
) -> Ratio:
    """New tokens per second with something that answers may not say, against without."""
    settings: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}

    def speed(llm: Unlearned) -> Callable[[], float]:
        def run() -> float:
            forget_asked()
            return NEW_TOKENS * len(prompts) / seconds(lambda: llm.generate(prompts, batch_size=batch, **settings))

        return run

    return _paired(name, "the same with answers off", target, "tokens/s", speed(held), speed(without), repeats)


def _beside_long(name: str, llm: Unlearned, short: Sequence[str], repeats: int) -> Ratio:
    """Seconds for short prompts and a long one in one call, against two calls."""
    long = " ".join([*short, *short] * 3)

    def run(prompts: Sequence[str]) -> Any:
        if name == "scores":
            return llm.log_likelihood(prompts, [" I do not know."] * len(prompts))
        return llm.generate(prompts, max_new_tokens=8, min_new_tokens=8, do_sample=False)

    def apart() -> float:
        return seconds(lambda: (run(short), run([long])))

    def together() -> float:
        return seconds(lambda: run([*short[:7], long, *short[7:]]))

    return _paired(
        f"{name}, a long prompt among short ones", "in a call of its own", "<= 1.5", "s", together, apart, repeats
    )


@torch.inference_mode()
def _plain_generate(
    engine: TransformersEngine, prompts: Sequence[str], batch: int, settings: dict[str, Any]
) -> list[str]:
    """What a user without this library writes."""
    model: Any = engine.model
    tokenizer: Any = engine.tokenizer
    texts: list[str] = []
    for start in range(0, len(prompts), batch):
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts[start : start + batch]]
        inputs = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True,
            tokenizer_kwargs={"padding_side": "left"},
        )  # fmt: skip
        output = model.generate(**inputs.to(model.device), **settings)
        texts += tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return texts


def _detection(llm: Unlearned, encoder: SentenceEncoder, texts: Sequence[str], batch: int, repeats: int) -> Ratio:
    """Milliseconds per prompt from text to verdict, against the encoder's forward pass on ready-made input tensors."""
    unlearner = llm.unlearner
    groups: list[list[Prompt]] = [[text_only(t) for t in texts[i : i + batch]] for i in range(0, len(texts), batch)]
    features = [encoder.model.preprocess([prompt.text for prompt in group]) for group in groups]

    @torch.inference_mode()
    def forward() -> None:
        for feature in features:
            encoder.model(feature)

    def ours() -> float:
        forget_asked()  # texts that nobody has asked before
        return 1000 * seconds(lambda: [unlearner.classify(group) for group in groups]) / len(texts)

    def theirs() -> float:
        return 1000 * seconds(forward) / len(texts)

    name = "detection, one prompt" if batch == 1 else f"detection, batches of {batch}"
    return _paired(name, "the encoder's forward pass alone", "<= 1.3", "ms/prompt", ours, theirs, 3 * repeats)


def _turns(llm: Unlearned, texts: Sequence[str], repeats: int) -> Ratio:
    """Milliseconds to check a conversation with its newest message: of its twentieth turn against its first."""
    roles = ("user", "assistant")
    messages = [(roles[n % 2], f"{texts[n % len(texts)]} ({n})") for n in range(2 * TURNS - 1)]

    def turn(number: int) -> float:
        prompt = messages_only(messages[: 2 * number - 1])
        return 1000 * seconds(lambda: llm.unlearner.classify([prompt]))

    def first() -> float:
        forget_asked()
        return turn(1)

    def last() -> float:
        forget_asked()
        return [turn(number) for number in range(1, TURNS + 1)][-1]

    return _paired(f"detection, turn {TURNS} of a chat", "turn 1 of it", "<= 1.5", "ms", last, first, 3 * repeats)


def _paired(
    name: str,
    baseline: str,
    target: str,
    unit: str,
    ours: Callable[[], float],
    theirs: Callable[[], float],
    repeats: int,
) -> Ratio:
    found = in_turn(ours, theirs, repeats)
    return Ratio(
        name, baseline, target, found.median, found.low, found.high, found.ours, found.theirs, unit, found.pairs
    )


def _fit(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int, report: Progress) -> dict[str, Any]:
    """Wall time of `fit` by phase, on general prompts with the model's own answers (the strength sees 40 at most)."""
    sentence_encoder().encode(["warm up"])
    general = background_prompts()
    prompts = [f"{general[n % len(general)]} (variant {n // len(general)})" for n in range(2 * count)]
    seconds: dict[str, float] = {}
    phase, since = "classifier", time.perf_counter()

    def clock(name: str, done: int, total: int) -> None:
        nonlocal phase, since
        now = time.perf_counter()
        seconds[phase] = seconds.get(phase, 0.0) + now - since
        phase, since = name, now
        report(f"fit, {count} prompts: {name}", done, total)

    start = time.perf_counter()
    forget, retain = prompts[:count], prompts[count:]
    fit(model, tokenizer, forget, retain, scope="bench", config=FitConfig(background=False, seed=0), on_progress=clock)
    return {
        "forget_prompts": count,
        "seconds": time.perf_counter() - start,
        "phases": seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        / (1024 if sys.platform == "linux" else 2**20),
    }
