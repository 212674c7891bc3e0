"""What is safe, what leaks, and what only upstream forbids."""

from __future__ import annotations

import pytest
import typer
from transformers import CONFIG_MAPPING, MusicgenForCausalLM
from typer.testing import CliRunner

from unlearned.cli import compat as command
from unlearned.compat import TypeResult
from unlearned.compat.check import CompatCheck, _verdict
from unlearned.engines.self_check import self_check
from unlearned.errors import UnsupportedModelError

pytestmark = pytest.mark.slow


def test_a_leak_that_the_self_check_lets_through_is_unsafe() -> None:
    leak, refused = (
        CompatCheck("leak, two positions", "fail", "still move"),
        CompatCheck("beams", "fail", "no", raised=True),
    )
    passed, failed = CompatCheck("self-check", "ok"), CompatCheck("self-check", "fail", "leaks", raised=True)
    assert TypeResult("new", "fail", checks=(leak, passed)).unsafe
    assert not TypeResult("new", "fail", checks=(leak, failed)).unsafe
    assert not TypeResult("new", "fail", checks=(refused, passed)).unsafe
    assert not TypeResult("new", "not built").unsafe


def test_the_self_check_refuses_a_model_of_audio_codebooks() -> None:
    config = CONFIG_MAPPING["musicgen"].sub_configs["decoder"](
        vocab_size=150, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, ffn_dim=64,
        pad_token_id=0, bos_token_id=1,
    )  # fmt: skip
    with pytest.raises(UnsupportedModelError, match="ModuleList"):
        self_check(MusicgenForCausalLM(config).eval(), substitute_id=75, plain_ids=[40, 41, 42, 43, 44])


def test_a_fault_outweighs_upstream_limits() -> None:
    upstream, fault = CompatCheck("two positions", "n/a upstream", "rows mix"), CompatCheck("beams", "fail", "wrong")
    assert _verdict([upstream, fault]) == ("fail", "beams: wrong")
    assert _verdict([upstream]) == ("partial", "two positions: rows mix")
    assert _verdict([CompatCheck("beams", "n/a upstream", "raises")]) == ("pass", "")


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(command.compat)
    return app


@pytest.mark.parametrize("leaks", [False, True])
def test_a_type_of_a_later_release_is_news_unless_it_leaks(leaks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (
        CompatCheck("leak, two positions", "fail", "still move", raised=not leaks),
        CompatCheck("self-check", "ok"),
    )
    result = TypeResult("llama", "fail", "leak, two positions: still move", checks)
    monkeypatch.setattr("unlearned.compat.run_all", lambda *_, **__: [result])
    monkeypatch.setattr("unlearned.compat.exceptions.KNOWN", frozenset({"gpt2"}))
    told = CliRunner().invoke(_app(), ["--types", "llama"])
    assert "New since transformers" in told.output
    assert "llama (fail)" in told.output
    assert ("llama (leaks)" in told.output) == leaks
    assert told.exit_code == int(leaks)
