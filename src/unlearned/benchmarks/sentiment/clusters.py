"""k-means with cosine distance: what Yelp's forget set is made of."""

from __future__ import annotations

import numpy as np

from unlearned.classify.base import Floats
from unlearned.errors import ConfigError


def cluster(vectors: Floats, count: int, seed: int, *, rounds: int = 100) -> Floats:
    """Centres of unit length, k-means++ at the start.

    Args:
        vectors: (N, D) of unit length.
        count: K clusters.
        seed: of the start.
        rounds: at most.

    Returns:
        (K, D) unit length.

    Raises:
        ConfigError: there are fewer than two clusters, or fewer texts than clusters.
    """
    if not 2 <= count <= len(vectors):
        raise ConfigError(f"clusters={count}: must be at least 2, and at most the {len(vectors)} training texts.")
    generator = np.random.default_rng(seed)
    centres: Floats = vectors[generator.integers(len(vectors))][None]
    while len(centres) < count:
        distance = np.clip(1 - (vectors @ centres.T).max(axis=1), 0, None).astype(np.float64)
        total = distance.sum()
        weights = distance / total if total > 0 else None  # all texts alike
        centres = np.concatenate([centres, vectors[generator.choice(len(vectors), p=weights)][None]])
    before = None
    for _ in range(rounds):
        nearest = nearest_centre(vectors, centres)
        if before is not None and (nearest == before).all():
            break
        before = nearest
        for index in range(count):
            members = vectors[nearest == index]
            # A cluster that lost all its texts keeps its centre: it may win some back.
            mean = members.mean(axis=0) if len(members) else centres[index]
            length = float(np.linalg.norm(mean))
            centres[index] = mean / length if length else centres[index]
    return centres


def nearest_centre(vectors: Floats, centres: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(N,) index of the centre with the smallest cosine distance; of equal ones, the first."""
    nearest: np.ndarray[tuple[int], np.dtype[np.int64]] = (vectors @ centres.T).argmax(axis=1)
    return nearest


def choose_clusters(sizes: np.ndarray[tuple[int], np.dtype[np.int64]], share: float, seed: int) -> list[int]:
    """Clusters in a seeded order until they hold this share of the texts; never all that hold some."""
    filled = [index for index in np.random.default_rng(seed).permutation(len(sizes)).tolist() if sizes[index]]
    chosen: list[int] = []
    held = 0
    for index in filled[:-1]:
        if held >= share * sizes.sum():
            break
        chosen.append(index)
        held += int(sizes[index])
    return sorted(chosen)
