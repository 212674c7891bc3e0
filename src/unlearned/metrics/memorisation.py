"""Does the model still complete the text? From its teacher-forced predictions, token by token.

Source: open-unlearning (arXiv:2506.12618). It drops the last target, which is the end of sequence; on texts that do not
end with one that would be a real token, hence `drop_last`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from unlearned.errors import DataError

Ids = Sequence[int] | npt.NDArray[np.int64]


def exact_memorisation(predicted: Ids, targets: Ids, *, drop_last: bool = True) -> float:
    """#(pred_i = y_i) / n'.

    Args:
        predicted: (T,) argmax at each position.
        targets: (T,) the text's tokens.
        drop_last: leave out the last pair.

    Raises:
        DataError: lengths differ, or no pair is left: leave out such an item.
    """
    return float(_matches(predicted, targets, drop_last).mean())


def extraction_strength(predicted: Ids, targets: Ids, *, drop_last: bool = True, ref_compat: bool = False) -> float:
    """1 - k*/n', k* being the smallest prefix after which every prediction is right: how little extracts the rest.

    Args:
        predicted: (T,) argmax at each position.
        targets: (T,) the text's tokens.
        drop_last: leave out the last pair.
        ref_compat: give 1/n' instead of 0 where the last prediction is wrong, as open-unlearning's loop does.

    Raises:
        DataError: as `exact_memorisation`.
    """
    matches = _matches(predicted, targets, drop_last)
    wrong = np.flatnonzero(~matches)
    prefix = int(wrong[-1]) + 1 if len(wrong) else 0
    if ref_compat and prefix == len(matches):
        prefix -= 1
    return 1 - prefix / len(matches)


def _matches(predicted: Ids, targets: Ids, drop_last: bool) -> npt.NDArray[np.bool_]:
    first, second = np.asarray(predicted), np.asarray(targets)
    if first.shape != second.shape or first.ndim != 1:
        raise DataError(f"Predictions of shape {first.shape} for targets of shape {second.shape}; both must be (T,).")
    if drop_last:
        first, second = first[:-1], second[:-1]
    if not len(first):
        raise DataError("No target token is left, so memorisation is not defined. Leave this item out.")
    return np.asarray(first == second)
