"""`unlearned check`: did it work on these prompts?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearned.check.config import Bounds, CheckConfig
from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, TrustedKeys, load, quiet
from unlearned.models import ModelOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearned.artifact.schema import UnlearnerRecord
    from unlearned.check.run import CheckResult
    from unlearned.examples import Row

SHOWN = 8
"""Prompts of a list in the terminal."""


@with_settings
def check(
    bounds: Chosen[Bounds],
    settings: Chosen[CheckConfig],
    options: ModelOptions,
    artifact: Annotated[Path, typer.Argument(help="Artifact folder.")],
    forget: Annotated[
        Path | None,
        typer.Option(
            help="Held-out questions about the scope; columns answer or facts say what must not come out. Default: "
            "part of the fit's own prompts, which is weaker."
        ),
    ] = None,
    retain: Annotated[Path | None, typer.Option(help="Close prompts that must stay.")] = None,
    general: Annotated[Path | None, typer.Option(help="Unrelated prompts; default: packaged ones.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of check.html and check.json; default: check-SCOPE.")
    ] = None,
    record: Annotated[bool, typer.Option(help="Keep the numbers beside the artifact and in its card.")] = True,
    trusted_keys: TrustedKeys = None,
) -> None:
    """Ask the original and the unlearned model the same prompts: what was missed, flagged wrongly, leaked, changed.

    Writes a page with all answers side by side. Exit status 1 if a bound was not kept.
    """
    from unlearned.artifact.record import folder_of, read_record
    from unlearned.cli.before import check_writable_folder
    from unlearned.errors import ArtifactError, ConfigError
    from unlearned.examples import read_rows
    from unlearned.extras import require

    known = read_record(folder_of(artifact))
    if forget is None and (retain is not None or general is not None):
        raise ConfigError("Give --forget, too; without it, all prompts are set aside from the fit's own.")
    asked = {"prompt_column": prompt_column}
    rows = {
        "forget": read_rows(forget, answer_column=answer_column, **asked) if forget else [],
        "retain": read_rows(retain, **asked) if retain else [],
    }
    general_rows = read_rows(general, **asked) if general else []
    place = out or Path(f"check-{artifact.resolve().name}")
    check_writable_folder(place)
    require("jinja2", extra="report", purpose="The page of a check")

    from unlearned.artifact.artifact import Artifact
    from unlearned.artifact.evidence import write_evidence
    from unlearned.artifact.record import SIGNATURE
    from unlearned.artifact.signing import read_trusted
    from unlearned.check.page import check_page
    from unlearned.check.run import run_check
    from unlearned.check.set_aside import own_files, without_some
    from unlearned.cli.progress import progress
    from unlearned.files import write_text

    config = settings.make(bounds=bounds.make())
    trusted = None if trusted_keys is None else read_trusted(trusted_keys)
    whole = checked = Artifact.from_pretrained(artifact, trusted=trusted)
    own = own_files(known) if forget is None else {}
    if not general_rows:
        general_rows = packaged_general([*rows["forget"], *(own or _own_if_there(known)).get("forget", [])])
    model, tokenizer = load(options)
    with progress() as report, quiet():
        if own:
            checked, rows["forget"], rows["retain"] = without_some(whole, own, report)
        result = run_check(
            model,
            tokenizer,
            checked,
            rows["forget"],
            rows["retain"],
            general_rows,
            held_out=forget is not None,
            config=config,
            on_progress=report,
        )
    evidence = result.evidence().model_copy(update={"artifact_sha256": whole.sha256})
    place.mkdir(parents=True, exist_ok=True)
    write_text(place / "check.html", check_page(result, evidence))
    write_text(place / "check.json", _json(result, evidence))
    show(result)
    if record:
        was_signed = (artifact / SIGNATURE).exists()
        try:
            write_evidence(artifact, evidence)
        except OSError as error:
            typer.echo(f"The numbers are not kept beside the artifact: {error.strerror}.", err=True)
        else:
            signed = " Its signature held for the old card and was removed: sign it again." if was_signed else ""
            typer.echo(f"Recorded in {artifact}.{signed}")
    typer.echo(f"Page: {place / 'check.html'}")
    if evidence.failures:
        raise ArtifactError(f"{whole.name}: {'; '.join(evidence.failures)}.")


def _own_if_there(known: UnlearnerRecord) -> dict[str, list[Row]]:
    from unlearned.check.set_aside import own_files
    from unlearned.errors import DataError

    try:
        return own_files(known)
    except DataError:
        return {}


def packaged_general(forget: Sequence[Row]) -> list[Row]:
    """The packaged general prompts without those that are to be forgotten: to flag these is no false alarm."""
    from unlearned.demo.concepts import general_prompts
    from unlearned.examples import Row
    from unlearned.words import squash

    own = {squash(row.prompt) for row in forget}
    return [Row(prompt) for prompt in general_prompts() if squash(prompt) not in own]


def show(result: CheckResult) -> None:
    """Print the numbers, and which prompts were missed or flagged wrongly."""
    from rich.console import Console
    from rich.text import Text

    from unlearned.artifact.evidence import summary
    from unlearned.cli.table import Table

    console = Console()
    table = Table(title=Text(f"Check of {result.artifact.name}"), title_justify="left", show_header=False)
    for name, value in summary(result.evidence()):
        table.add_row(Text(name, style="bold"), Text(value))
    console.print(table)
    for title, rows in (("Missed", result.missed()), ("Wrongly flagged", result.wrongly_flagged())):
        if rows:
            console.print(Text(f"{title}, the nearest to the threshold first:", style="bold"))
        for row in rows[:SHOWN]:
            console.print(Text(f"  {row.unlearned.verdict.score:.3f}  {row.prompt}"))
        if len(rows) > SHOWN:
            console.print(Text(f"  ... and {len(rows) - SHOWN} more, on the page"))
    if not result.held_out:
        console.print(
            Text(
                "Checked on part of the fit's own prompts, with a detector made without them: weaker than prompts by "
                "somebody else (--forget FILE).",
                style="yellow",
            )
        )


def _json(result: CheckResult, evidence: Any) -> str:
    import json

    from unlearned.check.compare import is_looping

    rows = [
        {
            "kind": c.kind,
            "prompt": c.prompt,
            "flagged": c.unlearned.flagged,
            "scope": c.unlearned.verdict.scope,
            "score": round(c.unlearned.verdict.score, 6),
            "original": c.original.text,
            "unlearned": c.unlearned.text,
            "identical": c.identical,
            "facts": [list(fact) for fact in c.question.facts] if c.question else [],
            "leaked_before": c.leaked_before,
            "leaked_after": c.leaked_after,
            "looping": is_looping(c.unlearned),
        }
        for c in result.comparisons
    ]
    strangers = [{"prompt": prompt, "original": answer.text} for prompt, answer in result.strangers]
    data = {**evidence.model_dump(mode="json"), "prompts": rows, "invented": strangers}
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
