"""What is to be enforced on vLLM: from options, the environment or its configuration, and how children learn it."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from unlearned.cli.serve_vllm import arguments, run_vllm
from unlearned.errors import ConfigError
from unlearned.models import ModelOptions
from unlearned.server.keys import Access
from unlearned.server.on_flag import OnFlag
from unlearned.vllm.combinations import check_combination, check_fixed_answers
from unlearned.vllm.fixed import FixedAnswer
from unlearned.vllm.flags import MIDDLEWARE, _adding, _reading, read_settings
from unlearned.vllm.settings import ENV, Settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ENV, "VLLM_API_KEY", "VLLM_PLUGINS", "VLLM_USE_RUST_FRONTEND"):
        monkeypatch.setenv(name, "")  # so that what a test exports is undone, too
        monkeypatch.delenv(name)


def parsed(*options: str, host: str | None = None) -> argparse.Namespace:
    """As vLLM's parser has it after our options were added."""
    parser = _adding(lambda parser: parser)(argparse.ArgumentParser())
    parser.add_argument("--host", default=host)
    parser.add_argument("--middleware", action="append", default=[])
    return parser.parse_args(options)  # type: ignore[no-any-return]


def test_options_become_settings(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("k")
    line = f"--unlearned a --unlearned /b --unlearned-admin-key-file {tmp_path}/keys --unlearned-detection-timeout 3"
    found = read_settings(parsed(*line.split(), "--unlearned-log-prompts"))
    assert found is not None
    assert found.artifacts == (str(Path("a").absolute()), "/b")
    assert (found.detection_timeout, found.log_prompts) == (3.0, True)
    assert found.serve_config().keys.access("Bearer k") is Access.ADMIN


def test_without_options_nothing_is_enforced() -> None:
    args = parsed()
    assert read_settings(args) is None
    kept = SimpleNamespace(additional_config=None)
    assert _reading(lambda cls, args: kept)(None, args).additional_config is None
    assert (args.middleware, args.host, os.environ.get(ENV)) == ([], None, None)


def test_an_option_alone_enforces_nothing_and_is_refused() -> None:
    with pytest.raises(ConfigError, match="Nothing would be enforced"):
        read_settings(parsed("--unlearned-log-prompts"))


def test_templates_of_requests_are_refused() -> None:
    args = parsed("--unlearned", "a")
    args.trust_request_chat_template = True
    with pytest.raises(ConfigError, match="trust-request-chat-template"):
        read_settings(args)


def test_children_and_workers_learn_of_it() -> None:
    args = parsed("--unlearned", "/a")
    engine_args = _reading(lambda cls, args: SimpleNamespace(additional_config={"other": 1}))(None, args)
    assert args.middleware == [MIDDLEWARE]
    assert engine_args.additional_config["other"] == 1
    config = SimpleNamespace(additional_config=json.loads(json.dumps(engine_args.additional_config)))
    assert Settings.of(config) == Settings.from_environment() == read_settings(args)


def test_keys_reach_no_configuration_that_is_logged(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("very-secret")
    args = parsed("--unlearned", "/a", "--unlearned-api-key-file", str(tmp_path / "keys"))
    engine_args = _reading(lambda cls, args: SimpleNamespace(additional_config=None))(None, args)
    assert "very-secret" not in json.dumps(engine_args.additional_config) + os.environ[ENV]


@pytest.mark.parametrize(
    "value", ["/a", ["/a"], {"artifacts": ["/a"]}, {"artifacts": ["/a"], "detection_timeout": 60.0}]
)
def test_vllms_configuration_may_name_a_folder_a_list_or_settings(value: Any) -> None:
    found = Settings.of(SimpleNamespace(additional_config={"unlearned": value}))
    assert found == Settings(artifacts=("/a",))


@pytest.mark.parametrize("text", [f"/a{os.pathsep}/b", '{"artifacts": ["/a", "/b"]}'])
def test_the_environment_may_name_folders_or_settings(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENV, text)
    assert Settings.of(SimpleNamespace(additional_config={})) == Settings(artifacts=("/a", "/b"))


@pytest.mark.parametrize("text", ['{"artifacts": ["/a"]', '{"artifact": "/a"}', '{"artifacts": 3}', "{}"])
def test_a_malformed_environment_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENV, text)
    with pytest.raises(ConfigError):
        Settings.from_environment()


def test_vllm_listens_on_this_machine_unless_an_address_is_named(tmp_path: Path) -> None:
    assert parsed("--unlearned", "/a").host == "127.0.0.1"
    assert parsed("--host", "0.0.0.0", "--unlearned", "/a").host == "0.0.0.0"
    for options in (["--unlearned", "/a", "--host", "0.0.0.0"], ["--host", "10.0.0.1", "--unlearned", "/a"]):
        with pytest.raises(ConfigError, match="there is no key"):
            read_settings(parsed(*options))
    (tmp_path / "keys").write_text("k")
    options += ["--unlearned-api-key-file", str(tmp_path / "keys")]
    assert read_settings(parsed(*options)) is not None


def test_all_of_vllms_addresses_need_a_key_where_only_the_environment_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, "/a")
    with pytest.raises(ConfigError, match="there is no key"):
        read_settings(parsed())


