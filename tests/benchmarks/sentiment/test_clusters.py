"""Reviews are grouped by direction."""

from __future__ import annotations

import numpy as np
import pytest

from unlearned.benchmarks.sentiment.clusters import choose_clusters, cluster, nearest_centre
from unlearned.errors import ConfigError


def test_clusters_are_by_direction() -> None:
    generator = np.random.default_rng(0)
    axes = np.eye(3, dtype=np.float32)
    vectors = np.concatenate([axis + 0.05 * generator.standard_normal((10, 3)) for axis in axes]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centres = cluster(vectors, 3, 0)
    found = nearest_centre(vectors, centres).reshape(3, 10)
    assert all(len(set(row.tolist())) == 1 for row in found)
    assert len({int(row[0]) for row in found}) == 3
    assert np.allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-6)
    assert np.array_equal(centres, cluster(vectors, 3, 0))
    with pytest.raises(ConfigError, match="clusters=40"):
        cluster(vectors, 40, 0)


def test_clusters_are_chosen_until_the_share_is_held_but_never_all() -> None:
    sizes = np.array([10, 0, 30, 60])
    for seed in range(5):
        assert 1 <= len(choose_clusters(sizes, 0.01, seed)) == 1
        assert set(choose_clusters(sizes, 0.99, seed)) < {0, 2, 3}
