"""`unlearner.json`: every field of an artifact that is no array. Unknown fields are refused, not dropped."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from unlearned.envelope import SCHEMA_VERSION


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseModelRecord(Record):
    """The language model that the strength was learned on."""

    id: str
    embedding_size: int = Field(gt=0)
    embedding_std: float = Field(gt=0)
    embedding_sha256: str
    """Hash of 64 rows of the embedding module's output in bfloat16: recognises the weights in any precision."""

    tokenizer_sha256: str
    """Hash of the vocabulary."""


class EncoderRecord(Record):
    """The text encoder of the classifiers."""

    name: str
    dimension: int = Field(gt=0)


class ClassifierRecord(Record):
    """A registered classifier and its settings."""

    kind: str
    settings: dict[str, Any]


class FirstPassRecord(Record):
    """How the first pass does on prompts that its classifier had not seen; see `learn.first_bar`."""

    bar: float = Field(allow_inf_nan=False)
    """Texts whose value is below it are not read by the encoder."""

    left: float = Field(ge=0, le=1)
    """Share of the windows of general prompts that are read all the same."""

    looked_at: int
    """Texts of the scope that detection looks at: forget prompts, alone and beside a general one."""

    passed: int
    """How many of these the first pass leaves to the encoder."""


class CalibrationRecord(Record):
    """How the threshold was found; see `learn.calibration.Calibration`."""

    method: str
    threshold: float
    forget_count: int
    negative_count: int
    missed: int
    flagged: int
    fnr_interval: tuple[float, float]
    fpr_interval: tuple[float, float]
    data_sha256: str
    spellings: dict[str, tuple[int, int]] = Field(default_factory=dict)
    """Way of spelling -> forget examples missed in it, and how many there were; see `learn.spellings`."""
    close_count: int | None = None
    close_flagged: int | None = None
    first_pass: FirstPassRecord | None = None


class CorruptionRecord(Record):
    """See `corrupt.corruption.Corruption`."""

    function: str
    strength: float | None
    unit: Literal["embedding_std", "absolute"]
    embedding_std: float
    dims: int | None


class EvaluationRecord(Record):
    """The objective at one parameter; see `learn.objective.Evaluation`."""

    parameter: float
    value: float
    """What was minimised: distance + penalty."""

    distance: float
    gap: float
    error: float
    penalty: float
    per_item: float | None
    degenerate: float
    perplexity: float | None
    values: dict[str, float]
    seconds: float


class MeasureRecord(Record):
    """One measure of the objective, as a mean over the examples."""

    name: str
    plain: float
    """Mean without corruption."""

    surrogate: float
    """Expected of a model that never saw the data."""

    found: float
    """Mean with the corruption that was chosen."""


class CandidateRecord(Record):
    """A corruption function and token selector that was tried."""

    function: str
    selector: str
    chosen: EvaluationRecord
    pareto: bool
    """No other candidate is at least as good in forgetting, fluency and closeness per item, and better in one."""

    evaluations: int


class StrengthRecord(Record):
    """How the strength was learned."""

    measures: list[MeasureRecord] = Field(min_length=1)
    surrogate: str | float
    optimiser: str
    examples: int
    chosen: EvaluationRecord
    reference_perplexity: float | None
    """Perplexity of the original model's answers about invented subjects; None without the fluency guard."""

    trace: list[EvaluationRecord]
    """Every evaluation of the chosen function and selector, by parameter."""

    reason: str = ""
    """Why this corruption function, where the user did not name it."""

    candidates: list[CandidateRecord] = Field(default_factory=list)
    """All that were tried, where the function was chosen too."""


class DataRecord(Record):
    """Rows that something was made from, by which their files can be recognised."""

    role: Literal["forget", "retain", "exempt"]
    rows: int
    sha256: str
    """See `artifact.provenance.rows_sha256`."""


class MadeRecord(Record):
    """One step of how an artifact was made."""

    step: Literal["detector", "strength"]
    at: str
    """UTC, ISO 8601."""

    by: str | None = None
    """Who."""

    command: str | None = None
    """The command line; None: made from Python."""

    options: dict[str, Any] = Field(default_factory=dict)
    """Every setting, those left as they are by default included."""

    seed: int | None = None
    """None: the noise has a new secret."""

    data: list[DataRecord] = Field(default_factory=list)


class QuotesRecord(Record):
    """The filter of a scope's texts; see `answers.quotes.QuoteFilter`."""

    bound: int = Field(ge=1)
    """Words of a text that may be said in a row."""

    count: int = Field(ge=1)
    """Runs of `bound` + 1 words that it knows."""

    hashes: int = Field(ge=1)


class AnswersRecord(Record):
    """What is held back in answers; see `answers.withheld.Withheld`."""

    policy: Literal["off", "names", "names+quotes", "names+quotes+content"]
    names: int = Field(ge=0)
    """Sealed with the secret."""

    quotes: QuotesRecord | None = None


class ScopeRecord(Record):
    """One forget scope."""

    name: str = Field(min_length=1)
    threshold: float = Field(ge=0, le=1)
    short_penalty: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    selector: str
    classifier: ClassifierRecord
    corruption: CorruptionRecord | None = None
    exemptions: int = Field(default=0, ge=0)
    """Number of "not this one" examples."""

    matters: float | None = Field(default=None, ge=-1, le=1)
    """Least cosine of a question that names nobody to what forget prompts ask; None: it may ask anything."""

    names: dict[str, int] | None = None
    """Names for which strangers stand, counted by kind; None: the scope enrols none."""

    known_names: int = Field(default=0, ge=0)
    """Names in its lexicon, which is sealed with the secret."""

    rare_words: int = Field(default=0, ge=0)
    """Rare words of the lexicon."""

    answers: AnswersRecord | None = None
    """None: made without an answer side."""

    other_languages: Literal["pass", "corrupt"] = "pass"
    calibration: CalibrationRecord | None = None
    strength: StrengthRecord | None = None


class UnlearnerRecord(Record):
    """The whole file."""

    schema_version: Literal[2] = SCHEMA_VERSION
    method: Literal["eco"]
    created: str
    """UTC, ISO 8601."""

    secret: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    """Keys noise and strangers. Who knows it can compute both, and test whether a given word is one of the names."""

    base_model: BaseModelRecord | None = None
    """None: a detector whose strength has not been learned yet."""

    encoder: EncoderRecord
    scopes: list[ScopeRecord] = Field(min_length=1)
    libraries: dict[str, str]
    about: str | None = None
    """What it covers and why, in words."""

    reference: str | None = None
    """The case, ticket or request that it answers."""

    made: list[MadeRecord] = Field(default_factory=list)
    """How, step by step; empty where that is not known."""

    files: dict[str, str]
    """File name -> SHA-256 of its bytes."""

    sha256: str = ""
    """Hash of this record with an empty `sha256`."""
