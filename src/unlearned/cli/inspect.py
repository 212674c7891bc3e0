"""`unlearned inspect`: what is in an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

KIND_NAMES = {
    "she": "given names of women",
    "he": "given names of men",
    "surname": "surnames",
    "place": "places",
    "thing": "words of titles and the like",
}

if TYPE_CHECKING:
    from unlearned.artifact.schema import BaseModelRecord, ScopeRecord


def inspect(
    artifact: Annotated[Path, typer.Argument(help="Artifact folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print unlearner.json instead, after checking it.")] = False,
) -> None:
    """Show scopes, thresholds, corruption, sizes and hashes, after checking the files."""
    from unlearned.artifact import Artifact, read_record

    Artifact.from_pretrained(artifact)  # checks hashes and arrays; the record alone would not
    if json:
        record = read_record(artifact).model_dump(mode="json")
        record.pop("secret")
        import json as json_module

        typer.echo(json_module.dumps(record, indent=2, ensure_ascii=False))
        return
    show(artifact)


def show(folder: Path) -> None:
    """Print the artifact's tables."""
    from rich.table import Table

    from unlearned.artifact import read_record
    from unlearned.cli.console import bold
    from unlearned.cli.console import console as make_console

    record = read_record(folder)
    console = make_console()
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    head = Table(show_header=False, box=None)
    for name, value in (
        ("artifact", f"{folder} ({size / 1e6:.2f} MB, {record.method}, schema {record.schema_version})"),
        ("created", record.created),
        *_model_rows(record.base_model),
        ("text encoder", f"{record.encoder.name} ({record.encoder.dimension} dimensions)"),
        *((file, f"sha256 {digest[:16]}") for file, digest in record.files.items()),
        ("libraries", ", ".join(f"{name} {number}" for name, number in record.libraries.items())),
    ):
        head.add_row(bold(name), value)
    console.print(head)
    for scope in record.scopes:
        table = Table(title=f"scope {scope.name}", title_justify="left", show_header=False)
        for name, value in _rows(scope):
            table.add_row(bold(name), value)
        console.print(table)


def _model_rows(model: BaseModelRecord | None) -> list[tuple[str, str]]:
    if model is None:
        return [("base model", "none yet: a detector, whose strength has to be learned on a model")]
    return [
        ("base model", f"{model.id}, embeddings of size {model.embedding_size}"),
        ("embeddings hash", model.embedding_sha256[:16]),
        ("tokenizer hash", model.tokenizer_sha256[:16]),
    ]


def _rows(scope: ScopeRecord) -> list[tuple[str, str]]:
    from unlearned.classify.detect import SHORT, short_threshold

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
    if c and c.spellings:
        rows.append(
            ("missed in other spellings", "\n".join(f"{kind}: {m} of {n}" for kind, (m, n) in c.spellings.items()))
        )
    if scope.known_names or scope.rare_words:
        rows.append(("lexicon", f"{scope.known_names} names, {scope.rare_words} rare words, sealed"))
    if scope.exemptions:
        rows.append(("exemptions", f"{scope.exemptions} 'not this one' examples"))
    if scope.matters is not None:
        rows.append(("follow-ups", f"count if their cosine to what forget prompts ask is {scope.matters:.2f} at least"))
    rows.append(("other languages", scope.other_languages))
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


def _interval(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:.1%} to {bounds[1]:.1%}"
