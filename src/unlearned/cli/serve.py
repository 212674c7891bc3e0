"""`unlearned serve`: an OpenAI-compatible server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import Chosen, with_settings
from unlearned.cli.options import Artifacts, TrustedKeys, given_options, load, quiet
from unlearned.models import EMBEDDED, ModelOptions
from unlearned.server.config import ServeConfig

SHARED = (
    "host", "port", "detection_timeout", "max_check_characters", "rate_limit", "watch_seconds", "log_prompts",
)  # fmt: skip
"""Settings of both engines."""


@with_settings
def serve(
    context: typer.Context,
    config: Chosen[ServeConfig],
    options: ModelOptions,
    artifact: Artifacts = None,
    artifact_dir: Annotated[
        Path | None, typer.Option(help="Watched folder of artifact folders; changes in it take effect by themselves.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="File that keeps an administrator's changes; default: in --artifact-dir.")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(help="File that keeps the history of changes; default: beside the state file.")
    ] = None,
    trusted_keys: TrustedKeys = None,
    engine: Annotated[str, typer.Option(help="What runs the model: transformers or vllm.")] = "transformers",
    on_flag: Annotated[
        list[str] | None,
        typer.Option(
            help="What happens to flagged prompts: substitute, corrupt or refuse, or SCOPE=one of them; can be given "
            "again. Default: what the artifact was fitted for."
        ),
    ] = None,
    answer: Annotated[
        list[str] | None,
        typer.Option(help="What --on-flag refuse says: TEXT, or SCOPE=TEXT for a scope that --on-flag names."),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            help="What may not be said unasked: off, names, names+quotes or names+quotes+content, or SCOPE=one of "
            "them; can be given again. Default: what the artifact was fitted with."
        ),
    ] = None,
    served_model_name: Annotated[
        str | None, typer.Option(help="What requests call the model; default: --model.")
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="Keys of clients, one KEY or LABEL:KEY a line.")] = None,
    admin_key_file: Annotated[Path | None, typer.Option(help="The same, of administrators.")] = None,
) -> None:
    """Serve a model under artifacts: /v1/chat/completions, /v1/completions; any OpenAI client works.

    With --engine vllm, options that are not listed here are vLLM's own.
    """
    from unlearned.cli.before import check_enforced
    from unlearned.errors import ConfigError
    from unlearned.extras import require
    from unlearned.server.keys import Keys
    from unlearned.server.on_flag import OnFlag

    keys = Keys.from_files(api_key_file, admin_key_file)
    said = OnFlag.read(on_flag or (), answer or ())
    check_enforced(artifact)
    if artifact_dir is not None and not artifact_dir.is_dir():
        raise ConfigError(f"There is no folder {str(artifact_dir)!r} to watch. Create it or check --artifact-dir.")
    if engine == "vllm":
        from unlearned.cli.serve_vllm import OWN, arguments, run_vllm

        if wrong := given_options(context, list(OWN)):
            instead = OWN[wrong[0].lstrip("-").replace("-", "_")]
            raise ConfigError(f"{wrong[0]} is for the transformers engine. vLLM has {instead}.")
        settings = {
            **{name: config[name] for name in SHARED},
            "max_body": config["max_body_bytes"],
            "served_model_name": served_model_name,
            "artifact": artifact,
            "artifact_dir": artifact_dir,
            "state": state,
            "audit": audit,
            "trusted_keys": trusted_keys,
            "on_flag": on_flag,
            "answer": answer,
            "api_key_file": api_key_file,
            "admin_key_file": admin_key_file,
            "answers": ",".join(answers) if answers else None,
        }
        run_vllm(arguments(options, settings, context.args))
        return
    if engine != "transformers":
        raise ConfigError(f"There is no engine {engine!r}. Use --engine transformers or --engine vllm.")
    if context.args:
        raise ConfigError(f"There is no option {context.args[0]}. See unlearned serve --help.")
    from unlearned.server.answer_policies import AnswerPolicies
    from unlearned.server.listening import listen

    require("fastapi", extra="serve", purpose="unlearned serve")
    require("uvicorn", extra="serve", purpose="unlearned serve")
    chosen = config.make(
        served_model_name=served_model_name or options.model,
        keys=keys,
        default_temperature=0.0 if options.model == EMBEDDED else None,  # it is small, and talks nonsense at 1
        on_flag=said,
        answers=AnswerPolicies.read(answers or ()),
    )
    bound = listen(chosen)
    from unlearned.server.run import run
    from unlearned.server.service import Service
    from unlearned.server.store import Sources

    sources = Sources(
        given=tuple(artifact or ()), folder=artifact_dir, state=state, audit=audit, trusted_keys=trusted_keys
    )
    model, tokenizer = load(options)
    with quiet():
        service = Service(model, tokenizer, sources, chosen)
        run(service, bound)
