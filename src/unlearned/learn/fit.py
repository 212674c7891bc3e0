"""Learn an artifact: first the classifier and its threshold, then, on a model that is only run, the strength."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from unlearned.artifact.artifact import Artifact
from unlearned.artifact.fingerprint import base_model_record
from unlearned.artifact.provenance import Role, made
from unlearned.artifact.schema import BaseModelRecord, CalibrationRecord
from unlearned.classify.sentences import PROBE
from unlearned.corrupt.corruption import Corruption
from unlearned.corrupt.functions import corruptions
from unlearned.engines.transformers import TransformersEngine
from unlearned.errors import ConfigError, UnlearnedError
from unlearned.examples import Row, Rows, as_rows, evenly
from unlearned.learn.classifier import exemptions, fit_classifier, scope_lexicon
from unlearned.learn.config import SELECTOR, ClassifierConfig, FitConfig, StrengthConfig
from unlearned.learn.default_corruption import decided, may_substitute
from unlearned.learn.forget_prompts import ForgetPrompts
from unlearned.learn.intents import intents_of
from unlearned.learn.measures import choice_prompt
from unlearned.learn.naming import name_table
from unlearned.learn.stored import stored_arrays
from unlearned.learn.strength import corruption_maker, learn_strength
from unlearned.learn.strength_problem import with_answers
from unlearned.learn.unfinished import LEDGER, OF, Unfinished, discard
from unlearned.learn.withheld import withheld_of
from unlearned.progress import Progress
from unlearned.unlearners.eco import LEARN_IT, ForgetScope

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
    """Learn to forget one scope.

    First the classifier and its threshold are fitted (`fit_detector`). Then the corruption and its strength are
    learned on the model (`add_strength`), which is only run.

    Args:
        model: the original model; its weights do not change.
        tokenizer: the model's tokenizer.
        forget: prompts about what is to be forgotten, with answers where there are any; forty or more are good. A list
            of texts, rows or dictionaries, or a file as `Path`.
        retain: close prompts that must stay, in the same forms. Without any, the packaged general prompts are the only
            negative examples.
        scope: name of the scope; the artifact holds it in plain letters.
        exempt: "not this one" examples, such as prompts about another person of the same name. A passage passes if it
            is about as near to one of them as to any forget prompt.
        config: everything else.
        on_progress: called with (phase, done, total).

    Returns:
        An artifact of one scope.

    Raises:
        ConfigError: `scope` is empty.
        DataError: a row is bad, or a prompt is in both sets.
        FitError: there is nothing to learn from, or the objective is not finite.

    Examples:
        >>> from pathlib import Path
        >>> from unlearned import fit, load_model
        >>> model, tokenizer = load_model("embedded")
        >>> artifact = fit(
        ...     model,
        ...     tokenizer,
        ...     forget=Path("examples/harry-potter.forget.jsonl"),
        ...     retain=Path("examples/harry-potter.retain.jsonl"),
        ...     scope="harry-potter",
        ... )
        >>> artifact.save_pretrained("artifacts/hp")
    """
    config = config or FitConfig()
    unfinished = Unfinished(config.checkpoints, _fingerprint(forget, retain, exempt, scope, config))
    artifact = unfinished.detector()
    if artifact is None:
        artifact = fit_detector(forget, retain, scope=scope, exempt=exempt, config=config, on_progress=on_progress)
        unfinished.keep(artifact)
    return add_strength(model, tokenizer, artifact, forget, retain, config=config, on_progress=on_progress)


def kept_evaluations(forget: Rows, retain: Rows, exempt: Rows, scope: str, config: FitConfig) -> int | None:
    """How many evaluations of the very same fit were kept when it was interrupted; None = it begins anew."""
    if config.checkpoints is None:
        return None
    try:
        if (config.checkpoints / OF).read_text(encoding="utf-8") != _fingerprint(forget, retain, exempt, scope, config):
            return None
        lines = (config.checkpoints / LEDGER).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return sum('"parameter"' in line for line in lines)


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
    classifier, calibration = fit_classifier(
        forget_rows, retain_rows, config, on_progress or (lambda phase, done, total: None)
    )
    secret = secrets.token_bytes(32) if config.seed is None else hashlib.sha256(f"seed {config.seed}".encode()).digest()
    candidate = ForgetScope(
        name=scope,
        classifier=classifier,
        threshold=calibration.threshold,
        short_penalty=calibration.short_penalty,
        secret=secret,
        selector=config.selector or SELECTOR,
        exemptions=exemptions(exempt_rows, forget_rows, classifier.encoder),
        intents=intents_of(forget_rows, classifier.encoder),
        lexicon=scope_lexicon(forget_rows, retain_rows, config),
        withheld=withheld_of(forget_rows, retain_rows, config.names, classifier.encoder, secret, policy=config.answers),
        other_languages=config.other_languages,
    )
    rows: dict[Role, list[Row]] = {"forget": forget_rows, "retain": retain_rows, "exempt": exempt_rows}
    return Artifact(
        scopes=(candidate,),
        encoder=classifier.encoder,
        encoder_probe=classifier.encoder.encode([PROBE])[0],
        secret=secret,
        calibrations={scope: CalibrationRecord.model_validate(calibration, from_attributes=True)},
        mistakes={} if calibration.mistakes is None else {scope: calibration.mistakes},
        made=(made("detector", rows, _part(ClassifierConfig, config), seed=config.seed),),
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

    What the detector was fitted with stays: classifier, threshold, exemptions; and the token selector, unless the
    config names one.

    Raises:
        ConfigError: the artifact has several scopes.
        FitError: the objective is not finite.
    """
    config = config or FitConfig()
    if len(artifact.scopes) != 1:
        raise ConfigError(f"The artifact {artifact.name!r} has {len(artifact.scopes)} scopes; learn them one by one.")
    forget_rows, retain_rows = as_rows(forget, name="forget"), as_rows(retain, name="retain")
    report = on_progress or (lambda phase, done, total: None)
    engine = TransformersEngine(model, tokenizer)
    base_model = base_model_record(engine)
    scope, strengths = artifact.scopes[0], {}
    scope = replace(scope, selector=config.selector or scope.selector)
    config, reason = decided(config, forget_rows, engine.bank)
    if may_substitute(config.corruption):
        table = name_table(scope.secret, scope.name, forget_rows, retain_rows, engine.bank)
        scope = replace(scope, enrolled=table)
    if config.strength is None:
        scope, record = learn_strength(
            engine,
            base_model,
            scope,
            forget_rows,
            retain_rows,
            config,
            ledger=config.checkpoints / LEDGER if config.checkpoints else None,
            on_progress=report,
        )
        strengths[scope.name] = record.model_copy(update={"reason": reason})
        if not scope.learned.substitutes:
            scope = replace(scope, enrolled=None)
    else:
        scope = replace(scope, corruption=_by_hand(engine, scope, forget_rows, config, base_model, report))
    if config.checkpoints is not None:
        discard(config.checkpoints)
    step = made(
        "strength",
        {"forget": forget_rows, "retain": retain_rows},
        _part(StrengthConfig, config),
        seed=config.seed,
    )
    return replace(
        artifact,
        scopes=(scope,),
        base_model=base_model,
        strengths=strengths,
        made=(*(one for one in artifact.made if one.step != "strength"), step),
        created=step.at,
        sha256="",
    )


