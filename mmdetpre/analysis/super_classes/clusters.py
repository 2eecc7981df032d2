"""Super-classes: clusters of classes that look alike to a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.utils.whole_file import write_json


class ClassMeans:
    """Mean feature of each class, added up batch by batch.

    Args:
        num_classes: Number of classes C.

    Example:
        >>> means = ClassMeans(2)
        >>> means.add(np.array([[1.0, 3.0], [3.0, 5.0], [0.0, 1.0]]), np.array([1, 1, 0]))
        >>> means.mean().tolist()
        [[0.0, 1.0], [2.0, 4.0]]
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = np.zeros(num_classes, np.int64)
        self._sums: np.ndarray | None = None

    def add(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Adds features (n, D) of n objects with labels (n,).

        Raises:
            ValueError: If a feature is not finite.
        """
        if not np.isfinite(features).all():
            raise ValueError("a feature is not finite: has the checkpoint diverged?")
        if self._sums is None:
            self._sums = np.zeros((len(self.counts), features.shape[1]))
        np.add.at(self._sums, labels, features)
        np.add.at(self.counts, labels, 1)

    def mean(self, classes: Sequence[str] | None = None) -> np.ndarray:
        """Means (C, D) float64.

        Args:
            classes: Names for the message.

        Raises:
            ValueError: Names the classes without any object.
        """
        without = np.flatnonzero(self.counts == 0)
        if len(without) or self._sums is None:
            named = [str(i) if classes is None else classes[i] for i in without[:10]]
            raise ValueError(
                f"{len(without)} of the {len(self.counts)} classes have no box in what was seen: {', '.join(named)}."
                " Look at all images (no --max-chips), or leave these classes out of the data set's `classes`."
            )
        return self._sums / self.counts[:, None]


def cluster_classes(means: np.ndarray, clusters: int, seed: int = 0) -> np.ndarray:
    """K-means clusters (C,) int64 of the mean features (C, D) of classes, numbered by their first class.

    Args:
        means: Mean feature of each class.
        clusters: Number K of clusters, from 1 to C.
        seed: Seed of the best of 10 starts.

    Raises:
        ValueError: If K is out of range, or there are fewer than K different features.

    Source: R-FCN-3000 clusters the mean 2048-d features of the classes into super-classes with K-means.
    """
    from sklearn.cluster import KMeans  # takes a second to import

    if not 1 <= clusters <= len(means):
        raise ValueError(f"{clusters} clusters of {len(means)} classes: give a number from 1 to {len(means)}.")
    if (different := len(np.unique(means, axis=0))) < clusters:
        raise ValueError(f"the classes have {different} different mean features: {clusters} clusters are too many.")
    found = KMeans(clusters, n_init=10, random_state=seed).fit_predict(means)
    _, first, inverse = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].astype(np.int64)


def write_clusters(
    path: str | Path, classes: Sequence[str], clusters: np.ndarray, settings: Mapping[str, Any], *, force: bool = False
) -> None:
    """Writes clusters as JSON that ``RFCN3000RoIHead(super_classes=...)`` reads.

    Args:
        path: File to write.
        classes: C class ids (WordNet ids) in label order.
        clusters: (C,) their clusters.
        settings: How they were made, for the record.
        force: Overwrite an existing file.

    Raises:
        FileExistsError: If the file exists.
    """
    path = Path(path)
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists: choose another file, or add --force to overwrite it.")
    by_class = {c: int(k) for c, k in zip(classes, clusters, strict=True)}
    digest = hashlib.sha256(json.dumps(by_class).encode()).hexdigest()
    content = {"clusters": by_class, "settings": dict(settings), "digest": f"sha256:{digest}"}
    write_json(path, content, overwrite=force)
