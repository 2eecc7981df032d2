"""k-NN: exact neighbors in blocks of any size, scikit-learn's votes, k chosen without the test images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.probes.data import ProbeData
from mmdetpre.analysis.probes.knn import knn_probe, nearest, vote, vote_weights


@given(
    shape=st.tuples(st.integers(1, 25), st.integers(2, 25), st.integers(1, 6)),
    metric=st.sampled_from(["cosine", "l2"]),
    block=st.sampled_from([16, 200, 1 << 20]),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_neighbors_are_those_of_a_full_sort(
    shape: tuple[int, int, int], metric: str, block: int, seed: int, data: st.DataObject
) -> None:
    queries, images, size = shape
    random = np.random.default_rng(seed)
    # small whole numbers: many equal distances, exact in float32
    theirs = random.integers(-2, 3, (images, size)).astype(np.float32)
    ours = random.integers(-2, 3, (queries, size)).astype(np.float32)
    count = data.draw(st.integers(1, images))
    rows, near = nearest(ours, theirs, count, metric, block_bytes=block)
    if metric == "l2":
        close = -((ours[:, None] - theirs[None]) ** 2).sum(axis=2)
        np.testing.assert_array_equal(rows, np.argsort(-close, axis=1, kind="stable")[:, :count])
    else:
        lengths = [np.maximum(np.linalg.norm(x, axis=1), 1e-9) for x in (ours, theirs)]
        close = ours @ theirs.T / lengths[0][:, None] / lengths[1]
    np.testing.assert_allclose(near, -np.sort(-close, axis=1)[:, :count], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(close, rows, 1), near, atol=1e-5)


def test_no_image_is_its_own_neighbor() -> None:
    values = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    for block in (100, 1 << 20):
        rows, _ = nearest(values, values, 29, "l2", exclude_self=True, block_bytes=block)
        assert all(sorted(row) == [i for i in range(30) if i != me] for me, row in enumerate(rows.tolist()))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_votes_are_those_of_scikit_learn(metric: str) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    random = np.random.default_rng(0)
    labels = np.arange(90) % 3
    train = (np.eye(3)[labels] + random.normal(size=(90, 3))).astype(np.float32)
    test = (np.eye(3)[labels] + random.normal(size=(90, 3))).astype(np.float32)
    rows, near = nearest(test, train, 15, metric)
    for weighted in (False, True):
        guesses = vote(labels[rows], vote_weights(near, metric, weighted), 3, [1, 15])
        for guess, count in zip(guesses, (1, 15), strict=True):
            weights = ("distance" if metric == "l2" else lambda d: np.maximum(1 - d, 0)) if weighted else "uniform"
            theirs = KNeighborsClassifier(
                count, weights=weights, metric="euclidean" if metric == "l2" else "cosine", algorithm="brute"
            ).fit(train, labels)
            same = guess == theirs.predict(test)
            # of equal votes they take the first class, we the nearest
            assert same.mean() == 1 if weighted or count == 1 else same.mean() > 0.8


def test_equal_votes_go_to_the_nearest() -> None:
    labels = np.array([[2, 1, 1, 2, 0]])
    assert vote(labels, np.ones((1, 5)), 3, [1, 2, 3, 4, 5]).ravel().tolist() == [2, 2, 1, 2, 2]
    assert vote(labels, np.array([[0.1, 1, 1, 1, 5]]), 3, [5]).ravel().tolist() == [0]


def test_k_is_chosen_on_the_training_images() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    values = (labels[:, None] * 1.2 + random.normal(size=(120, 4))).astype(np.float32)
    data = ProbeData("fc1", values[:80], labels[:80], values[80:], labels[80:], ("a", "b"))
    result = knn_probe(data, [1, 5, 15, 500], "l2", progress=False)
    assert result.sweep.neighbors == (1, 5, 15) and result.neighbors in (5, 15)
    best = int(np.argmax(result.sweep.left_out_accuracy))
    assert result.neighbors == result.sweep.neighbors[best]
    low, high = result.accuracy_interval
    assert 0.5 < low < result.accuracy < high <= 1
    flipped = ProbeData("fc1", values[:80], labels[:80], values[80:], 1 - labels[80:], ("a", "b"))
    other = knn_probe(flipped, [1, 5, 15], "l2", progress=False)
    assert other.neighbors == result.neighbors and other.accuracy == pytest.approx(1 - result.accuracy)


def test_bad_settings_and_values_are_refused() -> None:
    values = np.ones((5, 2), np.float32)
    with pytest.raises(ValueError, match="'dot' is unknown: choose one of cosine, l2"):
        nearest(values, values, 1, "dot")
    for count, own, most in ((6, False, 5), (5, True, 4), (0, False, 5)):
        with pytest.raises(ValueError, match=f"{count} neighbors of {most} images"):
            nearest(values, values, count, exclude_self=own)
    data = ProbeData("fc1", values, np.zeros(5, np.int64), values, np.zeros(5, np.int64), ("a",))
    with pytest.raises(ValueError, match=r"No k of \[0, 7\] is from 1 to 4"):
        knn_probe(data, [0, 7])
    values = np.array([[1, 2], [np.nan, 0], [1, 1]], np.float32)
    for metric in ("cosine", "l2"):
        with pytest.raises(ValueError, match="not finite in row 1"):
            nearest(values[:1], values, 1, metric)
