"""K-means clusters of the images of a feature space for many numbers of clusters.

All numbers share one draw of initial centers: the first k that k-means++ draws are those it would draw for k.
Each k then runs on one thread and different k side by side: nothing competes for cores, and the result does not depend
on their number.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmdetpre.analysis.features.spaces import FeatureSpace
from mmdetpre.utils import bounded_files
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import whole_file

DEFAULT_KS = (2, 4, 8, 16, 32, 64, 125, 250, 375, 500, 750, 1000)
_TRIALS = 8  # candidates for each center, what scikit-learn takes for 1,000 clusters


def kmeans_sweep(
    features: np.ndarray,
    ks: Sequence[int],
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> dict[int, np.ndarray]:
    """Cluster the rows for every number of clusters.

    Args:
        features: (n, D) finite float32. They are read into memory, once more per thread.
        ks: Numbers of clusters.
        seed: Of the initial centers.
        folder: Where the clusters of each k are kept once found, under a fingerprint of features, seed and program;
            those that are there are not computed again.
        threads: How many k are clustered side by side; by default as many as there are cores.
        progress: Show a progress bar.

    Returns:
        (n,) int32 cluster of each row for each k, in the order of ``ks``.

    Raises:
        ValueError: If a k is below 1, given twice, or above the number of different rows; or a kept file is damaged.

    Example:
        >>> clusters = kmeans_sweep(np.array([[0], [1], [10], [11.0]], np.float32), [1, 2])
        >>> clusters[1].tolist(), len(set(clusters[2][:2])), bool(clusters[2][0] == clusters[2][2])
        ([0, 0, 0, 0], 1, False)
    """
    values = np.ascontiguousarray(features, np.float32)
    ks = check_ks(ks, len(values))
    different = _different_rows(values)
    if max(ks) > different:
        raise ValueError(
            f"{max(ks)} clusters are impossible: only {different} of the {len(values)} images have different features."
            f" Give numbers of clusters up to {different}."
        )
    store = None if folder is None else Path(folder) / _fingerprint(values, seed)
    kept = {k: path for k in ks if store is not None and (path := _place(store, k)).exists()}
    found = {k: _load(path, k, len(values)) for k, path in kept.items()}
    missing = sorted(set(ks) - set(found), reverse=True)  # the longest first, so that no core waits at the end
    with progress_bar(total=sum(ks), initial=sum(found), unit="center", desc="k-means", disable=not progress) as bar:
        for k, labels in _cluster(values, missing, seed, threads or len(os.sched_getaffinity(0)), bar):
            found[k] = labels
            if store is not None:
                with whole_file(_place(store, k), links=False) as part, part.open("wb") as file:
                    np.save(file, labels)
            bar.update(k)
    return {k: found[k] for k in ks}


def cluster_spaces(
    spaces: Sequence[FeatureSpace],
    ks: Sequence[int],
    *,
    seed: int = 0,
    folder: str | Path | None = None,
    threads: int | None = None,
) -> list[dict[int, np.ndarray]]:
    """Clusters of several spaces, with their progress on stderr.

    Args:
        spaces: The spaces.
        ks, seed, folder, threads: As for :func:`kmeans_sweep`, and so are the errors.
    """
    for space in spaces:
        check_ks(ks, len(space.values))
    found = []
    for space in spaces:
        print(f"{space.name}, {space.layer}: {len(space.values)} images", file=sys.stderr)
        found.append(kmeans_sweep(space.values, ks, seed=seed, folder=folder, threads=threads, progress=True))
    return found


def check_ks(ks: Sequence[int], images: int) -> tuple[int, ...]:
    """The numbers of clusters as plain integers.

    Raises:
        ValueError: If one is below 1, given twice, or above the number of images.

    Example:
        >>> check_ks([2, 5], 10)
        (2, 5)
    """
    ks = tuple(int(k) for k in ks)
    if not ks or min(ks) < 1 or len(set(ks)) < len(ks):
        raise ValueError(f"the numbers of clusters are {list(ks)}: give different whole numbers from 1.")
    if max(ks) > images:
        raise ValueError(
            f"{max(ks)} clusters of {images} images are impossible: give numbers of clusters up to {images}, such as"
            f" --k {' '.join(str(k) for k in DEFAULT_KS if k < images // 2) or 1}, or features of more images."
        )
    return ks


def _different_rows(values: np.ndarray) -> int:
    return len({hashlib.blake2b(row + np.float32(0), digest_size=16).digest() for row in values})  # -0 becomes 0


def _cluster(
    values: np.ndarray, ks: Sequence[int], seed: int, threads: int, bar: tqdm
) -> Iterable[tuple[int, np.ndarray]]:
    if not ks:
        return
    from sklearn.cluster import KMeans, kmeans_plusplus  # takes a second to import
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        bar.set_postfix_str("drawing initial centers")
        centers = kmeans_plusplus(values, max(ks), random_state=seed, n_local_trials=_TRIALS)[0]
        bar.set_postfix_str("")

        def fit(k: int) -> tuple[int, np.ndarray]:
            return k, KMeans(k, init=centers[:k], n_init=1, random_state=seed).fit(values).labels_

        # OpenMP keeps its limit per thread
        with ThreadPoolExecutor(min(threads, len(ks)), "k-means", threadpool_limits, (1, "openmp")) as pool:
            jobs = [pool.submit(fit, k) for k in ks]
            try:
                for job in as_completed(jobs):
                    yield job.result()
            finally:
                pool.shutdown(cancel_futures=True)


def _fingerprint(values: np.ndarray, seed: int) -> str:
    from sklearn import __version__

    digest = hashlib.blake2b(f"{values.shape} seed {seed} trials {_TRIALS} scikit-learn {__version__}".encode())
    digest.update(values.data)
    return digest.hexdigest()[:16]


def _place(store: Path, k: int) -> Path:
    return store / f"k{k:05d}.npy"


def _load(path: Path, k: int, images: int) -> np.ndarray:
    try:
        labels = np.array(bounded_files.load_npy(path))
        if labels.shape != (images,) or labels.min() < 0 or labels.max() >= k:
            raise ValueError(f"labels of shape {labels.shape}")
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path} does not hold {k} clusters of {images} images ({error}): remove it.") from error
    return labels
