"""The compatibility matrix: every causal-LM type of the installed transformers, and LoRA on top of three of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import typer
from typer.testing import CliRunner

from unlearned.cli import compat as command
from unlearned.compat import TypeResult, check_model, model_types, run_all, tiny_model
from unlearned.compat import run as sweep
from unlearned.compat.exceptions import EXCEPTIONS, KNOWN, RELEASE
from unlearned.compat.tiny import enliven
from unlearned.engines.injection import EmbeddingInjection
from unlearned.errors import UnknownNameError

pytestmark = pytest.mark.slow

SIDE_PATHS = ["blt", "deepseek_v4", "gemma3n_text", "gemma4_text", "qwen4_exp_text"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost such small models more than they bring, and a hundred times more where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def matrix() -> Mapping[str, TypeResult]:
    return {result.model_type: result for result in run_all(workers=2, timeout=120)}


@pytest.mark.timeout(2400)  # the first of them waits for the whole matrix
def test_every_model_type_passes_except_the_known_exceptions(matrix: Mapping[str, TypeResult]) -> None:
    """What other releases than the lists' change is news, and said as the reason of a skip."""
    assert set(matrix) == set(model_types())
    unsafe = [result for result in matrix.values() if result.unsafe]
    assert not unsafe
    wrong, news = list[TypeResult](), list[str]()
    for model_type, result in matrix.items():
        listed = ("partial", "not built") if model_type in EXCEPTIONS else ("pass",)  # upstream's, or no text model
        if model_type not in KNOWN:
            news.append(f"{model_type} is new: {result.status} {result.cause}")
        elif result.status not in listed and transformers.__version__ != RELEASE:
            news.append(f"{model_type} is other: {result.status} {result.cause}")
        elif result.status not in listed:
            wrong.append(result)
    assert not wrong, "is the list of exceptions right?\n" + "\n".join(map(str, wrong))
    if news:
        pytest.skip(f"in transformers {transformers.__version__}: " + "; ".join(news))


def test_no_partial_type_is_wrong_one_prompt_at_a_time(matrix: Mapping[str, TypeResult]) -> None:
    for result in matrix.values():
        alone = [check for check in result.checks if check.name == "alone"]
        assert all(check.outcome == "ok" for check in alone), result


@pytest.mark.filterwarnings("ignore")  # PEFT's, about tied embeddings
@pytest.mark.parametrize(
    ("model_type", "attention"),
    [("llama", ["q_proj", "v_proj"]), ("gpt2", ["c_attn"]), ("deepseek_v3", ["q_b_proj", "o_proj"])],
)
@pytest.mark.parametrize("with_embedding", [False, True])
def test_a_model_under_lora_passes(model_type: str, attention: list[str], with_embedding: bool) -> None:
    peft = pytest.importorskip("peft")
    embedding = {"gpt2": "wte"}.get(model_type, "embed_tokens")
    targets = [*attention, embedding] if with_embedding else attention
    wrapped = peft.get_peft_model(tiny_model(model_type), peft.LoraConfig(target_modules=targets, r=4)).eval()
    enliven(wrapped, seed=1)  # LoRA starts as no change at all
    result = check_model(model_type, wrapped)
    assert result.status == "pass", result


@pytest.mark.parametrize("model_type", SIDE_PATHS)
def test_without_the_substitute_id_the_checks_find_the_leak(model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = EmbeddingInjection._before_forward

    def leaky(self: EmbeddingInjection, module: Any, args: Any, kwargs: Any) -> Any:
        changed = original(self, module, args, kwargs)
        if changed is None or self._pending is None:
            return changed
        self._pending = (kwargs["input_ids"], *self._pending[1:])
        return args, kwargs

    monkeypatch.setattr(EmbeddingInjection, "_before_forward", leaky)
    result = check_model(model_type, tiny_model(model_type))
    outcomes = {check.name: check.outcome for check in result.checks}
    assert outcomes["leak, two positions"] == outcomes["self-check"] == "fail", result
    assert not result.unsafe  # the self-check would have refused it


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="'lama'"):
        run_all(["lama"])


def test_a_hanging_type_is_a_result() -> None:
    started = time.monotonic()
    (result,) = run_all(["llama"], timeout=0.01)
    assert (result.status, result.cause) == ("fail", "no answer within 0.01 s")
    assert time.monotonic() - started < 30


def test_a_crashing_type_is_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "_child", _crash)
    (result,) = run_all(["llama"])
    assert (result.status, result.cause) == ("fail", "crashed with exit code 3")


def _crash(*_: Any) -> None:
    os._exit(3)


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(command.compat)
    return app


def test_the_command_prints_totals_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    result = CliRunner().invoke(_app(), ["--types", "llama,rwkv", "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert "1 pass, 1 partial of 2 types" in result.output
    record = json.loads(file.read_text())
    assert record["totals"] == {"pass": 1, "partial": 1, "fail": 0, "not built": 0}
    assert {entry["model_type"] for entry in record["types"]} == {"llama", "rwkv"}
    assert [path.name for path in file.parent.iterdir()] == ["matrix.json"]


def test_the_command_fails_for_a_type_that_should_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearned.compat.exceptions.EXCEPTIONS", {})
    result = CliRunner().invoke(_app(), ["--types", "musicgen"])
    assert result.exit_code == 1
    assert "not a known exception: musicgen" in result.output
