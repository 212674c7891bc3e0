"""`unlearned instruct`: the plain baselines on the prompt side, to compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import AnswerColumn, PromptColumn, given_options
from unlearned.settings import DATA


@with_settings
def instruct(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="prompting, filtered-prompting, refusal or in-context.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    about: Annotated[
        list[str] | None, typer.Option(help="What the model is not to know; can be given again (prompting).")
    ] = None,
    text: Annotated[
        Path | None, typer.Option(help="File with an instruction of your own, in place of --about.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Folder of `unlearned fit`: what is flagged is instructed or refused.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(help="What a refusal says. Default: one of the packaged ones.", rich_help_panel=DATA)
    ] = None,
    forget: Annotated[Path | None, typer.Option(help="Rows that get wrong answers in the context.")] = None,
    retain: Annotated[Path | None, typer.Option(help="Rows that get their own.")] = None,
    prompt_column: PromptColumn = None,
    answer_column: AnswerColumn = None,
    shown: Annotated[int, typer.Option(min=1, help="Rows of either side in the context.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Of what is drawn.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an older instruction, which is kept as NAME.previous.")
    ] = False,
) -> None:
    """Make an instruction, a filter, a refusal or a context; `generate`, `chat` and `serve` take it as --artifact."""
    import random
    from typing import cast

    from unlearned import envelope
    from unlearned.artifact.record import read_record
    from unlearned.cli.before import check_files, check_writable_folder
    from unlearned.errors import ConfigError
    from unlearned.examples import read_rows
    from unlearned.texts import read_user_text

    own = {
        "prompting": ("about", "text"),
        "filtered-prompting": ("about", "text", "detector"),
        "refusal": ("detector", "answer", "seed"),
        "in-context": ("forget", "retain", "prompt_column", "answer_column", "shown", "seed"),
    }
    if kind not in own:
        raise ConfigError(f"{kind!r}: must be one of {', '.join(own)}.")
    others = [name for names in own.values() for name in names if name not in own[kind]]
    if wrong := given_options(context, others):
        raise ConfigError(f"{', '.join(wrong)}: not for {kind}. Leave it out.")
    if kind in ("filtered-prompting", "refusal") and detector is None:
        made_by = "unlearned fit --classifier-only --forget FILE --scope NAME --out FOLDER"
        raise ConfigError(f"{kind} needs a --detector. Make one: {made_by}.")
    envelope.check_method_place(out, envelope.INSTRUCTION, overwrite=overwrite)
    check_writable_folder(out)
    check_files(text, forget, retain)
    if detector is not None:
        read_record(detector)

    from unlearned.artifact.artifact import Artifact
    from unlearned.artifact.instruction import save_instruction
    from unlearned.learn.instructing import examples_in_context, not_to_know
    from unlearned.learn.refusals import refusals
    from unlearned.unlearners.instruction import REFUSE, Instruction, Kind

    if kind == "in-context":
        if forget is None or retain is None:
            raise ConfigError("in-context needs --forget and --retain.")
        columns = {"prompt_column": prompt_column, "answer_column": answer_column}
        words = examples_in_context(read_rows(forget, **columns), read_rows(retain, **columns), shown=shown, seed=seed)
    elif kind == "refusal":
        words = REFUSE
        answer = random.Random(seed).choice(refusals()) if answer is None else answer
    elif (text is None) == (not about):
        raise ConfigError("Give either --about or --text.")
    else:
        words = not_to_know(about or []) if text is None else read_user_text(text)
    found = None if detector is None else Artifact.from_pretrained(detector)
    scopes = None if found is None else found.unlearner()
    made = Instruction(kind=cast("Kind", kind), text=words, answer=answer, detector=scopes)
    typer.echo(f"Written to {save_instruction(made, out, detector=found, overwrite=overwrite)}")
