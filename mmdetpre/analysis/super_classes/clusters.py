"""Super-classes: clusters of classes that look alike to a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from mmdetpre.utils.results import Cell, Result


@dataclass(frozen=True)
class SuperClasses(Result):
    """Super-class of each class; ``RFCN3000RoIHead(super_classes=FILE)`` reads its file.

    Attributes:
        clusters: Id of each class (WordNet id), in label order, and its super-class.
        settings: How they were made, for the record.
        digest: Of the clusters.

    Example:
        >>> print(SuperClasses({"n01": 0, "n02": 1, "n03": 0}, {}))
        0: 2 classes: n01, n03
        1: 1 classes: n02
    """

    kind: ClassVar[str] = "super-classes"
    alone: ClassVar[bool] = True

    clusters: dict[str, int]
    settings: Mapping[str, Any]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(json.dumps(self.clusters).encode()).hexdigest()
        object.__setattr__(self, "digest", f"sha256:{digest}")

    def rows(self) -> list[list[Cell]]:
        """One line per class."""
        rows: list[list[Cell]] = [["class", "super-class"]]
        rows += [[name, cluster] for name, cluster in self.clusters.items()]
        return rows

    def __str__(self) -> str:
        """One line per super-class, with its first classes."""
        lines = []
        for cluster in sorted(set(self.clusters.values())):
            members = [name for name, k in self.clusters.items() if k == cluster]
            more = ", ..." if len(members) > 8 else ""
            lines.append(f"{cluster}: {len(members)} classes: {', '.join(members[:8])}{more}")
        return "\n".join(lines)


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
        seed: Seed of the 10 initializations, of which the best is taken.

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
