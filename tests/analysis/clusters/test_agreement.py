from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from mmdetpre.analysis.clusters.agreement import (
    ClusterAgreement,
    PairCounts,
    compare_clusters,
    count_pairs,
    sample_agreement,
)
from mmdetpre.analysis.clusters.kmeans import kmeans_sweep
from mmdetpre.utils.results import read_results, write_results

clusterings = st.integers(2, 20).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4), min_size=n, max_size=n).map(np.array) for _ in range(2)))
)


@given(clusterings)
def test_counts_are_those_of_all_pairs(both):
    a, b = both
    pairs = list(itertools.combinations(range(len(a)), 2))
    in_a, in_b = ([labels[i] == labels[j] for i, j in pairs] for labels in (a, b))
    found = count_pairs(a, b)
    assert found == PairCounts(len(pairs), sum(in_a), sum(in_b), sum(x and y for x, y in zip(in_a, in_b, strict=True)))
    assert count_pairs(b, a) == found.reversed()
    if not math.isnan(found.adjusted_rand()):
        assert found.adjusted_rand() == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)


def test_identical_clusters_agree_whatever_they_are_called():
    a = np.random.default_rng(0).integers(7, size=100)
    found = count_pairs(a, 10 - a)
    assert found.agreement() == found.reversed().agreement() == found.adjusted_rand() == 1
    assert sample_agreement(a, 10 - a, 1000).value == 1


def test_nested_clusters_agree_in_one_direction():
    """Every fine cluster lies in a coarse one: together in fine means together in coarse, but not the reverse."""
    coarse = np.repeat([0, 1], 60)
    fine = np.arange(120) // 20
    found = count_pairs(fine, coarse)
    assert found.agreement() == 1
    assert found.reversed().agreement() == pytest.approx(19 / 59)  # 19 of an image's 59 companions are in its cluster
    assert sample_agreement(fine, coarse).value == 1
    sampled = sample_agreement(coarse, fine)
    assert sampled.low < 19 / 59 < sampled.high


def test_sampled_agrees_with_exact_within_the_stated_confidence():
    random = np.random.default_rng(3)
    a = random.choice(5, 300, p=[0.6, 0.2, 0.1, 0.06, 0.04])  # uneven: large clusters must weigh by their pairs
    b = np.where(random.random(300) < 0.5 + 0.1 * a, a, random.integers(5, size=300))
    exact = count_pairs(a, b).agreement()
    drawn = [sample_agreement(a, b, 400, seed) for seed in range(400)]
    covered = np.mean([one.low <= exact <= one.high for one in drawn])
    assert 0.93 <= covered <= 0.97
    assert np.mean([one.value for one in drawn]) == pytest.approx(exact, abs=0.004)


def test_every_pair_is_equally_likely():
    a = np.array([0, 1, 0, 1, 1, 2])  # 1 pair in cluster 0, 3 in cluster 1
    for i, j in ((0, 2), (1, 3), (1, 4), (3, 4)):
        b = np.arange(6)
        b[j] = b[i]
        assert sample_agreement(a, b, 40_000).value == pytest.approx(1 / 4, abs=0.01)


def test_clusters_of_one_image_each_have_no_agreement(tmp_path: Path):
    alone, together = np.arange(5), np.zeros(5, int)
    assert math.isnan(count_pairs(alone, together).agreement())
    assert math.isnan(sample_agreement(alone, together).value)
    result = compare_clusters(["a", "b"], {5: alone}, {5: together}, samples=10)
    first, second = result.directions
    assert (first.exact, first.sampled, first.low, first.high, first.pairs) == (*[(None,)] * 4, (0,))
    assert second.exact == (0.0,) and result.adjusted_rand == (0.0,)
    *_, line, note = str(result).splitlines()
    assert line.split()[:5] == ["5", "-", "-", "to", "-"] and note.startswith("-: no two images")
    assert result.rows()[1] == ["a", "b", 5, 0, None, None, None, None, 1.0, 0.0]
    write_results(tmp_path / "a.json", [result])
    assert read_results(tmp_path / "a.json", ClusterAgreement, "cluster_agreement.py") == [result]
    assert result.to_dict()["directions"][0]["from"] == "a"


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(8, 16))[np.arange(400) % 8] * 4 + random.normal(size=(400, 16))).astype(np.float32)


def exact_curves(a: np.ndarray, b: np.ndarray, ks: list[int]) -> tuple[list[float], list[float], ClusterAgreement]:
    result = compare_clusters(["a", "b"], kmeans_sweep(a, ks), kmeans_sweep(b, ks))
    forward, back = result.directions
    for way in (forward, back):
        for exact, low, high in zip(way.exact, way.low, way.high, strict=True):
            assert low - 0.003 <= exact <= high + 0.003
    return forward.exact, back.exact, result


def test_identical_spaces_agree_at_every_number_of_clusters(blobs):
    forward, back, result = exact_curves(blobs, blobs, [2, 8, 50])
    assert forward == back == result.adjusted_rand == (1, 1, 1)


def test_independent_spaces_agree_as_chance(blobs):
    shuffled = blobs[np.random.default_rng(1).permutation(400)]
    forward, back, result = exact_curves(blobs, shuffled, [2, 8, 50])
    for way, exact in zip(result.directions, (forward, back), strict=True):
        np.testing.assert_allclose(exact, way.chance, atol=0.02)
    assert max(map(abs, result.adjusted_rand)) < 0.05


def test_space_that_merges_groups_holds_the_pairs_of_the_finer_one(blobs):
    """In the second space five groups are one, and single images far away take up its clusters."""
    merged = blobs.copy()
    group = np.arange(400) % 8
    merged[group < 5] = np.random.default_rng(2).normal(size=(250, 16))
    far = np.flatnonzero(group >= 5)[:4]
    merged[far] += 200 * np.eye(16, dtype=np.float32)[:4]
    forward, back, _ = exact_curves(blobs, merged, [8])
    assert forward[0] > 0.9 and back[0] < 0.35


def test_same_seed_same_result(blobs):
    labels = kmeans_sweep(blobs, [4, 9]), kmeans_sweep(blobs[:, :3], [4, 9])
    first, again, other = (compare_clusters(["a", "b"], *labels, samples=500, seed=seed) for seed in (0, 0, 1))
    assert first == again and first.directions[0].sampled != other.directions[0].sampled


def test_says_what_is_wrong():
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(4,\)"):
        count_pairs(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="of two or more"):
        count_pairs(np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="0 pairs are to be sampled"):
        sample_agreement(np.zeros(3), np.zeros(3), 0)
