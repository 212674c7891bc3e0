"""`unlearned score tofu` as a user runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import commands
from unlearned.benchmarks.tofu.log import SETS, Generated, SetLog, TofuLog, write_log

pytestmark = pytest.mark.slow

LOGS = Path(os.environ.get("UNLEARNED_DATA", "")) / "tofu_logs"
COMPONENTS = {f"{name}_{measure}" for name in SETS for measure in ("prob", "rouge", "truth_ratio")}


def run(*arguments: str | Path, cwd: Path) -> commands.Done:
    return commands.run("score", "tofu", *arguments, cwd=cwd)


def made_up(seed: int, forget: int = 8, split: str = "forget01") -> TofuLog:
    generator = np.random.default_rng(seed)

    def one(name: str, count: int) -> SetLog:
        return SetLog(
            ids=np.arange(count),
            answer_losses=generator.exponential(size=count),
            paraphrased_losses=generator.exponential(size=count),
            wrong_losses=generator.exponential(size=(count, 3)),
            rouge_recall=generator.uniform(size=count),
            generated=tuple(Generated(f"{i}?", "words", f"{name} {i}") for i in range(count)),
        )

    sizes = {"retain": 9, "forget": forget, "real_authors": 7, "world_facts": 6}
    return TofuLog(**{name: one(split if name == "forget" else name, size) for name, size in sizes.items()})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write_log(folder / "log.json", made_up(0))
    write_log(folder / "retained.json", made_up(1))
    write_log(folder / "longer.json", made_up(2, forget=12))
    write_log(folder / "other.json", made_up(3, split="forget05"))
    (folder / "broken.json").write_text('{"eval_log.json": ')
    return folder


def result(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    done = run(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_one_json_object_with_every_component(place: Path) -> None:
    found = result("--log", "log.json", "--retain-log", "retained.json", cwd=place)
    assert set(found) >= COMPONENTS | {
        "model_utility", "forget_quality", "log10_forget_quality", "ks_statistic", "truth_ratio", "counts",
        "standard_errors", "agreement_spearman", "agreement_log_distance", "agreement_wilcoxon_p", "agreement_missing",
    }  # fmt: skip
    assert set(found["standard_errors"]) >= COMPONENTS | {"model_utility"}
    assert found["counts"] == {
        "retain": 9, "forget": 8, "real_authors": 7, "world_facts": 6, "retained_forget": 8,
    }  # fmt: skip
    assert found["agreement_missing"] is None
    assert -1 <= found["agreement_spearman"] <= 1


def test_without_the_retained_models_log_there_is_no_forget_quality(place: Path) -> None:
    found = result("--log", "log.json", cwd=place)
    assert found["forget_quality"] is found["ks_statistic"] is found["agreement_spearman"] is None
    assert found["agreement_missing"]
    assert 0 < found["model_utility"] < 1


def test_every_option_reaches_the_computation(place: Path) -> None:
    plain = result("--log", "log.json", "--retain-log", "retained.json", cwd=place)
    options = {"fold": ["--fold"], "ds_size": ["--ds-size", "5"], "mean": ["--mean", "arithmetic"]}
    for option, arguments in options.items():
        found = result("--log", "log.json", "--retain-log", "retained.json", *arguments, cwd=place)
        assert found["settings"][option] != plain["settings"][option]
        assert (found["forget_quality"], found["model_utility"]) != (plain["forget_quality"], plain["model_utility"])


def test_logs_with_other_numbers_of_forget_rows_are_tested_but_not_paired(place: Path) -> None:
    found = result("--log", "log.json", "--retain-log", "longer.json", cwd=place)
    assert found["forget_quality"] is not None
    assert found["agreement_log_distance"] is None
    assert found["agreement_missing"] == "the two logs have 8 and 12 forget rows"
    printed = " ".join(run("--log", "log.json", "--retain-log", "longer.json", cwd=place).stdout.split())
    assert "left out: the two logs have 8 and 12 forget rows" in printed


def test_the_table_is_readable(place: Path) -> None:
    done = run("--log", "log.json", "--retain-log", "retained.json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = result("--log", "log.json", "--retain-log", "retained.json", cwd=place)
    for name in ("model_utility", *sorted(COMPONENTS)):
        assert f"{found[name]:.4f} ± {found['standard_errors'][name]:.4f}" in done.stdout, name
    for words in ("real authors", "forget quality", "rank correlation"):
        assert words in done.stdout
    assert f"p = {found['forget_quality']:.4g}" in done.stdout
    assert "--retain-log" in run("--log", "log.json", cwd=place).stdout


@pytest.mark.skipif(
    not os.environ.get("UNLEARNED_DATA") or not LOGS.is_dir(), reason="UNLEARNED_DATA has no tofu_logs/"
)
def test_the_published_logs_through_the_command(tmp_path: Path) -> None:
    full, retained = LOGS / "phi_full_wd0.01.json", LOGS / "phi_retain90_wd0.01.json"
    found = result("--log", full, "--retain-log", retained, cwd=tmp_path)
    assert found["model_utility"] == pytest.approx(0.522073713204, abs=1e-12)
    assert found["forget_quality"] == pytest.approx(2.194274302189e-16, rel=1e-6)
    assert found["truth_ratio"] == pytest.approx(0.4833555857, abs=1e-10)
    found = result("--log", full, "--retain-log", retained, "--fold", cwd=tmp_path)
    assert found["forget_quality"] == pytest.approx(8.7777968746e-12, rel=1e-6)
    found = result("--log", full, "--retain-log", retained, "--mean", "arithmetic", cwd=tmp_path)
    assert found["model_utility"] == pytest.approx(0.5033530268, abs=1e-10)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--log", "none.json"), "Cannot read none.json"),
        (("--log", "broken.json"), "broken.json, line 1, column 19: not valid JSON"),
        (("--log", "log.json", "--retain-log", "none.json"), "Cannot read none.json"),
        (("--log", "log.json", "--retain-log", "other.json"), "different forget splits: row 0 is 'forget01 0' in one"),
        (("--log", "log.json", "--mean", "median"), "must be one of geometric, arithmetic"),
        (("--log", "."), "Cannot read ."),
    ],
)
def test_a_mistake_gets_one_line_and_a_non_zero_exit(place: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = run(*arguments, "--json", cwd=place)
    assert done.returncode == 1
    assert not done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("unlearned: ")
    assert expected in line


def test_a_wrong_option_is_refused_by_its_name(place: Path) -> None:
    for arguments, expected in ((("--log", "log.json", "--ds-size", "0"), "--ds-size"), ((), "--log")):
        done = run(*arguments, cwd=place)
        assert done.returncode == 2
        assert expected in done.stderr
