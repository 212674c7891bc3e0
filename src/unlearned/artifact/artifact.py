"""A fitted unlearner as a folder: `unlearner.json`, `vectors.safetensors`, a `README.md` card. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from unlearned.answers.withheld import Withheld
from unlearned.artifact.card import card
from unlearned.artifact.doubts import doubts
from unlearned.artifact.mistakes import Mistakes
from unlearned.artifact.record import CARD, RECORD, VECTORS, check_target, folder_of, read_record, record_sha256
from unlearned.artifact.schema import (
    AnswersRecord,
    BaseModelRecord,
    CalibrationRecord,
    ClassifierRecord,
    CorruptionRecord,
    EncoderRecord,
    MadeRecord,
    QuotesRecord,
    ScopeRecord,
    StrengthRecord,
    UnlearnerRecord,
)
from unlearned.artifact.signing import TrustedKey, verified
from unlearned.classify.base import Floats, TextEncoder, classifiers
from unlearned.classify.exemptions import Exemptions
from unlearned.classify.intents import Intents
from unlearned.classify.lexicon import Lexicon
from unlearned.classify.sentences import PROBE, sentence_encoder
from unlearned.corrupt.corruption import Corruption
from unlearned.envelope import libraries
from unlearned.errors import (
    ArtifactError,
    ArtifactIntegrityError,
    ArtifactMismatchError,
    ArtifactSchemaError,
    UnlearnedError,
)
from unlearned.files import new_folder
from unlearned.substitution.table import NameTable
from unlearned.unlearners.eco import ECO, ForgetScope

EXEMPT = {"exempt": "examples", "exempt_from": "forget", "exempt_names": "names"}
"""Arrays of a scope, beside its classifier's, and the fields of its exemptions that they are."""

