"""Learn an artifact: first the classifier and its threshold, then, on a model that is only run, the strength."""

from __future__ import annotations

import hashlib
import secrets
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.artifact.schema import BaseModelRecord, CalibrationRecord, StrengthRecord
from unlearned.classify.sentences import PROBE
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, FitWarning
from unlearned.examples import Row, Rows, as_rows, background_prompts
from unlearned.learn.classifier import ClassifierConfig, Progress, exemptions, fit_classifier
from unlearned.learn.objective import LEAST_GAP, Example, mean_log_likelihood, remaining_knowledge, with_parameter
from unlearned.learn.surrogate import unrelated_question_likelihood
from unlearned.learn.zeroth_order import ZerothOrderConfig, minimise
from unlearned.select.positions import selectors
from unlearned.stages import PromptInput
from unlearned.unlearners.eco import ForgetScope

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True, slots=True)
class FitConfig(ClassifierConfig):
    """How to learn an artifact: the classifier's part, and the strength's."""

    selector: str = "spans"
    """Which tokens of a flagged prompt are corrupted."""

    corruption: str = "rand_noise_first_n"
    """Corruption function; its strength, or its `dims` where it has no strength, is learned."""

    dims: int | None = None
    """Coordinates that a function with a strength disturbs; None = all."""

    strength: float | None = None
    """Do not learn: use this strength (for functions without one: this many dims)."""

    search: ZerothOrderConfig | None = None
    """Search range and effort; None = the default of the corruption function."""

    max_examples: int = 40
    """Forget prompts, evenly spread over the set, that the strength is learned on."""

    answer_tokens: int = 32
    """Where a forget row has no answer, the original model's own answer of this length stands in."""

    batch_size: int = 16
    """Prompts per forward pass."""

    seed: int | None = None
    """Makes the artifact's secret, and with it the noise, reproducible; None = a new secret each time."""

    def __post_init__(self) -> None:
        ClassifierConfig.__post_init__(self)
        corruptions.get(self.corruption)
        selectors.get(self.selector)
        if self.max_examples < 1 or self.answer_tokens < 1 or self.batch_size < 1:
            raise ConfigError("max_examples, answer_tokens and batch_size must be at least 1.")
        if self.strength is not None and not 0 <= self.strength < float("inf"):
            raise ConfigError(f"strength={self.strength}: must be at least 0 and finite.")
        if self.dims is not None and self.dims < 0:
            raise ConfigError(f"dims={self.dims}: must be at least 0, or None for all.")


def fit(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    forget: Rows,
    retain: Rows = (),
    *,
    scope: str,
    exempt: Rows = (),
    config: FitConfig | None = None,
    on_progress: Progress | None = None,
) -> Artifact:
    """Learn to forget one scope: `fit_detector`, then `add_strength`.

    Args:
        model: the original model; only run.
        tokenizer: its tokenizer.
        forget: prompts about what is to be forgotten, with answers where there are any.
        retain: close prompts that must stay; without any, the packaged background prompts are the only negatives.
        scope: name of the scope.
        exempt: "not this one" examples, such as prompts about another person of the same name: a passage that is as
            near to one of them as to any forget prompt (by `EXEMPT_MARGIN`) passes.
        config: everything else.
        on_progress: called with (phase, done, total).

    Raises:
        DataError: a row is bad, or a prompt is in both sets.
        FitError: nothing to learn from, or the objective is not finite.
    """
    config = config or FitConfig()
    artifact = fit_detector(forget, retain, scope=scope, exempt=exempt, config=config, on_progress=on_progress)
    return _with_strength_learned(model, tokenizer, artifact, forget, retain, config, on_progress)


def fit_detector(
    forget: Rows,
    retain: Rows = (),
    *,
    scope: str,
    exempt: Rows = (),
    config: FitConfig | None = None,
    on_progress: Progress | None = None,
) -> Artifact:
    """The half of `fit` that needs no language model: an artifact that can classify, but not yet corrupt."""
    config = config or FitConfig()
    if not scope.strip():
        raise ConfigError("The scope needs a name.")
    forget_rows, retain_rows = as_rows(forget, name="forget"), as_rows(retain, name="retain")
    exempt_rows = as_rows(exempt, name="exempt")
    classifier, calibration = fit_classifier(forget_rows, retain_rows, config, on_progress or _silent)
    secret = secrets.token_bytes(32) if config.seed is None else hashlib.sha256(f"seed {config.seed}".encode()).digest()
    candidate = ForgetScope(
        name=scope,
        classifier=classifier,
        threshold=calibration.threshold,
        secret=secret,
        selector=config.selector,
        exemptions=exemptions(exempt_rows, forget_rows, classifier.encoder),
        other_languages=config.other_languages,
    )
    return Artifact(
        scopes=(candidate,),
        encoder=classifier.encoder,
        encoder_probe=classifier.encoder.encode([PROBE])[0],
        secret=secret,
        calibrations={scope: CalibrationRecord.model_validate(calibration, from_attributes=True)},
    )


def add_strength(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    artifact: Artifact,
    forget: Rows,
    retain: Rows = (),
    *,
    config: FitConfig | None = None,
    on_progress: Progress | None = None,
) -> Artifact:
    """The other half of `fit`: learn, for this model, the strength of a detector of one scope.

    What the detector was fitted with stays: classifier, threshold, exemptions, token selector.

    Raises:
        ConfigError: the artifact has several scopes.
        FitError: the objective is not finite.
    """
    return _with_strength_learned(model, tokenizer, artifact, forget, retain, config or FitConfig(), on_progress)


