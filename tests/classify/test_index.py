"""The nearest similarity among many vectors: exact below the limit, and hardly less than that through faiss."""

from __future__ import annotations

import builtins
import sys
import threading
from typing import Any

import numpy as np
import pytest

from bench.index.run import SentenceLike, measure_index
from oracles.neighbours import nearest
from unlearned.classify import index as module
from unlearned.classify.base import Floats
from unlearned.classify.index import NearestIndex
from unlearned.errors import ConfigError, MissingExtraError

WIDTH = 16


def _unit(seed: int, count: int, width: int = WIDTH) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    normed: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed


@pytest.fixture(scope="module")
def many() -> Floats:
    """More rows than are compared one by one, in clusters."""
    return SentenceLike(25_000, WIDTH, seed=3).rows().astype(np.float32)


@pytest.fixture(scope="module")
def large(many: Floats) -> NearestIndex:
    pytest.importorskip("faiss")
    return NearestIndex(many, probed=0.5).build()


@pytest.fixture
def low_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    pytest.importorskip("faiss")
    monkeypatch.setattr(module, "EXACT_ROWS", 300)
    return 300


def _exact(rows: Floats, queries: Floats) -> Floats:
    found: Floats = (queries @ rows.astype(np.float16).astype(np.float32).T).max(axis=1)
    return found


def test_below_the_limit_every_similarity_is_that_of_the_oracle() -> None:
    rows, queries = _unit(0, 40), _unit(1, 300)
    found = NearestIndex(rows, probed=0.5).nearest(queries)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [nearest(q, list(rows)) for q in queries], atol=1e-6)


def test_no_rows_are_at_the_opposite_of_every_query_and_no_queries_have_no_answer() -> None:
    empty = NearestIndex(np.zeros((0, WIDTH), np.float32), probed=0.5)
    assert len(empty) == 0
    assert (empty.nearest(_unit(0, 3)) == -1).all()
    assert empty.nearest(np.zeros((0, WIDTH), np.float32)).shape == (0,)


def test_rows_are_kept_rounded_to_half_precision() -> None:
    rows = _unit(0, 30)
    stored = NearestIndex(rows, probed=0.5).vectors
    assert stored.dtype == np.float16
    assert np.array_equal(stored, rows.astype(np.float16))
    assert np.array_equal(NearestIndex(stored, probed=0.5).vectors, stored)


def test_above_the_limit_a_similarity_is_that_of_the_nearest_row_or_in_rare_cases_of_another_row(
    many: Floats, large: NearestIndex
) -> None:
    queries = SentenceLike(25_000, WIDTH, seed=3).queries(600)
    found, exact = large.nearest(queries), _exact(many, queries)
    assert (found <= exact + 1e-6).all()
    assert (found >= exact - 1e-6).mean() >= 0.98
    assert large.index_bytes > 0


def test_above_the_limit_an_enrolled_vector_is_found_again(many: Floats, large: NearestIndex) -> None:
    assert (large.nearest(many[::50]) > 0.999).mean() >= 0.998


def test_reading_all_lists_misses_nothing(low_limit: int) -> None:
    rows, queries = _unit(0, 1_000), _unit(1, 200)
    found = NearestIndex(rows, probed=1.0).nearest(queries)
    np.testing.assert_allclose(found, _exact(rows, queries), atol=1e-6)


def test_an_answer_depends_neither_on_the_batch_nor_on_the_process_that_made_the_index(low_limit: int) -> None:
    rows, queries = _unit(0, 1_500), _unit(1, 100)
    index = NearestIndex(rows, probed=0.1)
    together = index.nearest(queries)
    assert np.array_equal(np.concatenate([index.nearest(q[None]) for q in queries]), together)
    assert np.array_equal(NearestIndex(index.vectors, probed=0.1).nearest(queries), together)


@pytest.mark.parametrize("width", [2, 7, 16])
def test_widths_even_and_odd_can_be_indexed(low_limit: int, width: int) -> None:
    rows, queries = _unit(0, 500, width), _unit(1, 50, width)
    np.testing.assert_allclose(NearestIndex(rows, probed=1.0).nearest(queries), _exact(rows, queries), atol=1e-3)


def test_many_copies_of_one_row_can_be_indexed(low_limit: int) -> None:
    rows = np.repeat(_unit(0, 2), 400, axis=0)
    np.testing.assert_allclose(NearestIndex(rows, probed=0.5).nearest(rows[[0, 500]]), 1, atol=1e-3)


def test_added_rows_are_found_without_a_new_index(many: Floats, large: NearestIndex) -> None:
    more = _unit(9, 30)
    before = large.nearest(more)
    grown = large.plus(more)
    assert grown._block is large._block
    assert len(grown) == len(many) + 30
    assert np.array_equal(grown.vectors, np.concatenate([many, more]).astype(np.float16))
    assert (grown.nearest(more) > 0.999).all()
    assert np.array_equal(large.nearest(more), before)


def test_removed_rows_are_found_no_longer_without_a_new_index(many: Floats, large: NearestIndex) -> None:
    more = _unit(9, 30)
    gone = np.array([0, 17, 24_999, 25_003, 17])
    rest = large.plus(more).minus(gone)
    everything = np.concatenate([many, more])
    expected = np.delete(everything, gone, axis=0)
    assert rest._block is large._block
    assert np.array_equal(rest.vectors, expected.astype(np.float16))
    queries = everything[gone]
    np.testing.assert_allclose(rest.nearest(queries), _exact(expected, queries), atol=0.02)
    assert (rest.nearest(queries) < 0.9999).all()
    twice = rest.minus(np.array([0, 1, 24_997]))  # indices count what is left
    assert np.array_equal(twice.vectors, np.delete(expected, [0, 1, 24_997], axis=0).astype(np.float16))


