"""The right token's logit is lowered in the teacher, and nothing else."""

from __future__ import annotations

import math

import pytest
from losses_by_hand import (
    BEFORE,
    NOW,
    F,
    close,
    log_softmax,
    mean,
    total,
)

from unlearned.errors import ConfigError
from unlearned.methods.registry import make_method
from unlearned.methods.undial import distillation


def test_undial_lowers_the_right_token_at_target_positions_only() -> None:
    now, before = NOW(F.input_ids).logits.tolist(), BEFORE(F.input_ids).logits.tolist()
    found = []
    for b, row in enumerate(F.labels.tolist()):
        for t, label in enumerate(row):
            if label != -100:
                teacher = [z - 3.0 * (v == label) for v, z in enumerate(before[b][t - 1])]
                q = [math.exp(value) for value in log_softmax(teacher)]
                found.append(-sum(a * c for a, c in zip(q, log_softmax(now[b][t - 1]), strict=True)))
    assert total("undial", beta=3.0) == close(mean(found))


def test_without_lowering_the_teacher_is_the_start_model() -> None:
    same = distillation(NOW(F.input_ids).logits, NOW(F.input_ids).logits, F.labels, 0.0)
    p = NOW(F.input_ids).logits[:, :-1][F.labels[:, 1:] != -100].softmax(-1)
    assert float(same) == close(float(-(p * p.log()).sum(-1).mean()))
    assert make_method("undial").needs_reference
    with pytest.raises(ConfigError, match="beta"):
        make_method("undial", {"beta": -1})