def with_strength(artifact: Artifact, strength: float) -> Artifact:
    """The artifact with another strength (or `dims`) for all its scopes, chosen by hand."""
    scopes = []
    for scope in artifact.scopes:
        if scope.corruption is None:
            raise UnlearnedError(f"The scope {scope.name!r} has no strength yet. {LEARN_IT}")
        change: dict[str, Any] = (
            {"strength": strength} if scope.corruption.strength is not None else {"dims": round(strength)}
        )
        scopes.append(replace(scope, corruption=replace(scope.corruption, **change)))
    return replace(artifact, scopes=tuple(scopes), strengths={})


Part = TypeVar("Part", ClassifierConfig, StrengthConfig)


def _part(kind: type[Part], config: FitConfig) -> Part:
    """The settings of one half."""
    return kind(**{f.name: getattr(config, f.name) for f in fields(kind)})


def _by_hand(
    engine: TransformersEngine,
    scope: ForgetScope,
    forget: Sequence[Row],
    config: FitConfig,
    base_model: BaseModelRecord,
    report: Progress,
) -> Corruption:
    """The corruption of a strength that is given, with the arrays that its function needs."""
    assert config.strength is not None, "otherwise it is learned"
    stored = {}
    if corruptions.get(config.corruption).stored:
        rows = with_answers(engine, evenly(forget, config.max_examples), config, report)
        forget_prompts = ForgetPrompts(engine, scope, [engine.tokenize(choice_prompt(row)) for row in rows])
        answers = [row.answer or "" for row in rows]
        stored = stored_arrays(config.corruption, engine, forget_prompts, answers, base_model.embedding_std)
    return corruption_maker(config.corruption, config, base_model, stored)(config.strength)


def _fingerprint(forget: Rows, retain: Rows, exempt: Rows, scope: str, config: FitConfig) -> str:
    """Hash of what the detector is made from."""
    fields_ = [(f.name, repr(getattr(config, f.name))) for f in fields(ClassifierConfig) if f.name != "checkpoints"]
    rows = [
        [(row.prompt, row.id) for row in as_rows(given, name=name)]
        for name, given in (("forget", forget), ("retain", retain), ("exempt", exempt))
    ]
    return hashlib.sha256(repr((scope, config.seed, config.selector, fields_, rows)).encode()).hexdigest()