def test_vllms_own_keys_open_the_address_but_not_what_is_for_administrators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "theirs")
    found = read_settings(parsed("--unlearned", "/a", "--host", "0.0.0.0"))
    assert found is not None
    keys = found.serve_config().keys
    assert keys.any
    assert keys.access("Bearer theirs") is Access.NONE
    assert keys.client == ()


def vllm_config(**model: Any) -> Any:
    fields = {
        "runner_type": "generate",
        "is_encoder_decoder": False,
        "is_diffusion": False,
        "skip_tokenizer_init": False,
    }
    return SimpleNamespace(
        model_config=SimpleNamespace(**(fields | model)),
        lora_config=None,
        use_v2_model_runner=False,
        kv_transfer_config=None,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runner_type": "pooling"}, "pooling"),
        ({"is_encoder_decoder": True}, "encoder-decoder"),
        ({"is_diffusion": True}, "diffusion"),
        ({"skip_tokenizer_init": True}, "tokenizer"),
    ],
)
def test_models_that_cannot_be_protected_are_refused(change: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_combination(vllm_config(**change))


@pytest.mark.parametrize(
    ("targets", "second_runner", "fits"),
    [(None, False, False), (["q_proj", "embed_tokens"], False, False), (["q_proj"], False, True), (None, True, True)],
)
def test_lora_is_refused_where_it_would_break_embeddings(targets: Any, second_runner: bool, fits: bool) -> None:
    config = vllm_config()
    config.lora_config = SimpleNamespace(target_modules=targets)
    config.use_v2_model_runner = second_runner
    if fits:
        check_combination(config)
    else:
        with pytest.raises(ConfigError, match="LoRA"):
            check_combination(config)


def test_what_the_engine_cannot_see_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_combination(vllm_config())
    config = vllm_config()
    config.kv_transfer_config = object()
    with pytest.raises(ConfigError, match="KV connectors"):
        check_combination(config)
    monkeypatch.setenv("VLLM_USE_RUST_FRONTEND", "1")
    with pytest.raises(ConfigError, match="Rust"):
        check_combination(vllm_config())


def test_the_command_hands_its_options_to_vllm() -> None:
    settings = {"host": "127.0.0.1", "port": 8000, "served_model_name": None, "artifact": [Path("a"), Path("b")]}
    settings |= {"detection_timeout": 5.0, "log_prompts": True, "state": None, "on_flag": ["refuse"], "answer": None}
    line = arguments(ModelOptions(model="org/model", dtype="bfloat16"), settings, ["--max-model-len", "512"])
    assert (
        line
        == (
            "serve org/model --dtype bfloat16 --host 127.0.0.1 --port 8000 --served-model-name org/model --unlearned a "
            "--unlearned b --unlearned-detection-timeout 5.0 --unlearned-log-prompts --unlearned-on-flag=refuse "
            "--max-model-len 512"
        ).split()
    )
    parsed(*line[line.index("--unlearned") : line.index("--max-model-len")])  # our parser takes them


def test_fixed_answers_are_the_same_options_as_on_transformers() -> None:
    modes, answers = ["corrupt", "hp=refuse"], ["hp=- Who? I know. a=b"]
    settings = {"host": "h", "port": 1, "served_model_name": None, "artifact": [Path("/a")]}
    line = arguments(ModelOptions(), settings | {"on_flag": modes, "answer": answers}, [])
    found = read_settings(parsed(*line[line.index("--unlearned") :], host="127.0.0.1"))
    assert found is not None
    assert (found.on_flag, found.answer) == (tuple(modes), tuple(answers))
    assert found.serve_config().on_flag == OnFlag.read(modes, answers)
    assert Settings.read(json.loads(json.dumps(found.json_ready()))) == found  # as children learn it
    assert Settings.read({"artifacts": ["/a"], "on_flag": "refuse"}).serve_config().on_flag.mode("hp") == "refuse"
    with pytest.raises(ConfigError, match="must be one of"):
        read_settings(parsed("--unlearned", "/a", "--unlearned-on-flag", "refuze"))


def test_a_parser_of_thoughts_would_hide_a_fixed_answer() -> None:
    config = vllm_config()
    check_fixed_answers(config)
    config.structured_outputs_config = SimpleNamespace(reasoning_parser="deepseek_r1")
    with pytest.raises(ConfigError, match="--reasoning-parser deepseek_r1"):
        check_fixed_answers(config)


@pytest.mark.parametrize(
    ("settings", "ids", "ended", "reason"),
    [
        ({"most": None}, (5, 6, 7, 0), True, None),
        ({"most": 4}, (5, 6, 7, 0), True, None),
        ({"most": 3}, (5, 6, 7), False, None),  # as of a model that would have ended with the next token
        ({"most": 1}, (5,), False, None),
        ({"most": 9, "stops": {7, 6}}, (5, 6), True, 6),
        ({"most": 1, "stops": {6}}, (5,), False, None),
        ({"most": 9, "end": None}, (5, 6, 7), False, None),
    ],
)
def test_a_fixed_answer_is_cut_and_stopped_as_the_models_own(
    settings: dict[str, Any], ids: tuple[int, ...], ended: bool, reason: int | None
) -> None:
    assert FixedAnswer.of([5, 6, 7], **({"end": 0} | settings)) == FixedAnswer(ids, ended, reason)


def test_a_plug_in_that_is_switched_off_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_PLUGINS", "other")
    with pytest.raises(ConfigError, match="leaves out the plug-in"):
        run_vllm(["serve"])
