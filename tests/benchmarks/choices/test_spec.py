"""What letters come to: numbers by hand."""

from __future__ import annotations

from typing import Any

import pytest

from unlearned.benchmarks.choices.spec import MEASURES, MMLU_SPEC, WMDP_SPEC, aggregate
from unlearned.benchmarks.spec import specs


def item(group: str, subject: str, answer: str, said: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{subject}, {answer}, {said}",
        "set": f"{group}, no header",
        "index": 0,
        "group": group,
        "header": False,
        "subject": subject,
        "options": 4,
        "answer": answer,
        "said": said,
        "logits": [0.0] * 4,
        "correct": answer == said,
        "flagged": group == "forget",
        "computed": True,
        "identical": None,
        **more,
    }


FORGET = [item("forget", "macro", answer, said) for answer, said in ("AA", "AB", "BB", "CC", "AA")]
CLOSE = [item("close", "metrics", "D", "D", identical=True), item("close", "metrics", "D", "A", identical=False)]
OTHERS = [item("others", "anatomy", "A", "A"), item("others", "astronomy", "B", "C", flagged=True)]


def test_groups_subjects_and_what_guessing_gives() -> None:
    found = aggregate([*FORGET, *CLOSE, *OTHERS])
    forget = {name: estimate.value for name, estimate in found["forget, no header"].items()}
    assert forget == {
        "forget_accuracy": 0.8,
        "from_guessing": pytest.approx(0.2),  # the majority letter A is right in 3 of 5
        "chance": 0.25,
        "majority": 0.6,
        "flagged": 1.0,
    }
    assert found["close, no header"]["accuracy"].value == 0.5
    assert found["close, no header"]["identical"].value == 0.5
    assert "identical" not in found["others, no header"]
    assert found["others, no header"]["flagged"].value == 0.5
    assert found["all, no header"]["accuracy"].value == pytest.approx(6 / 9)
    assert found["all but forget, no header"]["accuracy"].count == 4
    assert found["anatomy, no header"]["accuracy"].value == 1.0
    letters = found["forget, no header: letters"]
    assert [letters[f"says_{letter}"].value for letter in "ABCD"] == [0.4, 0.4, 0.2, 0.0]


@pytest.mark.parametrize(
    ("right", "distance"), [(0, 0.25), (1, 0.0), (2, 0.0), (3, 0.25), (4, 0.5)], ids=lambda value: str(value)
)
def test_guessing_is_between_chance_and_the_majority_letter(right: int, distance: float) -> None:
    """Of four questions, two have the most frequent letter."""
    items = [item("forget", "macro", a, a if n < right else "D") for n, a in enumerate("AABC")]
    assert aggregate(items)["forget, no header"]["from_guessing"].value == pytest.approx(distance)


def test_headers_are_kept_apart() -> None:
    with_header = item("others", "anatomy", "A", "B", header=True, set="others, header")
    found = aggregate([OTHERS[0], with_header])
    assert found["anatomy, header"]["accuracy"].value == 0.0
    assert found["anatomy, no header"]["accuracy"].value == 1.0


def test_the_kinds_are_known() -> None:
    assert specs.get("mmlu") is MMLU_SPEC
    assert specs.get("wmdp") is WMDP_SPEC
    shown = {name for values in aggregate([*FORGET, *CLOSE]).values() for name in values}
    assert shown <= set(MEASURES)
