"""`unlearned serve`: an OpenAI-compatible server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unlearned.cli.configs import with_settings
from unlearned.cli.options import Artifacts, TrustedKeys, given_options, load, quiet
from unlearned.models import EMBEDDED, ModelOptions


@with_settings
def serve(
    context: typer.Context,
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
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's own need a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 8000,
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
            help="What may not be said unasked: off, names or names+quotes, or SCOPE=one of them; can be given again. "
            "Default: what the artifact was fitted with."
        ),
    ] = None,
    served_model_name: Annotated[
        str | None, typer.Option(help="What requests call the model; default: --model.")
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="Keys of clients, one KEY or LABEL:KEY a line.")] = None,
    admin_key_file: Annotated[Path | None, typer.Option(help="The same, of administrators.")] = None,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Answers that share a forward pass; 1 = each is computed alone, to the last bit.")
    ] = 32,
    max_queue: Annotated[int, typer.Option(min=1, help="Answers that may wait; then 429.")] = 1024,
    default_max_tokens: Annotated[
        int, typer.Option(min=1, help="Longest chat answer where a request is silent.")
    ] = 512,
    max_body: Annotated[int, typer.Option(min=1, help="Largest request, in bytes.")] = 4 * 2**20,
    detection_timeout: Annotated[float, typer.Option(help="Seconds; then 503 and no answer.")] = 60.0,
    max_check_characters: Annotated[
        int, typer.Option(min=1, help="Characters that may wait to be checked; then 429.")
    ] = 1_000_000,
    rate_limit: Annotated[int | None, typer.Option(min=1, help="Requests a minute of each key or address.")] = None,
    watch_seconds: Annotated[float, typer.Option(help="How often --artifact-dir is looked at.")] = 2.0,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write prompts into the log.")] = False,
) -> None:
    """Serve a model under artifacts: /v1/chat/completions, /v1/completions; any OpenAI client works.

    With --engine vllm, options that are not listed here are vLLM's own.
    """
    from unlearned.cli.before import check_enforced, check_model
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
            "host": host,
            "port": port,
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
            "max_body": max_body,
            "detection_timeout": detection_timeout,
            "max_check_characters": max_check_characters,
            "rate_limit": rate_limit,
            "watch_seconds": watch_seconds,
            "log_prompts": log_prompts,
            "answers": ",".join(answers) if answers else None,
        }
        run_vllm(arguments(options, settings, context.args))
        return
    if engine != "transformers":
        raise ConfigError(f"There is no engine {engine!r}. Use --engine transformers or --engine vllm.")
    if context.args:
        raise ConfigError(f"There is no option {context.args[0]}. See unlearned serve --help.")
    check_model(options.model)
    from unlearned.server.answer_policies import AnswerPolicies
    from unlearned.server.config import ServeConfig
    from unlearned.server.listening import listen

    require("fastapi", extra="serve", purpose="unlearned serve")
    require("uvicorn", extra="serve", purpose="unlearned serve")
    config = ServeConfig(
        host=host,
        port=port,
        served_model_name=served_model_name or options.model,
        keys=keys,
        default_temperature=0.0 if options.model == EMBEDDED else None,  # it is small, and talks nonsense at 1
        on_flag=said,
        answers=AnswerPolicies.read(answers or ()),
        max_batch=max_batch,
        max_queue=max_queue,
        default_max_tokens=default_max_tokens,
        max_body_bytes=max_body,
        detection_timeout=detection_timeout,
        max_check_characters=max_check_characters,
        rate_limit=rate_limit,
        watch_seconds=watch_seconds,
        log_prompts=log_prompts,
    )
    bound = listen(config)
    from unlearned.server.run import run
    from unlearned.server.service import Service
    from unlearned.server.store import Sources

    sources = Sources(
        given=tuple(artifact or ()), folder=artifact_dir, state=state, audit=audit, trusted_keys=trusted_keys
    )
    model, tokenizer = load(options)
    with quiet():
        service = Service(model, tokenizer, sources, config)
        run(service, bound)
