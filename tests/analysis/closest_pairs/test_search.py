from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmdetpre.analysis.closest_pairs.search import METRICS, closest_pairs, pair_ranks, pair_values


def all_values(features: np.ndarray, metric: str) -> np.ndarray:
    """(n, n) float64 similarity, greater is more similar."""
    values = features.astype(np.float64)
    if metric == "inner":
        return values @ values.T
    if metric == "correlation":
        return np.corrcoef(values)
    return -np.linalg.norm(values[:, None] - values, axis=-1)


def sorted_pairs(similarity: np.ndarray, allowed: np.ndarray | bool = True) -> list[tuple[int, int]]:
    rows, columns = np.nonzero(np.triu(np.broadcast_to(allowed, similarity.shape), 1))
    order = np.lexsort((columns, rows, -similarity[rows, columns]))
    return list(zip(rows[order].tolist(), columns[order].tolist(), strict=True))


# Whole numbers are exact in single precision too, and make many ties.
whole = st.tuples(st.integers(2, 17), st.integers(1, 4)).flatmap(
    lambda shape: hnp.arrays(np.float32, shape, elements=st.integers(-3, 3).map(float))
)


@given(whole, st.integers(1, 40), st.sampled_from(["inner", "l2"]), st.integers(1, 9))
def test_equals_sorting_all_pairs_and_breaks_ties_by_row(features, count, metric, block):
    if (features == features[0]).all():
        features[0] += 1
    found = closest_pairs(features, count, metric, block=block)
    similarity = all_values(features, metric)
    assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == sorted_pairs(similarity)[:count]
    np.testing.assert_allclose(np.abs(found.values), np.abs(similarity[found.i, found.j]), rtol=1e-12)


@given(whole, st.integers(1, 20), st.integers(1, 9), st.integers(0, 9))
def test_filters_by_labels_and_leaves_out_duplicates(features, count, block, seed):
    if (features == features[0]).all():
        features[0] += 1
    random = np.random.default_rng(seed)
    first, second, third = random.integers(3, size=(3, len(features)))
    distance = -all_values(features, "l2")
    allowed = (first[:, None] == first) & (second[:, None] == second) & (third[:, None] != third) & (distance > 1)
    found = closest_pairs(features, count, "l2", same=[first, second], different=[third], duplicates=1.0, block=block)
    assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == sorted_pairs(-distance, allowed)[:count]


@pytest.mark.parametrize("metric", METRICS)
def test_order_is_that_of_double_precision(metric):
    """Rows nearly the same, far from the origin: products in single precision cannot tell the pairs apart."""
    random = np.random.default_rng(0)
    features = (random.normal(size=300) * 50 + random.normal(size=(60, 300)) * 1e-2).astype(np.float32)
    similarity = all_values(features, metric)
    approximate = features @ features.T
    rows, columns = np.triu_indices(60, 1)
    assert len(np.unique(approximate[rows, columns])) < len(rows) / 2
    found = closest_pairs(features, 25, metric, block=16)
    assert list(zip(found.i.tolist(), found.j.tolist(), strict=True)) == sorted_pairs(similarity)[:25]


def test_many_duplicates_are_pairs_in_order_unless_left_out():
    features = np.random.default_rng(0).normal(size=(130, 8)).astype(np.float32)
    features[20:110] = features[20]
    found = closest_pairs(features, 3, "correlation", block=32)
    assert (found.i.tolist(), found.j.tolist(), found.values.tolist()) == ([20] * 3, [21, 22, 23], [1.0] * 3)
    others = closest_pairs(features, 3, "correlation", block=32, duplicates=0.999)
    similarity = all_values(features, "correlation")
    best = sorted_pairs(similarity, similarity < 0.999)[:3]
    assert list(zip(others.i.tolist(), others.j.tolist(), strict=True)) == best


def test_fewer_pairs_than_asked_for():
    features = np.array([[0, 1], [1, 0], [1, 1.0]], np.float32)
    assert len(closest_pairs(features, 10, "inner")) == 3
    assert len(closest_pairs(features, 10, "inner", same=[np.array([0, 1, 2])])) == 0
    assert len(closest_pairs(features, 10, "inner", different=[np.array([0, 0, 0])])) == 0


def test_memory_does_not_grow_with_the_square_of_the_images(tmp_path: Path):
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32))
    mapped = np.load(path, mmap_mode="r")
    closest_pairs(mapped[:300], 5, block=128)
    tracemalloc.start()
    closest_pairs(mapped, 5, block=128)
    pair_ranks(mapped, np.array([0]), np.array([1]), block=128)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6  # all products take 36 MB, the features 0.8


@given(whole, st.integers(1, 9), st.integers(0, 9))
def test_ranks_count_the_pairs_that_are_more_similar(features, block, seed):
    if (features == features[0]).all():
        features[0] += 1
    check_ranks(features, "inner", block, seed)


@pytest.mark.parametrize("metric", METRICS)
def test_ranks_without_ties(metric):
    check_ranks(np.random.default_rng(0).gamma(0.5, size=(70, 30)).astype(np.float32), metric, 16, 0)


def check_ranks(features: np.ndarray, metric: str, block: int, seed: int) -> None:
    similarity = all_values(features, metric)
    pairs = np.array(sorted_pairs(similarity))
    pairs = pairs[np.random.default_rng(seed).integers(len(pairs), size=7)]
    above = similarity[np.triu_indices(len(features), 1)] > similarity[pairs[:, 0], pairs[:, 1]][:, None]
    assert pair_ranks(features, *pairs.T, metric, block=block).tolist() == (1 + above.sum(axis=1)).tolist()
    assert pair_ranks(features, *pairs.T[::-1], metric).tolist() == (1 + above.sum(axis=1)).tolist()


def test_ranks_of_the_closest_pairs_are_their_places():
    features = np.random.default_rng(0).gamma(0.5, size=(90, 40)).astype(np.float32)
    for metric in METRICS:
        found = closest_pairs(features, 50, metric, block=32)
        assert pair_ranks(features, found.i, found.j, metric, block=40).tolist() == list(range(1, 51))
        np.testing.assert_array_equal(pair_values(features, found.i, found.j, metric), found.values)


def test_correlation_is_that_of_numpy():
    features = np.random.default_rng(1).gamma(0.5, size=(20, 9)).astype(np.float32)
    found = closest_pairs(features, 5)
    np.testing.assert_allclose(found.values, np.corrcoef(features.astype(np.float64))[found.i, found.j])


def test_says_what_is_wrong():
    features = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
    for wrong, message in (
        (features[:1], r"shape \(1, 3\): expected \(images, dimensions\), two or more"),
        (np.tile(features[1], (5, 1)), "all 5 images have the same features"),
        (np.array([[1, 2], [3, 3], [0, 5]], np.float32), "image 1 all have the value 3: their correlation"),
    ):
        with pytest.raises(ValueError, match=message):
            closest_pairs(wrong, 2)
    with pytest.raises(ValueError, match="0 pairs are asked for"):
        closest_pairs(features, 0)
    with pytest.raises(ValueError, match="'cosine': choose one of correlation, inner, l2"):
        closest_pairs(features, 2, "cosine")
