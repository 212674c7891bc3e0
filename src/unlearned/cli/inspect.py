"""`unlearned inspect`: what is in an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, TrustedKeys, given_options
from unlearned.envelope import DETECTOR

KIND_NAMES = {
    "she": "given names of women",
    "he": "given names of men",
    "surname": "surnames",
    "place": "places",
    "thing": "words of titles and the like",
}

if TYPE_CHECKING:
    from unlearned.artifact.fitting import FitFinding
    from unlearned.artifact.record import Identity
    from unlearned.artifact.schema import BaseModelRecord, MadeRecord, ScopeRecord

OF_SCOPES = ("forget", "retain", "exempt", "prompt_column", "answer_column")
"""Options that mean nothing to a soft prompt or an instruction."""

MARKS = {True: "✓", False: "✗", None: "?"}


@with_settings
def inspect(
    context: typer.Context,
    artifact: Annotated[Path, typer.Argument(help="Artifact folder, of any kind.")],
    json: Annotated[bool, typer.Option("--json", help="Print unlearner.json instead, after checking it.")] = False,
    forget: Annotated[Path | None, typer.Option(help="Rows that it may have been fitted with.")] = None,
    retain: Annotated[Path | None, typer.Option(help="The same, close prompts.")] = None,
    exempt: Annotated[Path | None, typer.Option(help="The same, exempt prompts.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Model that it may have been fitted on; loads it.")
    ] = None,
    trusted_keys: TrustedKeys = None,
) -> None:
    """Show scopes, thresholds, corruption, warnings and hashes, and whether all fits together: exit status 1 if not.

    With rows and a model, say line by line whether the artifact was fitted with them.
    """
    from unlearned.artifact.provenance import Role
    from unlearned.artifact.record import folder_of, identify, read_record
    from unlearned.envelope import ECO, named
    from unlearned.errors import ConfigError
    from unlearned.examples import Row, read_rows

    artifact = folder_of(artifact)
    known = identify(artifact)  # quickly, where it is not there
    if known.method != ECO:
        if wrong := given_options(context, OF_SCOPES):
            raise ConfigError(
                f"{', '.join(wrong)}: only for an artifact of scopes. {artifact} holds {named(known.method)}."
            )
        return _inspect_other(artifact, known, trusted_keys, model=model, json=json)
    given: tuple[tuple[Role, Path | None], ...] = (("forget", forget), ("retain", retain), ("exempt", exempt))
    rows: dict[Role, list[Row]] = {
        role: read_rows(file, prompt_column=prompt_column, answer_column=answer_column if role == "forget" else None)
        for role, file in given
        if file is not None
    }

    from unlearned.artifact import Artifact
    from unlearned.artifact.fitting import findings
    from unlearned.artifact.signing import read_trusted

    trusted = None if trusted_keys is None else read_trusted(trusted_keys)
    Artifact.from_pretrained(artifact)  # checks hashes and arrays; the record alone would not
    if json:
        record = read_record(artifact).model_dump(mode="json")
        record.pop("secret")
        import json as json_module

        typer.echo(json_module.dumps(record, indent=2, ensure_ascii=False))
        return
    show(artifact)
    here = None if model is None else _model_record(model)
    _tell(artifact, findings(artifact, read_record(artifact), trusted=trusted, rows=rows, model=here))


def _tell(folder: Path, found: Sequence[FitFinding]) -> None:
    """One line per question; raises `ArtifactIntegrityError` if an answer is no."""
    from unlearned.errors import ArtifactIntegrityError

    for one in found:
        typer.echo(f"{MARKS[one.holds]} {one.text}")
    if wrong := [one.text for one in found if one.holds is False]:
        raise ArtifactIntegrityError(f"{folder} does not fit together: {'; '.join(wrong)}.")


def _inspect_other(folder: Path, known: Identity, trusted_keys: Path | None, *, model: str | None, json: bool) -> None:
    """Show a soft prompt or an instruction."""
    import json as json_module

    from unlearned.artifact.fitting import plain_findings
    from unlearned.artifact.loading import read
    from unlearned.artifact.schema import BaseModelRecord
    from unlearned.artifact.signing import read_trusted
    from unlearned.envelope import record_file
    from unlearned.unlearners.spul import SPUL

    trusted = None if trusted_keys is None else read_trusted(trusted_keys)
    found = read(folder)  # checks hashes
    if json:
        record = json_module.loads(record_file(folder).read_text(encoding="utf-8"))
        typer.echo(json_module.dumps(record, indent=2, ensure_ascii=False))
        return
    rows = [("artifact", f"{folder} ({named_kind(known)})"), ("sha256", known.sha256)]
    rows += [("created", known.created)] if known.created else []
    made_for: BaseModelRecord | None = None
    if isinstance(found, SPUL):
        if recorded := found.record.get("base_model"):
            made_for = BaseModelRecord.model_validate(recorded)
        rows += [("vectors", f"{len(found.vectors)} of size {found.vectors.shape[1]}, in front of every prompt")]
        rows += _model_rows(made_for) if made_for else [("base model", "not recorded")]
        rows += [(name, str(value)) for name, value in found.record.get("config", {}).items() if value is not None]
    else:
        rows += [(name, getattr(found, name)) for name in ("text", "answer") if getattr(found, name)]
        rows += [("of", ", ".join(known.scopes) if known.scopes else "every prompt")]
    _table(rows)
    if known.scopes:
        show(folder / DETECTOR)
    here = None if model is None else _model_record(model)
    _tell(folder, plain_findings(folder, known, trusted=trusted, model=here, made_for=made_for))


def named_kind(known: Identity) -> str:
    """What it is, in words."""
    from unlearned.envelope import named

    kind = f": {known.kind}" if known.kind else ""
    return f"{named(known.method)}{kind}{', in an older format' if known.is_older else ''}"


def _table(rows: Sequence[tuple[str, str]]) -> None:
    from rich.text import Text

    from unlearned.cli.console import bold
    from unlearned.cli.console import console as make_console
    from unlearned.cli.table import Table

    table = Table(show_header=False, box=None)
    for name, value in rows:
        table.add_row(bold(name), Text(value))
    make_console().print(table)


def _model_record(model: str) -> BaseModelRecord:
    from unlearned.artifact.fingerprint import base_model_record
    from unlearned.cli.options import load
    from unlearned.engines.transformers import TransformersEngine
    from unlearned.models import ModelOptions

    return base_model_record(TransformersEngine(*load(ModelOptions(model=model))))


def show(folder: Path) -> None:
    """Print the artifact's tables."""
    from rich.text import Text

    from unlearned.artifact.doubts import doubts
    from unlearned.artifact.evidence import read_evidence, summary
    from unlearned.artifact.record import read_record
    from unlearned.cli.console import bold
    from unlearned.cli.console import console as make_console
    from unlearned.cli.table import Table

    record = read_record(folder)
    console = make_console()
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    _table(
        [
            ("artifact", f"{folder} ({size / 1e6:.2f} MB, {record.method}, schema {record.schema_version})"),
            ("sha256", record.sha256),
            ("created", record.created),
            *((name, text) for name, text in (("covers", record.about), ("reference", record.reference)) if text),
            *((step.step, _step(step)) for step in record.made),
            *_model_rows(record.base_model),
            ("text encoder", f"{record.encoder.name} ({record.encoder.dimension} dimensions)"),
            *((file, f"sha256 {digest[:16]}") for file, digest in record.files.items()),
            ("libraries", ", ".join(f"{name} {number}" for name, number in record.libraries.items())),
        ]
    )
    for scope in record.scopes:
        table = Table(title=f"scope {scope.name}", title_justify="left", show_header=False)
        for name, value in _rows(scope):
            table.add_row(bold(name), value)
        console.print(table)
        for doubt in doubts(scope.calibration, scope.strength):
            console.print(Text(f"! {scope.name}: {doubt}", style="yellow"))
    if (evidence := read_evidence(folder)) is not None:
        table = Table(title=f"checked {evidence.at}", title_justify="left", show_header=False)
        for name, value in summary(evidence):
            table.add_row(bold(name), value)
        console.print(table)


