"""`unlearned fit`: learn an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearned.cli.configs import Chosen, option_names, with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, given_options, load, quiet
from unlearned.learn.config import ClassifierConfig, FitConfig
from unlearned.models import ModelOptions
from unlearned.settings import DETECTION, RECORD

if TYPE_CHECKING:
    from unlearned.artifact.mistakes import Mistakes

SHOWN = 6
"""Prompts of a kind that are named in the terminal."""

NAMED = ("exempt", "name", "alias", "kind")
"""Options that decide, beside those of `ClassifierConfig`, how a scope is detected."""


@with_settings
def fit(
    context: typer.Context,
    settings: Chosen[FitConfig],
    options: ModelOptions,
    forget: Annotated[Path, typer.Option(help="JSONL or CSV with prompt/question/text, and optionally answer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the artifact.")],
    scope: Annotated[str | None, typer.Option(help="Name of what is forgotten.")] = None,
    retain: Annotated[
        Path | None,
        typer.Option(
            help="Close prompts that must stay; the same format. They also tell how unlikely answers are to a model "
            "without the knowledge (--surrogate unrelated)."
        ),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="What the scope is called, in full: in scope in every form; repeatable.")
    ] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name of the first --name; repeatable.")] = None,
    kind: Annotated[str, typer.Option(help="Of --name: person, work, place, organisation or product.")] = "person",
    exempt: Annotated[Path | None, typer.Option(help="'Not this one' examples, such as a namesake's.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace an artifact of another scope, of other data, in force or signed; kept as NAME.previous.",
        ),
    ] = False,
    about: Annotated[
        str | None, typer.Option(help="What the scope covers, and why, for record and card.", rich_help_panel=RECORD)
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="The case or request that it answers: 'case 4711'.", rich_help_panel=RECORD)
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            help="JSONL file of the prompts that the detector missed or flagged wrongly in calibration.",
            rich_help_panel=RECORD,
        ),
    ] = None,
    classifier_only: Annotated[
        bool,
        typer.Option(
            "--classifier-only", help="Fit the detector and load no language model.", rich_help_panel=DETECTION
        ),
    ] = False,
    detector: Annotated[
        Path | None,
        typer.Option(
            help="Artifact of --classifier-only that gets a strength and else stays as it is.",
            rich_help_panel=DETECTION,
        ),
    ] = None,
) -> None:
    """Learn to forget a scope from example prompts, and save the artifact."""
    from dataclasses import replace
    from shlex import quote

    from unlearned.cli.before import (
        check_artifact_place,
        check_model_at_hand,
        check_selector,
        refuse_both,
    )
    from unlearned.cli.output import check_writable
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows

    if (scope is None) == (detector is None):
        raise ConfigError("Give either --scope NAME, or --detector FOLDER of a scope that was fitted without a model.")
    if detector is not None and classifier_only:
        raise ConfigError("--detector adds a strength, for which a model is needed: leave out --classifier-only.")
    if detector is not None and (ignored := given_options(context, [*NAMED, *option_names(ClassifierConfig)])):
        raise ConfigError(f"--detector keeps its detector as it is, so {', '.join(ignored)} would have no effect.")
    if scope is not None and not scope.strip():
        raise ConfigError("The scope needs a name: --scope NAME.")
    if alias and not name:
        raise ConfigError("--alias is another name of --name: give that, too.")
    forget_rows = read_rows(forget, prompt_column=prompt_column, answer_column=answer_column)
    retain_rows = read_rows(retain, prompt_column=prompt_column) if retain else []
    exempt_rows = read_rows(exempt, prompt_column=prompt_column) if exempt else []
    refuse_both(forget_rows, retain_rows, "retained")
    refuse_both(forget_rows, exempt_rows, "exempted")
    from unlearned.artifact.provenance import data_of
    from unlearned.artifact.record import folder_of, read_record

    scopes = [scope] if scope else [one.name for one in read_record(folder_of(detector)).scopes] if detector else []
    data = data_of({"forget": forget_rows, "retain": retain_rows, "exempt": exempt_rows})
    check_writable(errors)
    check_artifact_place(out, scopes=scopes, data=data, overwrite=overwrite)
    if detector is None:
        check_model_at_hand(settings["ready"] or settings["encoder"], "the text encoder")
    if not classifier_only:
        check_selector(settings["selector"])

    from unlearned.artifact.artifact import Artifact
    from unlearned.cli.inspect import show
    from unlearned.cli.progress import progress
    from unlearned.forgetting.subject import as_subject
    from unlearned.learn.fit import add_strength, fit_detector, kept_evaluations
    from unlearned.learn.fit import fit as fit_both

    config = settings.make(
        names=as_subject(name, kind=kind, aliases=alias or (), about="its prompts").scope_names if name else (),
        checkpoints=out.parent / f"{out.name}.unfinished",
    )
    given = Artifact.from_pretrained(detector) if detector else None
    model, tokenizer = (None, None) if classifier_only else load(options)
    kept = kept_evaluations(forget_rows, retain_rows, exempt_rows, scope or "", config) if model else None
    if kept:
        typer.echo(f"Going on after {kept} evaluations.", err=True)
    with progress() as report, quiet():
        if given is not None and model is not None and tokenizer is not None:
            artifact = add_strength(
                model, tokenizer, given, forget_rows, retain_rows, config=config, on_progress=report
            )
        elif model is not None and tokenizer is not None:
            artifact = fit_both(
                model,
                tokenizer,
                forget_rows,
                retain_rows,
                scope=scope or "",
                exempt=exempt_rows,
                config=config,
                on_progress=report,
            )
        else:
            artifact = fit_detector(
                forget_rows, retain_rows, scope=scope or "", exempt=exempt_rows, config=config, on_progress=report
            )

    said = replace(artifact, about=about or artifact.about, reference=reference or artifact.reference)
    said.save_pretrained(out, keep_previous=True)
    show(out)
    for mistakes in artifact.mistakes.values():
        _tell(mistakes)
        if errors is not None:
            mistakes.write(errors)
    typer.echo(
        f"Try it on prompts that it has not seen: unlearned check {quote(str(out))} --forget HELD_OUT.jsonl", err=True
    )


def _tell(mistakes: Mistakes) -> None:
    """Which prompts were missed or flagged wrongly, and what would help."""
    for what, found in (("missed", mistakes.missed), ("flagged wrongly", mistakes.flagged)):
        for one in found[:SHOWN]:
            kind = "" if one.kind == "forget" else f", {one.kind}"
            typer.echo(f"{what} ({one.score:.3f}{kind}): {' '.join(one.prompt.split())[:100]}")
        if len(found) > SHOWN:
            typer.echo(f"... and {len(found) - SHOWN} more {what}: --errors FILE")
    for advice in mistakes.advice():
        typer.echo(advice)
