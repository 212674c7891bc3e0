"""The result appears as a whole, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from method_rows import Train

from unlearned.checkpoints import last_complete
from unlearned.errors import ConfigError, DataError, FitError
from unlearned.methods import train as train_module

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),  # peft asks for it
]


def test_the_same_training_is_not_done_twice_and_nothing_is_overwritten(train: Train, tmp_path: Path) -> None:
    folder = train("ga")
    stamp = (folder / "training.json").stat().st_mtime_ns
    lines: list[str] = []
    train("ga", tell=lines.append)
    assert (folder / "training.json").stat().st_mtime_ns == stamp
    assert "already" in lines[0]
    with pytest.raises(ConfigError, match="holds something else"):
        train("gd")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="holds something else"):
        train("ga", "other")


@pytest.mark.parametrize("name", ["ssd", "ga"])
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    name: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prepared(*_: Any, **__: Any) -> None:
        raise AssertionError("the work began")

    monkeypatch.setattr(train_module, "prepare_weights", prepared)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="Cannot write to"):
        train(name, "file/out")
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_checkpoints_stay_where_no_weights_were_written(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the Trainer does with some settings of sharded training."""

    def nothing(prepared: Any, trainer: Any, tokenizer: Any, target: Path) -> None:
        target.with_name(f".{target.name}.new").mkdir()

    monkeypatch.setattr(train_module, "write_weights", nothing)
    with pytest.raises(FitError, match=r"wrote no weights; the checkpoints in .*out\.unfinished stay"):
        train("ga")
    assert last_complete(tmp_path / "out.unfinished")
    assert not (tmp_path / "out").exists()
