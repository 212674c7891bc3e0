"""What machines write is different every time, and the same for one seed."""

from __future__ import annotations

import ast
import json
import random

from unlearned.benchmarks.classifier.pasted_texts import LINES, PASTED_TEXTS


def test_each_kind_is_what_it_is_called() -> None:
    made = {kind: write(random.Random(0)) for kind, write in PASTED_TEXTS.items()}
    assert len(json.loads(made["JSON"])) == len(made["a log"].splitlines()) == LINES
    assert len(ast.parse(made["code"]).body) == LINES // 5
    assert all(int(word, 16) >= 0 for word in made["hexadecimal"].split())
    for kind, write in PASTED_TEXTS.items():
        assert write(random.Random(0)) == made[kind]
        assert write(random.Random(1)) != made[kind]
