"""`unlearned chat`: a conversation in the terminal, optionally with the original model beside it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.generate import sampling
from unlearned.cli.options import (
    Artifacts,
    InstructionFolder,
    MaxNewTokens,
    SoftPrompt,
    TrustedKeys,
    all_artifacts,
    load,
    quiet,
)
from unlearned.models import ModelOptions
from unlearned.settings import ANSWERS

HELP = "Type a message; /new starts over, /quit (or Ctrl-D) ends."


@with_settings
def chat(
    options: ModelOptions,
    artifact: Artifacts = None,
    soft_prompt: SoftPrompt = None,
    instruction: InstructionFolder = None,
    trusted_keys: TrustedKeys = None,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Show the original model's answer beside it.")] = False,
    max_new_tokens: MaxNewTokens = 256,
    temperature: Annotated[float, typer.Option(min=0, help="0 = greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Nucleus sampling.")] = 1.0,
    seed: Annotated[int, typer.Option(help="For sampling.", rich_help_panel=ANSWERS)] = 0,
) -> None:
    """Talk to the model with the artifacts enforced."""
    from rich.text import Text

    from unlearned.cli.before import check_enforced

    folders = all_artifacts(artifact, soft_prompt, instruction)
    check_enforced(folders)

    from unlearned.api import Unlearned
    from unlearned.artifact import load as load_artifacts
    from unlearned.cli.console import bold
    from unlearned.cli.console import console as make_console

    artifacts = load_artifacts(*folders, trusted_keys=trusted_keys)
    model, tokenizer = load(options)
    with quiet():
        unlearned = Unlearned(model, tokenizer, artifacts)
        original = Unlearned(model, tokenizer) if compare else None
    console = make_console()
    start = [{"role": "system", "content": system}] if system else []
    messages, plain_messages = list(start), list(start)
    console.print(HELP, style="dim")
    while True:
        try:
            words = console.input(bold("you> ")).strip()
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if words == "/quit":
            return
        if words == "/new":
            messages, plain_messages = list(start), list(start)
            continue
        if not words:
            continue
        if words.startswith("/"):
            unknown = "" if words == "/help" else f"There is no {words.split()[0]}. "
            console.print(f"{unknown}{HELP}", style="dim", markup=False)
            continue
        with quiet():
            answer, flagged = _turn(unlearned, messages, words, max_new_tokens, sampling(temperature, top_p, seed))
            if original is not None:
                settings = sampling(temperature, top_p, seed)
                plain, _ = _turn(original, plain_messages, words, max_new_tokens, settings)
                _side_by_side(console, plain, answer, flagged)
            else:
                console.print(bold("model> ").append(Text(answer, style="not bold")))


def _turn(
    llm: Any, messages: list[dict[str, str]], words: str, max_new_tokens: int, settings: dict[str, Any]
) -> tuple[str, bool]:
    """One exchange, appended to `messages`; returns the answer and whether this message was flagged."""
    asked = [*messages, {"role": "user", "content": words}]
    answer = llm.chat(asked, max_new_tokens=max_new_tokens, **settings)
    messages[:] = [*asked, {"role": "assistant", "content": answer.text}]
    return answer.text, any(span.message == len(asked) - 1 for span in answer.verdict.spans)


def _side_by_side(console: Any, plain: str, answer: str, flagged: bool) -> None:
    from unlearned.cli.table import Table

    table = Table(expand=True)
    table.add_column("original")
    table.add_column("unlearned" + (" (flagged)" if flagged else ""))
    table.add_row(plain, answer)
    console.print(table)