def test_a_removed_topic_does_not_hide_the_rows_behind_it(low_limit: int) -> None:
    centre, others = _unit(0, 1), _unit(1, 3_000)
    topic = centre + 0.01 * _unit(2, 250)  # more rows than are ranked
    topic /= np.linalg.norm(topic, axis=1, keepdims=True)
    index = NearestIndex(np.concatenate([topic, others]), probed=0.5).build()
    rest = index.minus(np.arange(250))
    assert rest._block is index._block
    np.testing.assert_allclose(rest.nearest(centre), _exact(others, centre), atol=1e-6)


def test_many_changes_end_in_what_an_index_of_the_same_rows_gives(low_limit: int) -> None:
    rng, queries = np.random.default_rng(0), _unit(7, 100)
    rows = _unit(0, 250)
    index = NearestIndex(rows, probed=1.0)
    for turn in range(12):  # grows above the limit and shrinks below it again
        if turn < 7:
            more = _unit(100 + turn, 120)
            index, rows = index.plus(more), np.concatenate([rows, more])
        else:
            gone = rng.permutation(len(rows))[: len(rows) // 4 if turn % 2 else 20]
            index, rows = index.minus(gone), np.delete(rows, gone, axis=0)
        assert len(index) == len(rows)
        assert np.array_equal(index.vectors, rows.astype(np.float16))
        np.testing.assert_allclose(index.nearest(queries), _exact(rows, queries), atol=1e-6)


def test_places_are_those_of_equal_rows_and_of_no_close_ones() -> None:
    rows = _unit(0, 40, 384)
    rows[7] = rows[3]
    close = rows[3] + 0.005 * _unit(1, 1, 384)[0]
    close /= np.linalg.norm(close)
    index = NearestIndex(rows, probed=0.5)
    again = rows[[3, 5]] * np.float32(1 + 1e-6)  # another batch, another rounding
    found = index.places(np.concatenate([again, close[None]]))
    assert [list(rows) for rows in found] == [[3, 7], [5], []]
    assert index.places(np.zeros((0, 384), np.float32)) == []


def test_threads_share_one_index(low_limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    build = module._build
    monkeypatch.setattr(module, "_build", lambda *args: (built.append(1), build(*args))[1])
    rows = _unit(0, 1_000)
    index, found = NearestIndex(rows, probed=1.0), [np.zeros(0, np.float32)] * 4
    queries = _unit(1, 30)

    def ask(number: int) -> None:
        found[number] = index.nearest(queries)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [1]
    assert all(np.array_equal(answer, found[0]) for answer in found)


def test_faiss_is_asked_for_only_above_the_limit_and_its_extra_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("faiss")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(module, "EXACT_ROWS", 50)
    monkeypatch.setattr(builtins, "__import__", refuse)
    full = NearestIndex(_unit(0, 50), probed=0.5)
    full.nearest(_unit(1, 5))
    assert full.index_bytes == 0
    monkeypatch.undo()
    monkeypatch.setattr(module, "EXACT_ROWS", 50)

    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, "faiss", raising=False)
    monkeypatch.setattr("unlearned.extras.import_module", missing)
    for make in (lambda: NearestIndex(_unit(0, 51), probed=0.5), lambda: full.plus(_unit(1, 1))):
        with pytest.raises(
            MissingExtraError, match=r"more than 50 examples needs 'faiss'.*pip install 'unlearned\[index\]'"
        ):
            make()


def test_vectors_of_another_shape_are_refused() -> None:
    index = NearestIndex(_unit(0, 5), probed=0.5)
    with pytest.raises(ConfigError, match=r"shape \(16,\)"):
        NearestIndex(np.zeros(WIDTH, np.float32), probed=0.5)
    for wrong in (_unit(0, 5, 8), np.zeros(WIDTH, np.float32)):
        with pytest.raises(ConfigError, match=r"\(N, 16\) is needed"):
            index.plus(wrong)
        with pytest.raises(ConfigError, match=r"\(N, 16\) is needed"):
            index.places(wrong)


@pytest.mark.parametrize("row", [-1, 5])
def test_an_index_of_no_row_is_refused(row: int) -> None:
    with pytest.raises(ConfigError, match=f"no example with index {row}, only 0 to 4"):
        NearestIndex(_unit(0, 5), probed=0.5).minus(np.array([0, row]))


@pytest.mark.parametrize("probed", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_of_lists_outside_its_range_is_refused(probed: float) -> None:
    with pytest.raises(ConfigError, match=f"probed={probed}"):
        NearestIndex(_unit(0, 5), probed=probed)


def test_the_benchmark_finds_the_nearest_rows_and_reports_every_phase() -> None:
    pytest.importorskip("faiss")
    phases: list[str] = []
    report = measure_index(21_000, width=32, queries=90, on_progress=lambda phase, done, total: phases.append(phase))
    assert set(phases) == {"vectors", "exact answers", "index", "search"}
    assert report.queries == 90
    assert 0 < report.queries_above_floor <= 90
    assert report.search.recall >= 0.95
    assert report.search.median_ms <= report.search.p95_ms
    assert report.index_mb < report.vectors_mb
    assert np.array_equal(SentenceLike(100, 8, 5).rows(), SentenceLike(100, 8, 5).rows())


def test_made_up_vectors_lie_like_sentence_embeddings() -> None:
    source = SentenceLike(4_000, 384, seed=0)
    rows = source.rows()[:500].astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    pairs = (rows @ rows.T)[np.triu_indices(500, 1)]
    assert 0.04 < pairs.mean() < 0.08
    assert 0.06 < pairs.std() < 0.1
