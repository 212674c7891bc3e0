"""`unlearned fit`: learn an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.options import AnswerColumn, PromptColumn, given_options, load, names, quiet, with_model_options
from unlearned.models import ModelOptions

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
    "name",
    "alias",
    "kind",
)
"""Options that decide how a scope is detected."""


@with_model_options
def fit(
    context: typer.Context,
    options: ModelOptions,
    forget: Annotated[Path, typer.Option(help="JSONL or CSV with prompt/question/text, and optionally answer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the artifact.")],
    scope: Annotated[str | None, typer.Option(help="Name of what is forgotten.")] = None,
    retain: Annotated[Path | None, typer.Option(help="Close prompts that must stay; the same format.")] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="What the scope is called, in full: in scope in every form; repeatable.")
    ] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name of the first --name; repeatable.")] = None,
    kind: Annotated[str, typer.Option(help="Of --name: person, work, place, organisation or product.")] = "person",
    exempt: Annotated[Path | None, typer.Option(help="'Not this one' examples, such as a namesake's.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    classifier_only: Annotated[
        bool, typer.Option("--classifier-only", help="Fit the detector and load no language model.")
    ] = False,
    detector: Annotated[
        Path | None, typer.Option(help="Artifact of --classifier-only that gets a strength and else stays as it is.")
    ] = None,
    classifier: Annotated[str, typer.Option(help="kernel, neighbours, logistic or encoder.")] = "kernel",
    ready: Annotated[str | None, typer.Option(help="A fine-tuned sequence classifier to use as it is.")] = None,
    background: Annotated[bool, typer.Option(help="Use the packaged general prompts as negatives, too.")] = True,
    encoder: Annotated[str | None, typer.Option(help="Sentence encoder: hub id or folder.")] = None,
    calibration: Annotated[str, typer.Option(help="Threshold by errors, fpr or conformal.")] = "errors",
    max_fpr: Annotated[
        float,
        typer.Option(min=0, max=1, help="Bound on false alarms among general prompts."),
    ] = 0.005,
    alpha: Annotated[float, typer.Option(help="Level of the conformal calibration.")] = 0.05,
    other_languages: Annotated[str, typer.Option(help="Languages the encoder cannot read: pass or corrupt.")] = "pass",
    corruption: Annotated[
        str,
        typer.Option(
            help="Corruption function. best: entity_substitution where prompts name somebody, else noise; auto: try "
            "several, and which tokens."
        ),
    ] = "best",
    dims: Annotated[int | None, typer.Option(min=0, help="Embedding coordinates to disturb; default: all.")] = None,
    unit: Annotated[str, typer.Option(help="Of the strength: embedding_std or absolute.")] = "embedding_std",
    strength: Annotated[float | None, typer.Option(min=0, help="Use this strength instead of learning it.")] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="facts, likelihood, truth_ratio, accuracy, rouge, refusal; several separated by commas. "
            "Default: facts where the prompts name somebody, else likelihood."
        ),
    ] = None,
    surrogate: Annotated[
        str, typer.Option(help="What a model without the knowledge would score: unrelated, invented or a number.")
    ] = "unrelated",
    fluency: Annotated[bool, typer.Option(help="Keep the answers fluent.")] = True,
    optimiser: Annotated[str, typer.Option(help="bracketing, finite_difference (the paper's) or tpe.")] = "bracketing",
    selector: Annotated[
        str | None,
        typer.Option(
            help="Which tokens of a flagged prompt: spans, attribution, entities or all_but_last; default: spans, or "
            "what --detector was fitted with."
        ),
    ] = None,
    max_examples: Annotated[int, typer.Option(min=1, help="Forget prompts the strength is learned on.")] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts per forward pass.")] = 16,
    seed: Annotated[int | None, typer.Option(help="Make the noise reproducible; default: a new secret.")] = None,
) -> None:
    """Learn to forget a scope from example prompts, and save the artifact."""
    from unlearned.artifact.artifact import Artifact, check_target
    from unlearned.cli.inspect import show
    from unlearned.cli.progress import progress
    from unlearned.embedded import MINILM
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows
    from unlearned.forgetting.subject import as_subject
    from unlearned.learn.fit import FitConfig, add_strength, fit_detector
    from unlearned.learn.fit import fit as fit_both

    if (scope is None) == (detector is None):
        raise ConfigError("Give either --scope NAME, or --detector FOLDER of a scope that was fitted without a model.")
    if detector is not None and classifier_only:
        raise ConfigError("--detector adds a strength, for which a model is needed: leave out --classifier-only.")
    if detector is not None and (ignored := given_options(context, DETECTION)):
        raise ConfigError(f"--detector keeps its detector as it is, so {', '.join(ignored)} would have no effect.")
    if alias and not name:
        raise ConfigError("--alias is another name of --name: give that, too.")
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
    check_target(out)  # before minutes of work, not after
    forget_rows = read_rows(forget, prompt_column=prompt_column, answer_column=answer_column)
    retain_rows = read_rows(retain, prompt_column=prompt_column) if retain else []
    exempt_rows = read_rows(exempt, prompt_column=prompt_column) if exempt else []
    given = Artifact.from_pretrained(detector) if detector else None
    model, tokenizer = (None, None) if classifier_only else load(options)
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
    artifact.save_pretrained(out)
    show(out)
