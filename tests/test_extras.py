"""Optional dependencies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unlearned.errors import MissingExtraError
from unlearned.extras import require


def test_an_installed_module_is_returned() -> None:
    assert require("json", extra="any", purpose="This") is json
    assert require("json.decoder", extra="any", purpose="This") is json.decoder


@pytest.mark.parametrize("module", ["no_such_package_here", "no_such_package_here.part"])
def test_a_missing_module_names_purpose_and_the_extra_that_brings_it(module: str) -> None:
    with pytest.raises(
        MissingExtraError, match=rf"The report needs '{module}'\. Run: pip install 'unlearned\[report\]'"
    ):
        require(module, extra="report", purpose="The report")


def test_a_missing_extra_can_be_caught_as_an_import_error() -> None:
    with pytest.raises(ImportError):
        require("no_such_package_here", extra="report", purpose="The report")


def test_an_installed_but_broken_module_tells_its_own_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package_here.py").write_text("import absent_dependency_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_dependency_here") as caught:
        require("broken_package_here", extra="report", purpose="The report")
    assert not isinstance(caught.value, MissingExtraError)