def _with_strength_learned(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    artifact: Artifact,
    forget: Rows,
    retain: Rows,
    config: FitConfig,
    on_progress: Progress | None,
) -> Artifact:
    if len(artifact.scopes) != 1:
        raise ConfigError(f"The artifact {artifact.name!r} has {len(artifact.scopes)} scopes; learn them one by one.")
    forget_rows, retain_rows = as_rows(forget, name="forget"), as_rows(retain, name="retain")
    engine = TransformersEngine(model, tokenizer)
    base_model = base_model_record(engine)
    scope = replace(artifact.scopes[0], corruption=_start(config, base_model))
    strengths = {}
    if config.strength is None:
        scope, record = _learn_strength(engine, scope, forget_rows, retain_rows, config, on_progress or _silent)
        strengths[scope.name] = record
    return replace(artifact, scopes=(scope,), base_model=base_model, strengths=strengths)


def _silent(phase: str, done: int, total: int) -> None:
    pass


def _start(config: FitConfig, base_model: BaseModelRecord) -> Corruption:
    std = base_model.embedding_std
    if corruptions.get(config.corruption).takes_sigma:
        strength = 1.0 if config.strength is None else config.strength
        return Corruption(
            function=config.corruption,
            strength=strength,
            embedding_std=std,
            dims=_checked_dims(config.dims, base_model),
        )
    dims = config.dims if config.strength is None else round(config.strength)
    dims = base_model.embedding_size if dims is None else dims
    return Corruption(function=config.corruption, embedding_std=std, dims=_checked_dims(dims, base_model))


def _checked_dims(dims: int | None, base_model: BaseModelRecord) -> int | None:
    if dims is not None and dims > base_model.embedding_size:
        raise ConfigError(f"dims={dims}, but the model's embeddings have {base_model.embedding_size}. Lower it.")
    return dims


def _learn_strength(
    engine: TransformersEngine,
    scope: ForgetScope,
    forget: list[Row],
    retain: list[Row],
    config: FitConfig,
    report: Progress,
) -> tuple[ForgetScope, StrengthRecord]:
    count = min(len(forget), config.max_examples)
    chosen = [forget[round(index)] for index in np.linspace(0, len(forget) - 1, num=count)]
    examples = _with_answers(engine, chosen, config, report)
    unrelated = [row.prompt for row in retain] or background_prompts()
    report("surrogate", 0, 1)
    prompts = [engine.tokenize(text) for text in unrelated[: len(examples)]]
    surrogate = unrelated_question_likelihood(engine, examples, prompts)
    plain = mean_log_likelihood(engine, [PromptInput(p.token_ids) for p, _ in examples], [a for _, a in examples])
    report("surrogate", 1, 1)
    if plain - surrogate < LEAST_GAP:
        warnings.warn(
            f"The model finds the forget answers of {scope.name!r} no more likely than after an unrelated question "
            f"({plain:.2f} against {surrogate:.2f}): it does not seem to know them. Check the answers.",
            FitWarning,
            stacklevel=4,  # the caller of `fit` or `add_strength`
        )
    objective = remaining_knowledge(engine, scope, examples, plain=plain, surrogate=surrogate)
    search = config.search or _default_search(scope, engine)
    most = search.bracket_points + 3 * search.max_steps
    found = minimise(
        lambda parameter: objective(with_parameter(scope, parameter)),
        search,
        lambda count, parameter, value: report("strength", count, most),
    )
    report("strength", most, most)
    parameter, value = found.best(search.tolerance)
    record = StrengthRecord(
        objective="share of the knowledge gap that remains, |m - v_hat| / |m_0 - v_hat|",
        metric="mean answer log-likelihood",
        surrogate="the same answers after unrelated questions",
        surrogate_value=surrogate,
        plain_value=plain,
        objective_value=value,
        trace=found.trace,
        examples=len(examples),
    )
    return with_parameter(scope, parameter), record


def _default_search(scope: ForgetScope, engine: TransformersEngine) -> ZerothOrderConfig:
    width = engine.embed([engine.substitute_id]).shape[1]
    corruption = scope.corruption
    if corruption is None or corruption.strength is None:
        return ZerothOrderConfig(low=1, high=width, integer=True)
    # The default range is for noise on all coordinates; on fewer, each needs more for the same length of the noise.
    scale = (width / max(1, corruption.dims or width)) ** 0.5
    default = ZerothOrderConfig()
    return replace(default, low=default.low * scale, high=default.high * scale)


def _with_answers(engine: TransformersEngine, rows: list[Row], config: FitConfig, report: Progress) -> list[Example]:
    """Prompts with their answers; the original model's own greedy answer where a row has none."""
    prompts = [engine.tokenize(row.prompt) for row in rows]
    missing = [index for index, row in enumerate(rows) if row.answer is None]
    answers = {index: row.answer for index, row in enumerate(rows) if row.answer is not None}
    if missing:
        report("answers", 0, 1)
        generated = engine.generate(
            [PromptInput(prompts[index].token_ids) for index in missing],
            max_new_tokens=config.answer_tokens,
            do_sample=False,
            batch_size=config.batch_size,
        )
        answers |= {index: completion.text for index, completion in zip(missing, generated, strict=True)}
        report("answers", 1, 1)
    return [(prompts[index], answers[index]) for index in range(len(rows)) if answers[index]]


def with_strength(artifact: Artifact, strength: float) -> Artifact:
    """The artifact with another strength (or `dims`) for all its scopes, chosen by hand."""
    scopes = tuple(with_parameter(scope, strength) for scope in artifact.scopes)
    return replace(artifact, scopes=scopes, strengths={})
