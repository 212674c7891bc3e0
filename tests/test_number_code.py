"""Code that makes numbers has not changed without its version; and how that is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import number_code


def test_code_that_makes_numbers_is_the_recorded_one_or_has_a_new_version_that_is_recorded() -> None:
    record = json.loads(number_code.RECORD.read_text(encoding="utf-8"))
    found = number_code.changes(record, number_code.code(), number_code.versions())
    assert not found, (
        f"{found}: raise the version where a number changes, and run `python tests/number_code.py`, with `--same NAME "
        "...` for what has the same numbers as before"
    )
    assert set(record) == set(number_code.versions())


def test_every_benchmark_counts_what_it_is_made_of() -> None:
    code = number_code.code()
    assert {"classify/detect.py", "data/background.jsonl", "benchmarks/verdicts.py"} <= set(code["detection"])
    assert {"engines/transformers.py", "corrupt/functions.py", "benchmarks/models.py"} <= set(code["generation"])
    assert {"methods/npo.py", "methods/train.py"} <= set(code["training"]), "methods are imported by their names"
    assert {"benchmarks/harmful/judge.py", "benchmarks/tofu/items.py", "metrics/text.py"} <= set(code["harmful"])
    assert not any(file.startswith("benchmarks/muse") for file in code["sentiment"])


def test_comments_documentation_and_layout_change_nothing_and_code_does() -> None:
    plain = 'def f(x: int) -> int:\n    return x + 1\n\nA = f"{1}b"\n'
    dressed = (
        '"""What it is."""\n# why\ndef f(\n    x: int,\n) -> int:\n    """Adds one."""\n    return (x + 1)  # one\n'
        'A = f\'{1}b\'\n"""Of the class."""\n'
    )
    assert number_code.digest(plain) == number_code.digest(dressed)
    for other in (plain.replace("1\n", "2\n"), plain.replace("+", "-"), plain.replace('b"', 'c"')):
        assert number_code.digest(other) != number_code.digest(plain)
    described = 'a: int = setting(1, "One.", min=0, group=DATA)\n'
    assert number_code.digest(described) == number_code.digest(described.replace("One.", "A number."))
    for other in (described.replace("(1", "(2"), described.replace("=0", "=1")):
        assert number_code.digest(other) != number_code.digest(described)
    assert number_code.digest("def f():\n    'text'\n    g('a')\n") != number_code.digest("def f():\n    g('b')\n")


def test_a_change_is_recorded_with_a_new_version_or_as_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now, at = {"detection": {"a.py": "1"}, "muse": {"b.py": "1"}}, {"detection": 1, "muse": 1}
    monkeypatch.setattr(number_code, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(number_code, "code", lambda: now)
    monkeypatch.setattr(number_code, "versions", lambda: at)
    assert number_code.main([]) == 0
    now["detection"]["a.py"], now["muse"]["b.py"] = "2", "2"
    at["muse"] = 2
    assert number_code.main([]) == 1
    said = capsys.readouterr().out
    assert "muse: version 2 recorded" in said
    assert "detection is still version 1, but its code has changed: a.py" in said
    assert number_code.main(["--same", "detection"]) == 0
    assert not number_code.changes(json.loads((tmp_path / "record.json").read_text()), now, at)
    at["muse"] = 1
    assert number_code.main([]) == 1, "no version goes back"
    with pytest.raises(SystemExit, match="no 'mouse'"):
        number_code.main(["--same", "mouse"])
