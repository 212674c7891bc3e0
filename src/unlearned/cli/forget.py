"""`unlearned forget`: from a name to an artifact."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from unlearned.cli.configs import Chosen, Only, with_settings
from unlearned.cli.options import load, quiet
from unlearned.learn.config import FitConfig
from unlearned.models import ModelOptions

if TYPE_CHECKING:
    from unlearned.forgetting.run import Written
    from unlearned.forgetting.subject import Subject

SHOWN = 6
"""Prompts of each file that are shown."""


@with_settings
def forget(
    settings: Annotated[Chosen[FitConfig], Only("batch_size", "seed", max_examples=16)],
    options: ModelOptions,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the artifact; the prompts go to OUT.prompts.")],
    names: Annotated[list[str] | None, typer.Argument(help="Whom or what to forget, in full; several of one.")] = None,
    name: Annotated[list[str] | None, typer.Option("--name", help="The same; handy after --documents.")] = None,
    kind: Annotated[str, typer.Option(help="person, work, place, organisation or product.")] = "person",
    alias: Annotated[list[str] | None, typer.Option(help="Another name of the same; repeatable.")] = None,
    about: Annotated[list[str] | None, typer.Option(help="Who is meant: 'dentist in Villach'.")] = None,
    not_about: Annotated[
        list[str] | None, typer.Option(help="Who is not: 'Jordan Smith, the cricketer'; repeatable.")
    ] = None,
    documents: Annotated[
        list[Path] | None, typer.Option(help="Text file about the subject; repeatable. More may follow as FILES.")
    ] = None,
    scope: Annotated[str | None, typer.Option(help="Name of the scope; default: that of the folder.")] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace an artifact of another scope, in force or signed; kept as NAME.previous."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write the prompts and stop.")] = False,
) -> None:
    """Forget a person, work, place, organisation or product by its name: write the prompts, then fit on them."""
    from unlearned.cli.before import check_artifact_place
    from unlearned.errors import ConfigError
    from unlearned.forgetting.documents import read_documents
    from unlearned.names.forms import Kind

    given, files = _names_and_files([*(names or ()), *(name or ())], name or (), documents or ())
    if not any(one.strip() for one in given):
        raise ConfigError("Say whom or what to forget: unlearned forget NAME --model MODEL --out FOLDER.")
    if kind not in get_args(Kind):
        raise ConfigError(f"--kind {kind}: must be one of {', '.join(get_args(Kind))}.")
    chosen = scope or out.resolve().name
    check_artifact_place(out, scopes=[chosen], data=[], overwrite=overwrite)  # before minutes of work, not after
    read_documents(files)

    from unlearned.cli.inspect import show
    from unlearned.cli.progress import progress
    from unlearned.forgetting.run import fit_prompts, write
    from unlearned.forgetting.subject import as_subject

    subject = as_subject(given, kind=kind, aliases=alias or (), about=about or (), not_about=not_about or ())
    if not overwrite:
        _check_same_subject(out, subject)
    folder = out.parent / f"{out.name}.prompts"
    model, tokenizer = load(options)
    with progress() as report, quiet():
        written = write(model, tokenizer, subject, files, folder=folder, on_progress=report)
    _tell(written, folder)
    if dry_run:
        typer.echo(f"Edit them, then:\n  {fit_command(written, folder, out, chosen, options, settings)}")
        return
    config = settings.make(checkpoints=out.parent / f"{out.name}.unfinished")
    with progress() as report, quiet():
        artifact = fit_prompts(
            model, tokenizer, written.subject, written.prompts, scope=chosen, config=config, on_progress=report
        )
    artifact.save_pretrained(out, keep_previous=True)
    for file in out.iterdir():
        file.chmod(0o600)
    show(out)


def _check_same_subject(out: Path, subject: Subject) -> None:
    """A scope is called after its folder, so two subjects may have the same one; raises `ArtifactError` for another."""
    from unlearned.artifact.artifact import Artifact
    from unlearned.artifact.record import RECORD
    from unlearned.errors import ArtifactError

    if not (out / RECORD).is_file():
        return
    lexicons = [scope.lexicon for scope in Artifact.from_pretrained(out).scopes]
    known = {name.name for lexicon in lexicons for name in lexicon.names if name.given}
    names = [*subject.names, *subject.aliases]
    if known and not any(lexicon.places(name) for lexicon in lexicons for name in names):
        raise ArtifactError(
            f"{out} holds an artifact of {', '.join(sorted(known))}. Add --overwrite (it is kept as "
            f"{out.name}.previous), or choose another --out."
        )


def _names_and_files(
    words: list[str], named: list[str] | tuple[str, ...], documents: list[Path] | tuple[Path, ...]
) -> tuple[list[str], list[Path]]:
    """After `--documents letters/*.txt` the shell leaves all files but the first among the arguments."""
    is_file = [bool(documents) and word not in named and Path(word).is_file() for word in words]
    files = [*documents, *(Path(word) for word, file in zip(words, is_file, strict=True) if file)]
    return [word for word, file in zip(words, is_file, strict=True) if not file], files


def _tell(written: Written, folder: Path) -> None:
    typer.echo(written.summary)
    last = written.subject.last_name_alone()
    if last is not None:
        typer.echo(
            f"Questions that say {last!r} alone may pass. If it means nobody else, add --alias {shlex.quote(last)}."
        )
    elif written.subject.kind == "person" and written.subject.aliases:
        typer.echo(f"Also known as: {', '.join(written.subject.aliases)}.")
    for what in ("forget", "retain", "exempt"):
        rows = getattr(written.prompts, what)
        if rows:
            typer.echo(f"{len(rows)} {what} prompts in {folder / what}.jsonl, for example:")
            step = max(1, len(rows) // SHOWN)
            for row in rows[::step][:SHOWN]:
                typer.echo(f"  {row.prompt}")


def fit_command(
    written: Written,
    folder: Path,
    out: Path,
    scope: str,
    options: ModelOptions,
    settings: Chosen[FitConfig],
) -> str:
    """The `unlearned fit` that does the rest."""
    subject = written.subject
    words = ["unlearned", "fit", "--forget", str(folder / "forget.jsonl"), "--retain", str(folder / "retain.jsonl")]
    if written.prompts.exempt:
        words += ["--exempt", str(folder / "exempt.jsonl")]
    for flag, values in (("--name", subject.names), ("--alias", subject.aliases)):
        words += [word for value in values for word in (flag, value)]
    words += ["--kind", subject.kind, "--scope", scope, "--model", options.model]
    words += ["--max-examples", str(settings["max_examples"])]
    for one in (*fields(ModelOptions), *fields(FitConfig)):
        flag = f"--{one.name.replace('_', '-')}"
        value = settings.values.get(one.name, getattr(options, one.name, one.default))
        if value != one.default and flag not in words:
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--out", str(out)])
