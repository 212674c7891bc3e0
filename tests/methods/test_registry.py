"""Finding methods: built in, from an installed package, and not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from method_rows import Train
from typer.testing import CliRunner

from unlearned.cli.main import app
from unlearned.errors import ConfigError, UnknownNameError
from unlearned.methods.describe import describe, describe_all
from unlearned.methods.registry import BUILT_IN, make_method, methods

DOCS = (Path(__file__).parents[2] / "docs" / "how-to" / "method.md").read_text(encoding="utf-8")
PLUG_IN = next(code for code in re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL) if "WeightedAscent" in code)
"""The documentation's own example of a method from outside."""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Install a package: its module, and a dist-info folder with entry points."""

    def install(module: str, source: str, *points: str) -> None:
        site = tmp_path / "site"
        info = site / f"{module}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[unlearned.methods]\n" + "\n".join(points) + "\n")
        monkeypatch.syspath_prepend(str(site))

    return install


def test_an_installed_package_adds_a_method(installed: Any, train: Train) -> None:
    installed("my_package", PLUG_IN, "wga = my_package:WeightedAscent")
    assert 'wga = "my_package:WeightedAscent"' in DOCS
    assert "wga" in methods().names()
    assert describe("wga")["paper"] == "WGA, arXiv:2502.19301"
    folder = train("wga", settings={"beta": "0.5"})
    assert json.loads((folder / "training.json").read_text())["settings"] == {"beta": 0.5}


def test_a_name_that_is_taken_is_refused_with_the_package(installed: Any) -> None:
    installed("rude_package", PLUG_IN, "npo = rude_package:WeightedAscent")
    with pytest.raises(ConfigError, match="'rude-package' adds a method 'npo'"):
        methods()


def test_a_broken_package_is_named_when_its_method_is_asked_for(installed: Any) -> None:
    installed("broken_package", "import no_such_module", "broken = broken_package:Method")
    with pytest.raises(ConfigError, match="'broken' cannot be imported"):
        make_method("broken")
    assert make_method("npo").needs_reference  # the others work


def test_a_broken_package_hides_no_other_method(installed: Any) -> None:
    needy = PLUG_IN.replace("    beta: float = 1.0\n", "    beta: float\n")
    assert needy != PLUG_IN
    installed("broken_package", "import no_such_module", "broken = broken_package:Method")
    installed("needy_package", needy, "needy = needy_package:WeightedAscent")
    installed("wild_package", "raise RuntimeError('not today')", "wild = wild_package:Method")
    found = {row["name"]: row for row in describe_all()}
    assert found.keys() == {*BUILT_IN, "spul", "broken", "needy", "wild"}
    assert found["npo"]["paper"] == "NPO, arXiv:2404.05868"
    listed = CliRunner().invoke(app, ["methods"])
    assert listed.exit_code == 0
    lines = {line.split()[0]: line for line in listed.stdout.splitlines() if line}
    assert (
        "cannot be used: The method 'broken' cannot be imported: No module named 'no_such_module'." in lines["broken"]
    )
    assert "cannot be used: The method 'needy' has no default for beta." in lines["needy"]
    assert "cannot be used: The method 'wild' cannot be imported: not today." in lines["wild"]
    assert "arXiv:2404.05868" in lines["npo"]
    with pytest.raises(ConfigError, match="Give --set beta=VALUE"):
        make_method("needy")
    assert make_method("needy", {"beta": "2"}).beta == 2  # type: ignore[attr-defined]


def test_something_that_is_no_method_is_refused(installed: Any) -> None:
    installed("odd_package", "Odd = dict", "odd = odd_package:Odd")
    with pytest.raises(ConfigError, match="must be a subclass"):
        make_method("odd")


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'simnpo'"):
        make_method("simmpo")


def test_settings_are_read_as_their_types_and_checked() -> None:
    assert make_method("po", {"po_sum": "true"}).po_sum is True  # type: ignore[attr-defined]
    assert make_method("llmu", {"answers": "3"}).answers == 3  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="Did you mean 'beta'"):
        make_method("npo", {"betta": "1"})
    with pytest.raises(ConfigError, match="beta='much' of npo: Input should be a valid number"):
        make_method("npo", {"beta": "much"})
    with pytest.raises(ConfigError, match="kl_mask='some' of kl: Input should be 'attention', 'labels' or 'all'"):
        make_method("kl", {"kl_mask": "some"})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("npo", {"beta": 0}),
        ("npo", {"beta": "nan"}),
        ("gd", {"retain_weight": -1}),
        ("simnpo", {"beta": -1}),
        ("undial", {"beta": -1}),
        ("rmu", {"steering": -1}),
        ("rmu", {"trainable_pattern": "("}),
        ("llmu", {"answers": 0}),
        ("scrub", {"temperature": 0}),
        ("sku", {"max_divergence": 0}),
        ("task-vector", {"scale": 0}),
        ("ssd", {"alpha": 0}),
    ],
)
def test_settings_outside_their_range_are_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        make_method(name, settings)
