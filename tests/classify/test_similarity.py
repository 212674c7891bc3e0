"""Products of vectors are NumPy's, whichever way they are taken."""

from __future__ import annotations

import numpy as np

from cases import every
from unlearned.classify.similarity import SMALL, similarities


@every("shape", [(1, 1, 4), (3, 5, 64), (64, 64, 64), (65, 64, 64), (1, 9000, 64), (0, 3, 4), (3, 0, 4)])
def test_every_row_meets_every_row(shape: tuple[int, int, int]) -> None:
    n, m, width = shape
    generator = np.random.default_rng(0)
    left, right = (generator.standard_normal((rows, width)).astype(np.float32) for rows in (n, m))
    found = similarities(left, right)
    assert found.shape == (n, m)
    np.testing.assert_allclose(found, left.astype(np.float64) @ right.T.astype(np.float64), atol=1e-4)


def test_arrays_that_may_only_be_read_are_read_on_both_ways() -> None:
    for rows in (2, SMALL // 64 + 1):
        left, right = np.ones((1, 64), dtype=np.float32), np.ones((rows, 64), dtype=np.float32)
        left.flags.writeable = right.flags.writeable = False
        assert similarities(left, right).tolist() == [[64.0] * rows]
        assert similarities(left[:, ::2], right[:, ::2]).tolist() == [[32.0] * rows]
