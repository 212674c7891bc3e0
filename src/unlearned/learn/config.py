"""What a fit can be told: how a scope is recognised, and how its corruption is learned. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unlearned.embedded import MINILM
from unlearned.errors import ConfigError
from unlearned.settings import CORRUPTION, DETECTION, setting

if TYPE_CHECKING:
    from unlearned.answers.withheld import AnswerPolicy
    from unlearned.classify.lexicon import ScopeName
    from unlearned.classify.scope import Policy
    from unlearned.learn.optimisers import Trace
    from unlearned.learn.surrogate import Surrogate

SELECTOR = "spans"
AUTO, BEST = "auto", "best"
AUTO_FUNCTIONS = ("entity_substitution", "rand_noise_first_n", "zero_out_top_k", "semantic", "adversarial")
AUTO_SELECTORS = ("spans", "attribution")
"""What "auto" chooses among; one function of every family that has a parameter."""

WITHOUT_NAMES = "rand_noise_first_n"
"""What serves a scope best whose prompts name nobody: there is nobody whom a stranger could stand for."""

# Names of what the registries hold, for who cannot wait for them to be imported.
CLASSIFIERS = ("kernel", "neighbours", "logistic", "encoder")
CALIBRATIONS = ("errors", "fpr", "conformal")
OTHER_LANGUAGES = ("pass", "corrupt")
ANSWERS = ("off", "names", "names+quotes", "names+quotes+content")
CORRUPTIONS = (
    "rand_noise_first_n", "rand_noise_rand_n", "rand_noise_top_k", "set_rand_noise_first_n", "zero_out_first_n",
    "zero_out_top_k", "flip_sign_first_n", "flip_sign_top_k", "add_value_first_n", "sub_value_first_n",
    "add_value_least_k", "sub_value_top_k", "shuffle", "reverse_order", "semantic", "adversarial",
    "entity_substitution", AUTO, BEST,
)  # fmt: skip
UNITS = ("embedding_std", "absolute")
OBJECTIVES = ("facts", "likelihood", "truth_ratio", "accuracy", "rouge", "refusal")
SURROGATES = ("unrelated", "invented")
OPTIMISERS = ("bracketing", "finite_difference", "tpe")
SELECTORS = ("spans", "attribution", "entities", "all_but_last")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierConfig:
    """How to recognise a scope."""

    classifier: str = setting(
        "kernel",
        "kernel, neighbours, logistic or encoder; in Python also one that was registered.",
        choices=CLASSIFIERS,
        noun="prompt classifier",
        group=DETECTION,
    )
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of that kind's own config."""

    encoder: str = setting(MINILM, "Frozen sentence encoder of the classifier: hub id or folder.", group=DETECTION)
    ready: str | None = setting(
        None,
        "With the classifier encoder: a fine-tuned sequence classifier (hub id or folder; LABEL_1 = forget) to use as "
        "it is.",
        group=DETECTION,
    )
    checkpoints: Path | None = None
    """Folder that keeps an unfinished fit (for kind "encoder", its training), which then goes on; None = none."""

    misspellings: bool = True
    """Enrol misspelt copies, too; kinds over a frozen encoder."""

    background: bool = setting(True, "Use the packaged general prompts as negatives, too.", group=DETECTION)
    calibration: str = setting(
        "errors",
        "How the threshold is chosen: by errors, fpr or conformal.",
        choices=CALIBRATIONS,
        noun="calibration",
        group=DETECTION,
    )
    max_fpr: float = setting(
        0.005,
        "Bound on false alarms in calibration, among general prompts; with the calibration fpr, among close ones, too.",
        min=0,
        max=1,
        group=DETECTION,
    )
    alpha: float = setting(0.05, "Level of the conformal calibration.", group=DETECTION)
    names: tuple[ScopeName, ...] = ()
    """What the scope is called, if that is known: each is in scope wherever it stands, in all its forms."""

    other_languages: Policy = setting(
        "pass",
        "Passages in languages that the encoder cannot read: pass or corrupt. Verdicts note them anyway.",
        choices=OTHER_LANGUAGES,
        noun="policy",
        group=DETECTION,
    )
    answers: AnswerPolicy = setting(
        "names+quotes",
        "What may not be said unasked, whatever the prompt: off, names, names+quotes or names+quotes+content.",
        choices=ANSWERS,
        noun="policy",
        group=DETECTION,
    )

    def __post_init__(self) -> None:
        from unlearned.answers.withheld import checked_policy
        from unlearned.classify.base import classifiers

        classifiers.get(self.classifier)
        if self.calibration not in CALIBRATIONS:
            raise ConfigError(f"calibration={self.calibration!r}: must be one of {', '.join(CALIBRATIONS)}.")
        if not 0 <= self.max_fpr <= 1:
            raise ConfigError(f"max_fpr={self.max_fpr}: a rate lies in 0..1. Use, for example, 0.005.")
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha={self.alpha}: must lie between 0 and 1. Use, for example, 0.05.")
        if self.other_languages not in OTHER_LANGUAGES:
            raise ConfigError(f"other_languages={self.other_languages!r}: must be 'pass' or 'corrupt'.")
        checked_policy(self.answers)
        if self.ready is not None and self.classifier != "encoder":
            raise ConfigError(f"ready={self.ready!r} is a sequence classifier. Choose classifier='encoder' with it.")


