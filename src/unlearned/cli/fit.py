"""`unlearned fit`: learn an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearned.cli import choices
from unlearned.cli.choices import one_of, several_of
from unlearned.cli.options import AnswerColumn, PromptColumn, given_options, load, names, quiet, with_model_options
from unlearned.models import ModelOptions

if TYPE_CHECKING:
    from unlearned.artifact.mistakes import Mistakes

SHOWN = 6
"""Prompts of a kind that are named in the terminal."""

DATA, DETECTOR, STRENGTH, RECORD = "Data", "Detection", "Corruption and its strength", "Record"
"""Groups of options in the help."""

DETECTION = (
    "exempt",
    "classifier",
    "ready",
    "background",
    "encoder",
    "calibration",
    "max_fpr",
    "alpha",
    "other_languages",
    "answers",
    "name",
    "alias",
    "kind",
)
"""Options that decide how a scope is detected."""


@with_model_options
def fit(
    context: typer.Context,
    options: ModelOptions,
    forget: Annotated[
        Path, typer.Option(help="JSONL or CSV with prompt/question/text, and optionally answer.", rich_help_panel=DATA)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the artifact.", rich_help_panel=DATA)],
    scope: Annotated[str | None, typer.Option(help="Name of what is forgotten.", rich_help_panel=DATA)] = None,
    retain: Annotated[
        Path | None,
        typer.Option(
            help="Close prompts that must stay; the same format. They also tell how unlikely answers are to a model "
            "without the knowledge (--surrogate unrelated).",
            rich_help_panel=DATA,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="What the scope is called, in full: in scope in every form; repeatable.", rich_help_panel=DATA
        ),
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name of the first --name; repeatable.", rich_help_panel=DATA)
    ] = None,
    kind: Annotated[
        str, typer.Option(help="Of --name: person, work, place, organisation or product.", rich_help_panel=DATA)
    ] = "person",
    exempt: Annotated[
        Path | None, typer.Option(help="'Not this one' examples, such as a namesake's.", rich_help_panel=DATA)
    ] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace an artifact of another scope, of other data, or in force; it is kept as NAME.previous.",
            rich_help_panel=DATA,
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
            "--classifier-only", help="Fit the detector and load no language model.", rich_help_panel=DETECTOR
        ),
    ] = False,
    detector: Annotated[
        Path | None,
        typer.Option(
            help="Artifact of --classifier-only that gets a strength and else stays as it is.",
            rich_help_panel=DETECTOR,
        ),
    ] = None,
    classifier: Annotated[
        str,
        typer.Option(
            help="kernel, neighbours, logistic or encoder.",
            callback=one_of("prompt classifier", choices.CLASSIFIERS),
            rich_help_panel=DETECTOR,
        ),
    ] = "kernel",
    ready: Annotated[
        str | None, typer.Option(help="A fine-tuned sequence classifier to use as it is.", rich_help_panel=DETECTOR)
    ] = None,
    background: Annotated[
        bool, typer.Option(help="Use the packaged general prompts as negatives, too.", rich_help_panel=DETECTOR)
    ] = True,
    encoder: Annotated[
        str | None, typer.Option(help="Sentence encoder: hub id or folder.", rich_help_panel=DETECTOR)
    ] = None,
    calibration: Annotated[
        str,
        typer.Option(
            help="Threshold by errors, fpr or conformal.",
            callback=one_of("calibration", choices.CALIBRATIONS),
            rich_help_panel=DETECTOR,
        ),
    ] = "errors",
    max_fpr: Annotated[
        float,
        typer.Option(min=0, max=1, help="Bound on false alarms among general prompts.", rich_help_panel=DETECTOR),
    ] = 0.005,
    alpha: Annotated[float, typer.Option(help="Level of the conformal calibration.", rich_help_panel=DETECTOR)] = 0.05,
    other_languages: Annotated[
        str,
        typer.Option(
            help="Languages the encoder cannot read: pass or corrupt.",
            callback=one_of("policy", choices.OTHER_LANGUAGES),
            rich_help_panel=DETECTOR,
        ),
    ] = "pass",
    answers: Annotated[
        str,
        typer.Option(
            help="What may not be said unasked, whatever the prompt: off, names, names+quotes or names+quotes+content.",
            callback=one_of("policy", choices.ANSWERS),
            rich_help_panel=DETECTOR,
        ),
    ] = "names+quotes",
    corruption: Annotated[
        str,
        typer.Option(
            help="Corruption function. best: entity_substitution where prompts name somebody, else noise; auto: try "
            "several, and which tokens.",
            callback=one_of("corruption", choices.CORRUPTIONS),
            rich_help_panel=STRENGTH,
        ),
    ] = "best",
    dims: Annotated[
        int | None,
        typer.Option(min=0, help="Embedding coordinates to disturb; default: all.", rich_help_panel=STRENGTH),
    ] = None,
    unit: Annotated[
        str,
        typer.Option(
            help="Of the strength: embedding_std or absolute.",
            callback=one_of("unit", choices.UNITS),
            rich_help_panel=STRENGTH,
        ),
    ] = "embedding_std",
    strength: Annotated[
        float | None,
        typer.Option(min=0, help="Use this strength instead of learning it.", rich_help_panel=STRENGTH),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="facts, likelihood, truth_ratio, accuracy, rouge, refusal; several separated by commas. "
            "Default: facts where the prompts name somebody, else likelihood.",
            callback=several_of("objective", choices.OBJECTIVES),
            rich_help_panel=STRENGTH,
        ),
    ] = None,
    surrogate: Annotated[
        str,
        typer.Option(
            help="What a model without the knowledge would score: unrelated, invented or a number.",
            callback=choices.surrogate,
            rich_help_panel=STRENGTH,
        ),
    ] = "unrelated",
    fluency: Annotated[bool, typer.Option(help="Keep the answers fluent.", rich_help_panel=STRENGTH)] = True,
    optimiser: Annotated[
        str,
        typer.Option(
            help="bracketing, finite_difference (the paper's) or tpe.",
            callback=one_of("optimiser", choices.OPTIMISERS),
            rich_help_panel=STRENGTH,
        ),
    ] = "bracketing",
    selector: Annotated[
        str | None,
        typer.Option(
            help="Which tokens of a flagged prompt: spans, attribution, entities (needs a tagger from the hub) or "
            "all_but_last; default: spans, or what --detector was fitted with.",
            callback=one_of("token selector", choices.SELECTORS),
            rich_help_panel=STRENGTH,
        ),
    ] = None,
    max_examples: Annotated[
        int, typer.Option(min=1, help="Forget prompts the strength is learned on.", rich_help_panel=STRENGTH)
    ] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per forward pass.", rich_help_panel=STRENGTH)] = 16,
    seed: Annotated[
        int | None,
        typer.Option(help="Make the noise reproducible; default: a new secret.", rich_help_panel=STRENGTH),
    ] = None,
) -> None:
    """Learn to forget a scope from example prompts, and save the artifact."""
    from dataclasses import replace

    from unlearned.cli.before import check_artifact_place, check_model, check_model_at_hand, check_selector
    from unlearned.cli.output import check_writable
    from unlearned.embedded import MINILM
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows

    if (scope is None) == (detector is None):
        raise ConfigError("Give either --scope NAME, or --detector FOLDER of a scope that was fitted without a model.")
    if detector is not None and classifier_only:
        raise ConfigError("--detector adds a strength, for which a model is needed: leave out --classifier-only.")
    if detector is not None and (ignored := given_options(context, DETECTION)):
        raise ConfigError(f"--detector keeps its detector as it is, so {', '.join(ignored)} would have no effect.")
    if alias and not name:
        raise ConfigError("--alias is another name of --name: give that, too.")
    forget_rows = read_rows(forget, prompt_column=prompt_column, answer_column=answer_column)
    retain_rows = read_rows(retain, prompt_column=prompt_column) if retain else []
    exempt_rows = read_rows(exempt, prompt_column=prompt_column) if exempt else []
    from unlearned.artifact.provenance import data_of
    from unlearned.artifact.record import folder_of, read_record

    scopes = [scope] if scope else [one.name for one in read_record(folder_of(detector)).scopes] if detector else []
    data = data_of({"forget": forget_rows, "retain": retain_rows, "exempt": exempt_rows})
    check_writable(errors)
    check_artifact_place(out, scopes=scopes, data=data, overwrite=overwrite)
    if detector is None:
        check_model_at_hand(ready or encoder or MINILM, "the text encoder")
    if not classifier_only:
        check_selector(selector)
        check_model(options.model)

    from unlearned.artifact.artifact import Artifact
    from unlearned.cli.inspect import show
    from unlearned.cli.progress import progress
    from unlearned.forgetting.subject import as_subject
    from unlearned.learn.fit import FitConfig, add_strength, fit_detector, kept_evaluations
    from unlearned.learn.fit import fit as fit_both

    config = FitConfig(
        names=as_subject(name, kind=kind, aliases=alias or (), about="its prompts").scope_names if name else (),
        classifier=classifier,
        ready=ready,
        checkpoints=out.parent / f"{out.name}.unfinished",
        encoder=encoder or MINILM,
        background=background,
        calibration=calibration,
        max_fpr=max_fpr,
        alpha=alpha,
        other_languages=other_languages,  # type: ignore[arg-type]
        answers=answers,  # type: ignore[arg-type]
        corruption=corruption,
        dims=dims,
        unit=unit,  # type: ignore[arg-type]
        strength=strength,
        objectives=names(objective) if objective else (),
        surrogate=surrogate,
        fluency=fluency,
        optimiser=optimiser,
        selector=selector,
        max_examples=max_examples,
        batch_size=batch_size,
        seed=seed,
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
    typer.echo(f"Try it on prompts that it has not seen: unlearned check {out} --forget HELD_OUT.jsonl", err=True)


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
