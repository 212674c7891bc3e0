"""Options that several subcommands share, and quiet loading."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearned.models import EMBEDDED, ModelOptions
from unlearned.settings import ANSWERS, CORRUPTION, DATA, ENFORCED, OUTPUT, SERVER

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Artifacts = Annotated[
    list[Path] | None,
    typer.Option(
        "--artifact",
        "-a",
        help="Artifact folder, of fit, forget, `train spul` or `instruct`; give it again to stack several.",
    ),
]
ScopeArtifacts = Annotated[
    list[Path] | None,
    typer.Option("--artifact", "-a", help="Artifact folder, of fit or forget; give it again to stack several."),
]
SoftPrompt = Annotated[Path | None, typer.Option(help="Now --artifact.", hidden=True)]
InstructionFolder = Annotated[Path | None, typer.Option("--instruction", help="Now --artifact.", hidden=True)]
PromptColumn = Annotated[
    str | None, typer.Option(help="Name of the prompts' column; default: prompt, question or text.")
]
AnswerColumn = Annotated[str | None, typer.Option(help="Name of the answers' column; default: answer.")]
TrustedKeys = Annotated[
    Path | None,
    typer.Option(
        envvar="UNLEARNED_TRUSTED_KEYS", help="Public keys; each artifact must be signed by one (unlearned sign)."
    ),
]
MaxNewTokens = Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Prompts per forward pass.")]

GROUP_OF = {
    DATA: "forget retain exempt general data prompt input documents prompt_column answer_column scope name alias "
    "kind about not_about text other retain_text where detector shown",
    ENFORCED: "artifact artifact_dir soft_prompt instruction trusted_keys on_flag answer answers state audit",
    CORRUPTION: "corruption",
    ANSWERS: "max_new_tokens batch_size temperature top_p truncate raw system",
    SERVER: "engine served_model_name api_key_file admin_key_file",
    OUTPUT: "out overwrite dry_run report shard record json",
}
"""Group -> options that several commands have, which `--help` lists there unless they say something else."""


def given_options(context: typer.Context, names: Sequence[str]) -> list[str]:
    """Those of these parameters of the running command that the user set, as they are written."""
    flags = {parameter.name: max(parameter.opts, key=len) for parameter in context.command.params}
    # By its name: typer may bring its own copy of click's enumeration.
    return [flags[name] for name in names if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"]


def load(options: ModelOptions) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load model and tokenizer, saying so on stderr."""
    from unlearned.models import load_model

    first = " (first use: unpacking it once)" if options.model == EMBEDDED and _not_unpacked() else ""
    with status(f"Loading {options.model}{first}"), quiet():
        return load_model(options)


def all_artifacts(artifacts: Sequence[Path] | None, soft_prompt: Path | None, instruction: Path | None) -> list[Path]:
    """The folders of --artifact, and of the options that it replaces; a line on stderr says what to write instead."""
    found = list(artifacts or ())
    for option, folder in (("--soft-prompt", soft_prompt), ("--instruction", instruction)):
        if folder is not None:
            found.append(folder)
            typer.echo(
                f"{option} {folder} is now --artifact {folder}; the old option goes with the next minor release.",
                err=True,
            )
    return found


def _not_unpacked() -> bool:
    from unlearned.embedded import cache_folder

    return not any(cache_folder().glob("smollm2-135m-instruct-*/config.json"))


@contextmanager
def status(message: str) -> Iterator[None]:
    """A line on stderr while something runs."""
    from rich.text import Text

    from unlearned.cli.console import console as make_console

    with make_console(stderr=True).status(Text(f"{message} ...")):
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' own progress bars and notices; errors still show."""
    from transformers.utils import logging

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    enabled = logging.is_progress_bar_enabled()
    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            for kind in (FutureWarning, DeprecationWarning):  # of libraries, about libraries
                warnings.simplefilter("ignore", kind)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if enabled:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def names(text: str) -> tuple[str, ...]:
    """The parts of a list that is separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
