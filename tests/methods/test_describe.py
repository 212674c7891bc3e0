"""Every method says what it is and what it takes."""

from __future__ import annotations

import pytest

from unlearned.errors import UnknownNameError
from unlearned.methods.describe import describe, describe_all
from unlearned.methods.registry import BUILT_IN


def test_every_method_describes_itself() -> None:
    found = describe_all()
    assert [row["name"] for row in found] == sorted([*BUILT_IN, "spul"])
    for row in found:
        assert row["summary"]
        assert row["paper"]
        assert row["loss"]
        assert row["sees"]
    assert describe("npo-gd")["settings"] == {
        "forget_weight": 1.0, "retain_weight": 1.0, "kl_weight": 0.0, "kl_mask": "attention", "beta": 0.1,
    }  # fmt: skip


def test_a_run_by_steps_has_no_epochs_and_what_does_not_train_no_recipe() -> None:
    assert describe("rmu")["recipe"]["max_steps"] == 80
    assert "epochs" not in describe("rmu")["recipe"]
    assert describe("ssd")["recipe"] == {}
    spul = describe("spul")
    assert set(spul["recipe"]) == {"learning_rate", "epochs", "batch_size", "weight_decay"}
    assert not set(spul["recipe"]) & set(spul["settings"])
    with pytest.raises(UnknownNameError):
        describe("none")
