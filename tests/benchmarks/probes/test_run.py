"""The probes: what is read out of features, how models are asked, and the whole run on a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from probes_rows import write
from typer.testing import CliRunner

from unlearned.benchmarks.probes.config import AskConfig, ProbesConfig
from unlearned.benchmarks.probes.run import run_probes
from unlearned.benchmarks.probes.spec import RELEARNING, REPEAT, aggregate
from unlearned.benchmarks.results import read_results
from unlearned.cli.main import app
from unlearned.errors import ConfigError, MissingExtraError
from unlearned.models import ModelOptions

pytestmark = pytest.mark.filterwarnings("ignore::unlearned.errors.ArtifactWarning")


@pytest.mark.slow
def test_the_command_writes_a_run_that_is_kept(
    tiny_model: Any,
    tiny_tokenizer: Any,
    make_artifact: Any,
    bag_of_words: Any,
    tmp_path: Path,
    rows: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("unlearned.artifact.artifact.sentence_encoder", lambda name: bag_of_words)
    make_artifact().save_pretrained(tmp_path / "mine")
    tiny_model.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    out = tmp_path / "out"
    arguments = ["bench", "probes", "--data", str(write(tmp_path, rows)), "--artifact", str(tmp_path / "mine")]
    arguments += ["--model", str(tmp_path / "model"), "--out", str(out), "--max-new-tokens", "4", "--limit", "6"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "mine" in result.output
    assert (out / "layers.svg").read_text(encoding="utf-8").startswith("<svg")
    first = read_results(out)
    assert [model.name for model in first.models] == ["start", "mine"]
    start = {item["set"]: item for item in first.models[0].items}
    assert start[REPEAT]["flagged"] == 0.0
    plain, mine = ([i for i in model.items if i["set"] == RELEARNING] for model in first.models)
    assert [item["answer_changed"] for item in mine] == [
        float(item["said_without"] != before["said_without"]) for item, before in zip(mine, plain, strict=True)
    ]
    assert "answer_changed" not in plain[0]
    assert aggregate(first.models[1].items)[RELEARNING]["answer_changed"].count == len(mine)
    monkeypatch.setattr("unlearned.benchmarks.probes.run.ask", None)  # nothing is asked again
    config = ProbesConfig(
        data=str(tmp_path / "questions.jsonl"),
        artifacts=(tmp_path / "mine",),
        model=ModelOptions(model=str(tmp_path / "model")),
        limit=6,
        ask=AskConfig(max_new_tokens=4),
    )
    assert run_probes(config, out).models == first.models
    with pytest.raises(ConfigError, match="at least one artifact"):
        ProbesConfig(data="x", artifacts=())
    with pytest.raises(ConfigError, match="same name"):
        ProbesConfig(data="x", artifacts=(Path("a/mine"), Path("b/mine")))


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_extra_is_told_before_anything_is_run(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("unlearned.extras.import_module", absent)
    monkeypatch.setattr("unlearned.benchmarks.probes.run.run_probes", None)
    with pytest.raises(MissingExtraError, match=missing):
        CliRunner().invoke(app, ["bench", "probes", "--data", __file__, "--artifact", "a"], catch_exceptions=False)
