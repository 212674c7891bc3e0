"""The four numbers of MUSE."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.muse.spec import aggregate, with_retained
from unlearned.metrics.membership import auc, privleak


def test_the_four_numbers() -> None:
    def items(shift: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = [
            {"set": name, "rouge": 0.25, "changed": 1.0} for name in ("verbmem", "knowmem_forget", "knowmem_retain")
        ]
        for name, scores in (("privleak_forget", [1.0, 2.0, 3.0]), ("privleak_holdout", [2.5, 3.5, 4.5])):
            found += [{"set": name, "min_k": s + shift * (name == "privleak_forget"), "changed": 0.0} for s in scores]
        return [{**item, "id": str(number)} for number, item in enumerate(found)]

    own, retained = items(0.0), items(2.0)
    found = aggregate(with_retained(own, retained))["muse"]
    assert found["verbmem"].value == found["knowmem_forget"].value == found["knowmem_retain"].value == 25
    a, r = auc([1, 2, 3], [2.5, 3.5, 4.5]).value, auc([3, 4, 5], [2.5, 3.5, 4.5]).value
    assert found["privleak"].value == pytest.approx(privleak(a, r))
    assert found["changed"].value == 1
    assert aggregate(own)["muse"]["privleak"].value == pytest.approx(privleak(a)), "without a retained model"
    low, high = found["privleak"].interval or (0, 0)
    assert low < found["privleak"].value < high
    assert aggregate(with_retained(retained, retained))["muse"]["privleak"].value == pytest.approx(0)
