from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn.cluster
from threadpoolctl import threadpool_info

from mmdetpre.analysis.clusters.kmeans import kmeans_sweep


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    random = np.random.default_rng(0)
    centers = random.normal(size=(6, 12)) * 4
    return (centers[np.arange(240) % 6] + random.normal(size=(240, 12))).astype(np.float32)


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def test_finds_clusters_and_uses_every_number(features):
    found = kmeans_sweep(features, [6, 2, 40, 240])
    assert list(found) == [6, 2, 40, 240]
    assert as_sets(found[6]) == {frozenset(range(start, 240, 6)) for start in range(6)}
    assert all(sorted(set(labels.tolist())) == list(range(k)) for k, labels in found.items())


def test_does_not_depend_on_threads_or_on_the_other_numbers(features):
    before = threadpool_info()
    one, many = (kmeans_sweep(features, [3, 20, 50], threads=threads) for threads in (1, 3))
    alone = kmeans_sweep(features, [20])
    assert all((one[k] == many[k]).all() for k in one) and (one[20] == alone[20]).all()
    assert threadpool_info() == before
    assert not (kmeans_sweep(features, [50], seed=1)[50] == one[50]).all()


def test_goes_on_where_it_was_stopped(features, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fitted: list[int] = []

    class Stopped(sklearn.cluster.KMeans):
        def fit(self, *args):
            fitted.append(self.n_clusters)
            if fitted == [20, 10, 5]:
                raise KeyboardInterrupt
            return super().fit(*args)

    monkeypatch.setattr(sklearn.cluster, "KMeans", Stopped)
    with pytest.raises(KeyboardInterrupt):
        kmeans_sweep(features, [5, 10, 20], folder=tmp_path, threads=1)
    resumed = kmeans_sweep(features, [5, 10, 20], folder=tmp_path)
    assert fitted == [20, 10, 5, 5]
    fresh = kmeans_sweep(features, [5, 10, 20])
    assert all((resumed[k] == fresh[k]).all() for k in fresh)

    fitted.clear()
    kmeans_sweep(features, [5], folder=tmp_path, seed=1)
    kmeans_sweep(features[::-1], [5], folder=tmp_path)
    assert fitted == [5, 5]  # clusters of other features or another seed are not taken for these
    assert len(list(tmp_path.iterdir())) == 3 and not list(tmp_path.glob("*/.*"))


@pytest.mark.parametrize("content", [b"", b"no array", None])
def test_damaged_file(features, tmp_path: Path, content: bytes | None):
    kmeans_sweep(features, [4], folder=tmp_path)
    (file,) = tmp_path.glob("*/*.npy")
    if content is None:
        np.save(file, np.full(240, 4, np.int32))
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file.name} does not hold 4 clusters of 240 images .*: remove it"):
        kmeans_sweep(features, [4], folder=tmp_path)


def test_says_what_is_wrong(features):
    with pytest.raises(ValueError, match="241 clusters of 240 images are impossible: .* --k 2 4 8 16 32 64"):
        kmeans_sweep(features, [2, 241])
    with pytest.raises(ValueError, match="3 clusters are impossible: only 2 of the 240 images have different"):
        kmeans_sweep(np.repeat(np.array([[0.0, 1], [-0.0, 1], [1, 1]], np.float32), 80, axis=0), [3])
    with pytest.raises(ValueError, match="only 1 of the 240"):
        kmeans_sweep(np.ones_like(features), [2])
    for ks in ([], [0], [3, 3]):
        with pytest.raises(ValueError, match="give different whole numbers from 1"):
            kmeans_sweep(features, ks)
