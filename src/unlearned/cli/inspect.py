"""`unlearned inspect`: what is in an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    from rich.console import Console
    from rich.table import Table

    from unlearned.artifact import read_record

    record = read_record(folder)
    console = Console()
    size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    head = Table(show_header=False, box=None)
    for name, value in (
        ("artifact", f"{folder} ({size / 1e6:.2f} MB, {record.method}, schema {record.schema_version})"),
        ("created", record.created),
        ("base model", f"{record.base_model.id}, embeddings of size {record.base_model.embedding_size}"),
        ("embeddings hash", record.base_model.embedding_sha256[:16]),
        ("tokenizer hash", record.base_model.tokenizer_sha256[:16]),
        ("text encoder", f"{record.encoder.name} ({record.encoder.dimension} dimensions)"),
        *((file, f"sha256 {digest[:16]}") for file, digest in record.files.items()),
        ("libraries", ", ".join(f"{name} {number}" for name, number in record.libraries.items())),
    ):
        head.add_row(f"[bold]{name}[/bold]", value)
    console.print(head)
    table = Table()
    for column in (
        "scope",
        "classifier",
        "threshold",
        "missed*",
        "false alarms*",
        "corruption",
        "strength",
        "remaining**",
    ):
        table.add_column(column)
    for scope in record.scopes:
        c, s, k = scope.calibration, scope.strength, scope.corruption
        strength = f"{k.strength:.4g} {k.unit}" if k.strength is not None else "-"
        table.add_row(
            scope.name,
            scope.classifier.kind,
            f"{scope.threshold:.4f}",
            f"{c.missed}/{c.forget_count} (<= {c.fnr_interval[1]:.1%})" if c else "-",
            f"{c.flagged}/{c.negative_count} (<= {c.fpr_interval[1]:.2%})" if c else "-",
            f"{k.function}, {'all' if k.dims is None else k.dims} dims, {scope.selector}",
            strength,
            f"{s.objective_value:.0%}" if s else "-",
        )
    console.print(table)
    console.print("*  on calibration data, each example scored as if not enrolled; in brackets the exact 95 % bound")
    console.print("** share of the knowledge gap |m - v_hat| that is left at this strength")