def _step(step: MadeRecord) -> str:
    data = ", ".join(f"{one.rows} {one.role} rows" for one in step.data)
    said = [step.at, *(["by", step.by] if step.by else []), *([step.command] if step.command else [])]
    return f"{' '.join(said)} ({data})"


def _model_rows(model: BaseModelRecord | None) -> list[tuple[str, str]]:
    if model is None:
        return [("base model", "none yet: a detector, whose strength has to be learned on a model")]
    return [
        ("base model", f"{model.id}, embeddings of size {model.embedding_size}"),
        ("embeddings hash", model.embedding_sha256[:16]),
        ("tokenizer hash", model.tokenizer_sha256[:16]),
    ]


def _rows(scope: ScopeRecord) -> list[tuple[str, str]]:
    from unlearned.classify.scoring import SHORT, short_threshold

    c, s, k = scope.calibration, scope.strength, scope.corruption
    rows = [("classifier", f"{scope.classifier.kind}, flags at p >= {scope.threshold:.4f}")]
    if scope.short_penalty:
        rows.append(("short texts", f"{short_threshold(scope.threshold, scope.short_penalty):.4f} up to {SHORT} bytes"))
    if c:
        rows += [
            ("calibration", f"{c.method}; data sha256 {c.data_sha256[:16]}"),
            ("missed", f"{c.missed} of {c.forget_count} forget examples (95 %: {_interval(c.fnr_interval)})"),
            ("false alarms", f"{c.flagged} of {c.negative_count} others (95 %: {_interval(c.fpr_interval)})"),
        ]
        if c.close_count is not None and c.close_flagged is not None:
            general, flagged = c.negative_count - c.close_count, c.flagged - c.close_flagged
            rows.append(("of these", f"{c.close_flagged} of {c.close_count} close, {flagged} of {general} general"))
    if c and c.spellings:
        rows.append(
            ("missed in other spellings", "\n".join(f"{kind}: {m} of {n}" for kind, (m, n) in c.spellings.items()))
        )
    if c and (first := c.first_pass) is not None:
        rows.append(
            (
                "first pass",
                f"leaves {first.left:.1%} of general texts to the encoder, and {first.passed} of {first.looked_at} "
                "texts of the scope that had not been seen",
            )
        )
    if scope.known_names or scope.rare_words:
        rows.append(("lexicon", f"{scope.known_names} names, {scope.rare_words} rare words, sealed"))
    if scope.exemptions:
        rows.append(("exemptions", f"{scope.exemptions} 'not this one' examples"))
    if scope.matters is not None:
        rows.append(("follow-ups", f"count if their cosine to what forget prompts ask is {scope.matters:.2f} at least"))
    rows.append(("other languages", scope.other_languages))
    rows.append(("answers", _answers(scope)))
    if k:
        strength = "" if k.strength is None else f", strength {k.strength:.4g} ({k.unit})"
        dims = "all" if k.dims is None else k.dims
        rows.append(("corruption", f"{k.function}{strength}, {dims} dims, on {scope.selector}"))
    if scope.names is not None:
        kinds = ", ".join(f"{count} {KIND_NAMES[kind]}" for kind, count in scope.names.items())
        rows.append(
            ("strangers", f"for {sum(scope.names.values())} words: {kinds or 'none enrolled'}; also for others")
        )
    if s and s.reason:
        rows.append(("why this one", s.reason))
    if s:
        for m in s.measures:
            rows.append((m.name, f"{m.plain:.2f} -> {m.found:.2f}, {m.surrogate:.2f} aimed at ({s.surrogate})"))
        rows.append(("distance left", f"{s.chosen.distance:.0%} ({len(s.trace)} evaluations on {s.examples} examples)"))
        if s.reference_perplexity is not None and s.chosen.perplexity is not None:
            fluent = f"perplexity {s.chosen.perplexity:.1f} against {s.reference_perplexity:.1f}"
            rows.append(("answers", f"{fluent} of not knowing, {s.chosen.degenerate:.0%} empty or repeating"))
        if s.candidates:
            best = ", ".join(f"{c.function} on {c.selector} {c.chosen.value:.2f}" for c in s.candidates if c.pareto)
            rows.append(("chosen among", f"{len(s.candidates)}; not dominated: {best}"))
    return rows


def _answers(scope: ScopeRecord) -> str:
    held = scope.answers
    if held is None:
        return "nothing is held back: made without an answer side"
    parts = [f"{held.names} names, sealed"]
    if (quotes := held.quotes) is not None:
        parts.append(f"quotes of more than {quotes.bound} words, of {quotes.count} runs")
    return f"{held.policy} are held back ({'; '.join(parts)})" if held.policy != "off" else "nothing is held back: off"


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.1%} to {bounds[1]:.1%}"
