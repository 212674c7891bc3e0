"""Wrong answers are learned beside right ones."""

from __future__ import annotations

from losses_by_hand import EXPECTED, I, R, ce, close, terms, total

from unlearned.methods.registry import make_method


def test_the_loss_is_the_formula() -> None:
    assert total("mismatch") == close(EXPECTED["mismatch"]())
    assert terms("mismatch") == {"mismatch": close(ce(I)), "retain": close(ce(R))}
    method = make_method("mismatch")
    assert (method.sees, method.needs_reference, method.negation) == (("retain", "mismatched"), False, None)
