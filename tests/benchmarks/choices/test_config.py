"""Which subjects are asked, and under which header."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from choices_rows import ASKED, MACRO, MICRO, question, write_mmlu, write_rows

from unlearned.benchmarks.choices.config import DOMAINS
from unlearned.benchmarks.choices.data import Question, load_wmdp
from unlearned.errors import ConfigError, DataError


def write_wmdp(folder: Path) -> Path:
    folder.mkdir()
    for name in DOMAINS:
        rows = [{**question(MACRO, number), "question": f"A made-up {name} question {number}?"} for number in range(4)]
        for row in rows:
            del row["subject"]
        write_rows(folder / f"wmdp-{name}.jsonl", rows)
    return folder


def test_wmdp_stands_beside_mmlu(tmp_path: Path) -> None:
    place, mmlu = write_wmdp(tmp_path / "wmdp"), write_mmlu(tmp_path / "mmlu")
    data = load_wmdp(place, mmlu, limit=2)
    assert [q.subject for q in data.sets["forget"]] == [d for d in DOMAINS.values() for _ in range(2)]
    assert "about biology.\n\nA made-up bio question 0?" in data.sets["forget"][0].prompt(header=True)
    assert {q.subject for q in data.sets["others"]} == set(ASKED)
    assert data.forget_examples == ()
    assert [q.subject for q in load_wmdp(place, mmlu, domains=("chem",)).sets["forget"]] == ["chemistry"] * 4
    write_rows(tmp_path / "like.jsonl", [question(MICRO, 11)])
    assert len(load_wmdp(place, mmlu, forget=tmp_path / "like.jsonl").forget_examples) == 1
    with pytest.raises(ConfigError, match="nuclear"):
        load_wmdp(place, mmlu, domains=("nuclear",))
    with pytest.raises(ConfigError, match="bio, chem, cyber"):
        load_wmdp(place, mmlu, domains=())
    with pytest.raises(DataError, match="is one file"):
        load_wmdp(place / "wmdp-bio.jsonl", mmlu)
    with pytest.raises(DataError, match="is one file"):
        load_wmdp(place, mmlu / "test.jsonl")
    (place / "wmdp-cyber.jsonl").unlink()
    with pytest.raises(DataError, match="wmdp-cyber"):
        load_wmdp(place, mmlu)


@pytest.mark.skipif(find_spec("lm_eval") is None, reason="lm-eval is not installed")
@pytest.mark.parametrize("name", list(DOMAINS))
def test_headers_are_those_of_lm_eval(name: str) -> None:
    spec = find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    task = (Path(spec.origin).parent / f"tasks/wmdp/wmdp_{name}.yaml").read_text()
    header = Question("x/0", DOMAINS[name], "?", ("a", "b"), 0).prompt(header=True).split("?")[0]
    assert json.dumps(header) in task