@dataclass(frozen=True, kw_only=True)
class StrengthConfig:
    """How to learn a corruption."""

    selector: str | None = setting(
        None,
        "Which tokens of a flagged prompt: spans, attribution, entities (needs a tagger from the hub) or "
        "all_but_last; default: spans, or what the detector was fitted with.",
        choices=SELECTORS,
        noun="token selector",
        group=CORRUPTION,
    )
    corruption: str = setting(
        BEST,
        "Corruption function. best: entity_substitution where prompts name somebody, else noise; auto: try several, "
        "and which tokens.",
        choices=CORRUPTIONS,
        noun="corruption",
        group=CORRUPTION,
    )
    auto_functions: tuple[str, ...] = AUTO_FUNCTIONS
    """What "auto" tries."""

    dims: int | None = setting(
        None, "Embedding coordinates that a function with a strength disturbs; default: all.", min=0, group=CORRUPTION
    )
    unit: Literal["embedding_std", "absolute"] = setting(
        "embedding_std",
        "Of the strength: embedding_std (multiples of the embeddings' standard deviation) or absolute (the paper's).",
        choices=UNITS,
        noun="unit",
        group=CORRUPTION,
    )
    strength: float | None = setting(
        None,
        "Use this strength instead of learning it; for functions without one: this many coordinates.",
        min=0,
        group=CORRUPTION,
    )
    objectives: tuple[str, ...] = setting(
        (),
        "facts, likelihood, truth_ratio, accuracy, rouge, refusal; several separated by commas. Default: facts where "
        "the prompts name somebody and most answers have facts, else likelihood.",
        flag="--objective",
        choices=OBJECTIVES,
        noun="objective",
        group=CORRUPTION,
    )
    surrogate: Surrogate = setting(
        "unrelated",
        "What a model without the knowledge would score: unrelated or invented (estimated), or a number.",
        choices=SURROGATES,
        noun="surrogate",
        group=CORRUPTION,
    )
    fluency: bool = setting(True, "Keep the answers fluent.", group=CORRUPTION)
    optimiser: str = setting(
        "bracketing",
        "bracketing, finite_difference (the paper's) or tpe.",
        choices=OPTIMISERS,
        noun="optimiser",
        group=CORRUPTION,
    )
    search: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the optimiser's own config."""

    max_examples: int = setting(
        40, "Forget prompts, evenly spread, that the strength is learned on.", min=1, group=CORRUPTION
    )
    facts_examples: int = 24
    """How many of these are used where strength is learned from the facts of generated answers."""

    fluency_examples: int = 12
    """How many of these are answered to judge fluency; all are for objectives that read answers."""

    answer_tokens: int = 24
    """Length of those answers; and of the original model's own answer, where a forget row has none."""

    batch_size: int = setting(16, "Prompts per forward pass.", min=1, group=CORRUPTION)

    def __post_init__(self) -> None:
        from unlearned.corrupt.functions import corruptions
        from unlearned.learn.measures import measures
        from unlearned.learn.surrogate import checked_surrogate
        from unlearned.select.positions import selectors

        if self.corruption not in (AUTO, BEST):
            corruptions.get(self.corruption)
        if self.selector is not None:
            selectors.get(self.selector)
        for name in self.objectives:
            measures.get(name)
        object.__setattr__(self, "surrogate", checked_surrogate(self.surrogate))
        self.make_optimiser()
        if min(self.max_examples, self.fluency_examples, self.answer_tokens, self.batch_size) < 1:
            raise ConfigError("max_examples, fluency_examples, answer_tokens and batch_size must be at least 1.")
        if self.strength is not None and not 0 <= self.strength < float("inf"):
            raise ConfigError(f"strength={self.strength}: must be at least 0 and finite.")
        if self.strength is not None and self.corruption == AUTO:
            raise ConfigError("corruption='auto' chooses the strength, too. Leave the strength out.")
        share = self.corruption not in (AUTO, BEST) and not corruptions.get(self.corruption).relative
        if self.strength is not None and self.strength > 1 and share:
            raise ConfigError(f"strength={self.strength}: that of {self.corruption} is a share, at most 1.")
        if self.dims is not None and self.dims < 0:
            raise ConfigError(f"dims={self.dims}: must be at least 0, or None for all.")

    def make_optimiser(self) -> Callable[[Trace], None]:
        """The optimiser with its settings; raises `ConfigError` for one that it does not have."""
        from unlearned.learn.optimisers import optimisers

        try:
            return optimisers.get(self.optimiser)(**self.search)
        except TypeError as error:
            raise ConfigError(f"search={dict(self.search)}: {error}.") from error


@dataclass(frozen=True, kw_only=True)
class FitConfig(ClassifierConfig, StrengthConfig):
    """How to learn an artifact: the classifier's part, and the strength's.

    Raises:
        ConfigError: a setting is out of range, or two of them contradict each other.

    Examples:
        >>> FitConfig(calibration="fpr", max_fpr=0.001)  # fewer false alarms
        >>> FitConfig(corruption="rand_noise_first_n")  # noise in place of strangers
        >>> FitConfig(max_examples=16, seed=0)  # quicker, and the same every time; a known seed is no secret
    """

    seed: int | None = setting(None, "Make the noise reproducible; default: a new secret.", group=CORRUPTION)

    def __post_init__(self) -> None:
        ClassifierConfig.__post_init__(self)
        StrengthConfig.__post_init__(self)
