"""A text with strangers in it is scored at its own tokens."""

from __future__ import annotations

from tokenizers_at_hand import TEXTS
from transformers import PreTrainedTokenizerFast

from unlearned.substitution.scoring import continuation
from unlearned.substitution.substitution import Substitution


def test_a_scored_text_has_the_values_of_its_own_tokens(
    substitution: Substitution, tokenizer: PreTrainedTokenizerFast
) -> None:
    import torch

    for text in TEXTS:
        own = tokenizer(text, add_special_tokens=False)["input_ids"]
        read = continuation(tokenizer, text, substitution)
        assert read.count == len(own)
        values = torch.arange(1.0, len(read.token_ids) + 1)
        assert float(read.at_text(values).sum()) == float(values.sum())
    plain = continuation(tokenizer, "Nobody at all.", substitution)
    assert plain.ends is None
    assert list(plain.token_ids) == tokenizer("Nobody at all.", add_special_tokens=False)["input_ids"]


def test_values_go_to_the_tokens_that_end_where_they_do_and_sums_stay() -> None:
    import torch

    from unlearned.substitution.scoring import Continuation

    values = torch.tensor([-1.0, -2.0, -4.0])
    assert Continuation((5, 6, 7)).at_text(values) is values
    for ends, expected in (((3,), [-7.0]), ((1, 1, 3), [-1.0, 0.0, -6.0]), ((0, 2, 2, 3), [0.0, -3.0, 0.0, -4.0])):
        moved = Continuation((5, 6, 7), ends)
        assert moved.at_text(values).tolist() == expected
        assert moved.count == len(ends)
    assert continuation(None, "", None) == Continuation(())  # type: ignore[arg-type]