MATTERS, LEXICON = "matters", "lexicon"  # others
STORED = "corruption_"  # prefix of the arrays of a corruption
NAMES = "names_"  # and of the table of names
ANSWERS = "answers_"  # and of what is held back in answers
SAME_ENCODER = 0.02  # largest difference of a coordinate; other devices and precisions stay below 0.002


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Artifact:
    """One or more forget scopes that were fitted together, with the record of how.

    Make one with `fit` or `forget`, or read one with `load` or `Artifact.from_pretrained`.

    Examples:
        >>> artifact = Artifact.from_pretrained("artifacts/hp")
        >>> artifact.name
        'harry-potter'
        >>> artifact.doubts()  # what speaks against using it
        {'harry-potter': []}
        >>> artifact.save_pretrained("artifacts/copy")
    """

    scopes: tuple[ForgetScope, ...]
    encoder: TextEncoder
    encoder_probe: Floats
    """(E,) the encoder's vector of a fixed text, by which another encoder is recognised."""

    secret: bytes = field(repr=False)
    """Keys the noise."""

    base_model: BaseModelRecord | None = None
    """The model that the strength was learned on; None for a detector without one."""

    calibrations: dict[str, CalibrationRecord] = field(default_factory=dict)
    strengths: dict[str, StrengthRecord] = field(default_factory=dict)
    about: str | None = None
    """What it covers and why, in words."""

    reference: str | None = None
    """The case, ticket or request that it answers."""

    made: tuple[MadeRecord, ...] = ()
    """How, step by step."""

    mistakes: dict[str, Mistakes] = field(default_factory=dict)
    """Scope -> prompts of the fit that its detector got wrong; not saved."""

    created: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    sha256: str = ""
    """Hash of the record that it was read from, which covers all its files; empty if it was not read."""

    def __repr__(self) -> str:
        made_for = "a detector only" if self.base_model is None else f"for {self.base_model.id}"
        kept = f", sha256 {self.sha256[:16]}" if self.sha256 else ""
        return f"Artifact({self.name!r}, {made_for}{kept})"

    @property
    def name(self) -> str:
        """The scopes' names, joined by '+'."""
        return "+".join(scope.name for scope in self.scopes)

    def doubts(self) -> dict[str, list[str]]:
        """Scope -> what speaks against using it, as far as the fit could tell."""
        return {
            scope.name: doubts(self.calibrations.get(scope.name), self.strengths.get(scope.name))
            for scope in self.scopes
        }

    def unlearner(self) -> ECO:
        """Ready to classify and corrupt; checks first that the text encoder is the one it was fitted with."""
        return combined([self])

    def check_encoder(self) -> None:
        """Raises `ArtifactMismatchError` if the encoder here gives other vectors than the one of the fit."""
        found = self.encoder.encode([PROBE])[0]
        if found.shape != self.encoder_probe.shape or float(np.abs(found - self.encoder_probe).max()) > SAME_ENCODER:
            raise ArtifactMismatchError(
                f"The artifact {self.name!r} was fitted with another version of the encoder {self.encoder.name!r}: the "
                "two disagree on a test sentence. Install the version it was fitted with, or fit again."
            )

    def save_pretrained(self, folder: str | Path, *, keep_previous: bool = False) -> Path:
        """Write the artifact. It appears as a whole or not at all; an older artifact at this place is replaced.

        Args:
            folder: where.
            keep_previous: keep an older artifact as `NAME.previous`, in place of the one before it.

        Returns:
            The folder.

        Raises:
            ArtifactError: the place is taken by something that is no artifact.
        """
        target = check_target(folder)
        place = target.resolve()  # through a link: the folder is replaced, not the link
        with new_folder(place, keep_previous=keep_previous) as new:
            self._write(new)
        return target

    def _write(self, folder: Path) -> None:
        from safetensors.numpy import save

        scopes, arrays = [], {"encoder_probe": self.encoder_probe}
        for index, scope in enumerate(self.scopes):
            settings, own = scope.classifier.state()
            if (exempt := scope.exemptions) is not None:
                own = own | {name: getattr(exempt, field).astype(np.float16) for name, field in EXEMPT.items()}
            if scope.intents is not None:
                own = own | {MATTERS: scope.intents.vectors.astype(np.float16)}
            if scope.lexicon:
                own = own | {LEXICON: scope.lexicon.sealed(self.secret)}
            if scope.corruption is not None:
                own = own | {STORED + name: array for name, array in scope.corruption.stored.items()}
            if scope.enrolled is not None:
                own = own | {NAMES + name: array for name, array in scope.enrolled.arrays().items()}
            if scope.withheld is not None:
                own = own | {ANSWERS + name: array for name, array in scope.withheld.arrays(self.secret).items()}
            arrays |= {f"scope{index}.{name}": np.ascontiguousarray(array) for name, array in own.items()}
            scopes.append(
                ScopeRecord(
                    name=scope.name,
                    threshold=scope.threshold,
                    short_penalty=scope.short_penalty,
                    selector=scope.selector,
                    classifier=ClassifierRecord(kind=_kind(scope), settings=settings),
                    corruption=_corruption_record(scope),
                    exemptions=0 if scope.exemptions is None else len(scope.exemptions.examples),
                    matters=None if scope.intents is None else scope.intents.least,
                    names=None if scope.enrolled is None else scope.enrolled.counts(),
                    known_names=len(scope.lexicon.names),
                    rare_words=len(scope.lexicon.words),
                    answers=_answers_record(scope),
                    other_languages=scope.other_languages,
                    calibration=self.calibrations.get(scope.name),
                    strength=self.strengths.get(scope.name),
                )
            )
        vectors = save(arrays)
        (folder / VECTORS).write_bytes(vectors)
        record = UnlearnerRecord(
            method="eco",
            created=self.created,
            secret=self.secret.hex(),
            base_model=self.base_model,
            about=self.about,
            reference=self.reference,
            made=list(self.made),
            encoder=EncoderRecord(name=self.encoder.name, dimension=len(self.encoder_probe)),
            scopes=scopes,
            libraries=libraries(("unlearned", "torch", "transformers", "sentence-transformers")),
            files={VECTORS: hashlib.sha256(vectors).hexdigest()},
        )
        record = record.model_copy(update={"sha256": record_sha256(record.model_dump(mode="json"))})
        (folder / CARD).write_text(card(record, len(vectors)), encoding="utf-8")
        (folder / RECORD).touch(mode=0o600)  # it holds the secret
        (folder / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(
        cls, path: str | Path, *, revision: str | None = None, trusted: Sequence[TrustedKey] | None = None
    ) -> Artifact:
        """Read an artifact from a folder or a hub repository, after checking its version, schema and hashes.

        Args:
            path: folder or hub id.
            revision: of the hub repository.
            trusted: keys of which one must have signed it; None = it need not be signed.

        Raises:
            ArtifactIntegrityError: a file is missing, truncated or altered; or it is not signed by a trusted key.
            ArtifactVersionError: written by another version of the format.
            ArtifactSchemaError: `unlearner.json` has unknown, missing or ill-typed fields.
        """
        folder = folder_of(path, revision)
        record = read_record(folder)
        arrays = _read_vectors(folder, record)
        shared = sentence_encoder(record.encoder.name)
        secret = bytes.fromhex(record.secret)
        scopes = []
        for index, scope in enumerate(record.scopes):
            own = {n.partition(".")[2]: a for n, a in arrays.items() if n.partition(".")[0] == f"scope{index}"}
            try:
                kind = classifiers.get(scope.classifier.kind)
                stored = {name.removeprefix(STORED): own.pop(name) for name in list(own) if name.startswith(STORED)}
                table = {name.removeprefix(NAMES): own.pop(name) for name in list(own) if name.startswith(NAMES)}
                held = {name.removeprefix(ANSWERS): own.pop(name) for name in list(own) if name.startswith(ANSWERS)}
                state = {name: array for name, array in own.items() if name not in (*EXEMPT, MATTERS, LEXICON)}
                classifier = kind.from_state(scope.classifier.settings, state, shared)
                found = ForgetScope(
                    name=scope.name,
                    classifier=classifier,
                    threshold=scope.threshold,
                    short_penalty=scope.short_penalty,
                    corruption=_corruption(scope, stored),
                    secret=secret,
                    selector=scope.selector,
                    enrolled=None if scope.names is None else NameTable(secret, scope.name, **table),
                    exemptions=_exemptions(own) if scope.exemptions else None,
                    intents=None if scope.matters is None else Intents(own[MATTERS].astype(np.float32), scope.matters),
                    lexicon=Lexicon.unsealed(own[LEXICON], secret)
                    if scope.known_names or scope.rare_words
                    else Lexicon(),
                    withheld=_withheld(scope, held, secret),
                    other_languages=scope.other_languages,
                )
            except (TypeError, KeyError, ValueError, UnlearnedError) as error:
                raise ArtifactSchemaError(f"{folder / RECORD}: scope {scope.name!r}: {error}") from error
            scopes.append(found)
        if trusted is not None:
            verified(folder, trusted)
            if read_record(folder).sha256 != record.sha256:
                raise ArtifactIntegrityError(f"{folder} was replaced while it was read. Try again.")
        return cls(
            scopes=tuple(scopes),
            base_model=record.base_model,
            encoder=scopes[0].classifier.encoder,
            encoder_probe=arrays["encoder_probe"].astype(np.float32),
            secret=secret,
            calibrations={s.name: s.calibration for s in record.scopes if s.calibration},
            strengths={s.name: s.strength for s in record.scopes if s.strength},
            about=record.about,
            reference=record.reference,
            made=tuple(record.made),
            created=record.created,
            sha256=record.sha256,
        )

    def push_to_hub(self, repo_id: str, *, private: bool = True, token: str | None = None) -> str:
        """Upload to a hub repository, private unless said otherwise; returns its address."""
        from huggingface_hub import HfApi

        api = HfApi(token=token)
        address = api.create_repo(repo_id, private=private, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            api.upload_folder(repo_id=repo_id, folder_path=self.save_pretrained(Path(scratch) / "artifact"))
        return str(address)


def _corruption_record(scope: ForgetScope) -> CorruptionRecord | None:
    if scope.corruption is None:
        return None
    return CorruptionRecord.model_validate(scope.corruption, from_attributes=True)


def _corruption(scope: ScopeRecord, stored: Mapping[str, npt.NDArray[Any]]) -> Corruption | None:
    if scope.corruption is None:
        return None
    arrays = {name: array.astype(np.float32) for name, array in stored.items()}
    return Corruption(**scope.corruption.model_dump(), stored=arrays)


def _answers_record(scope: ForgetScope) -> AnswersRecord | None:
    if (held := scope.withheld) is None:
        return None
    quotes = None if held.quotes is None else QuotesRecord.model_validate(held.quotes, from_attributes=True)
    return AnswersRecord(policy=held.policy, names=len(held.names), quotes=quotes)


def _withheld(scope: ScopeRecord, arrays: Mapping[str, npt.NDArray[Any]], secret: bytes) -> Withheld | None:
    if scope.answers is None:
        return None
    quotes = {} if scope.answers.quotes is None else scope.answers.quotes.model_dump()
    return Withheld.read(arrays, secret, policy=scope.answers.policy, quotes=quotes)


def _exemptions(arrays: Mapping[str, npt.NDArray[Any]]) -> Exemptions:
    known = {"exempt_names": np.zeros_like(arrays["exempt"]), **arrays}  # older ones have no names
    return Exemptions(**{field: known[name].astype(np.float32) for name, field in EXEMPT.items()})


def _read_vectors(folder: Path, record: UnlearnerRecord) -> dict[str, npt.NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    path = folder / VECTORS
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtifactIntegrityError(f"{path} is missing. Copy the artifact again.") from error
    if hashlib.sha256(content).hexdigest() != record.files.get(VECTORS):
        raise ArtifactIntegrityError(f"{path} is truncated or altered: its hash differs from {RECORD}. Copy it again.")
    try:
        arrays: dict[str, npt.NDArray[Any]] = load_tensors(content)
    except SafetensorError as error:
        raise ArtifactIntegrityError(f"{path} cannot be read: {error}.") from error
    if arrays.get("encoder_probe", np.zeros(0)).shape != (record.encoder.dimension,):
        raise ArtifactSchemaError(f"{path} has no encoder probe of size {record.encoder.dimension}.")
    return arrays


def _kind(scope: ForgetScope) -> str:
    kind = type(scope.classifier)
    name = next((name for name in classifiers.names() if classifiers.get(name) is kind), None)
    if name is None:
        raise ArtifactError(
            f"{kind.__name__} is not registered, so it could not be loaded. Register it in `classifiers`."
        )
    return name


def combined(artifacts: Sequence[Artifact]) -> ECO:
    """One unlearner for all scopes of all artifacts; a name that occurs twice is refused."""
    for artifact in artifacts:
        artifact.check_encoder()
    return ECO([scope for artifact in artifacts for scope in artifact.scopes])
