"""Pairs of images that are close in one feature space, and what becomes of them in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mmdetpre.analysis.closest_pairs.search import Pairs, check_features, closest_pairs, pair_ranks, pair_values
from mmdetpre.analysis.features.spaces import FeatureSpace, SpaceInfo
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table

CLASSES = ("all", "same", "different")
CLOSE_K, DISTANT_K = 1001, 4
"""Pairs are close that share one of more than 1,000 clusters, and distant that do not share one of fewer than 5."""


@dataclass(frozen=True)
class ImagePair:
    """Two images, their class names if there are any, and by name of the space their similarity and rank."""

    rows: tuple[int, int]
    images: tuple[str, str]
    classes: tuple[str, str] | None
    values: dict[str, float]
    ranks: dict[str, int]


@dataclass(frozen=True)
class PairList:
    """Pairs under a title, the most similar in ``space`` first; may be short or empty."""

    title: str
    space: str
    pairs: tuple[ImagePair, ...]


@dataclass(frozen=True)
class ClosestPairs(Result):
    """What :func:`report_pairs` finds.

    Attributes:
        spaces: The two spaces.
        images, all_pairs: How many images there are, and pairs of them.
        metric, classes, duplicates, once: As they were asked for.
        lists: The pairs.
        close_k, distant_k, seed: Numbers of clusters, and seed of k-means; None without close and distant pairs.
    """

    kind: ClassVar[str] = "closest pairs"
    alone: ClassVar[bool] = True

    spaces: tuple[SpaceInfo, ...]
    images: int
    all_pairs: int
    metric: str
    classes: str
    duplicates: float | None
    once: bool
    lists: tuple[PairList, ...]
    close_k: int | None = None
    distant_k: int | None = None
    seed: int | None = None

    def photos(self) -> list[str]:
        """Paths of the images of all pairs, each once."""
        return list(dict.fromkeys(image for one in self.lists for pair in one.pairs for image in pair.images))

    def rows(self) -> list[list[Cell]]:
        """One line per pair."""
        names = [space.name for space in self.spaces]
        head: list[Cell] = ["list", "image 1", "image 2", "class 1", "class 2"]
        rows = [[*head, *(title for name in names for title in (name, f"rank in {name}"))]]
        for one in self.lists:
            for pair in one.pairs:
                numbers = [number for name in names for number in (pair.values[name], pair.ranks[name])]
                rows.append([one.title, *pair.images, *(pair.classes or (None, None)), *numbers])
        return rows

    def __str__(self) -> str:
        """One table per list: images, similarity and rank in each space."""
        head = ["", "", *(title for space in self.spaces for title in (space.name, "rank"))]
        tables = []
        for one in self.lists:
            rows = [
                [
                    *p.images,
                    *(cell for name, value in p.values.items() for cell in (f"{value:.4f}", f"{p.ranks[name]:,}")),
                ]
                for p in one.pairs
            ]
            head[0] = one.title
            tables.append(text_table(head, rows, left=range(2)) if rows else f"{one.title}: there is no such pair.")
        return "\n\n".join(tables)


def check_spaces(spaces: Sequence[FeatureSpace], metric: str) -> None:
    """Check that a metric distinguishes the images of every space.

    Raises:
        ValueError: As :func:`~mmdetpre.analysis.closest_pairs.search.check_features` does, with the name of the space.
    """
    for space in spaces:
        try:
            check_features(space.values, metric)
        except ValueError as error:
            raise ValueError(f"{space.layer} of '{space.name}': {error}") from error


def check_numbers_of_clusters(images: int, close_k: int, distant_k: int) -> None:
    """Check the numbers of clusters for close and for distant pairs.

    Args:
        images: Number of images.
        close_k, distant_k: Number of clusters for close pairs, and for distant ones.

    Raises:
        ValueError: If one is impossible for that number of images.
    """
    if close_k > images:
        raise ValueError(
            f"{close_k} clusters (--close-k) of {images} images are impossible. Close pairs share a cluster of a few"
            f" images: give --close-k {max(images // 10, distant_k + 1)}, say, or leave out the close and distant pairs"
            " with --closest-only."
        )
    if not 2 <= distant_k < close_k:
        raise ValueError(
            f"close_k is {close_k} and distant_k {distant_k}: give 2 or more clusters for distant pairs (--distant-k)"
            " and more for close ones (--close-k)."
        )


def report_pairs(
    spaces: Sequence[FeatureSpace],
    count: int,
    metric: str = "correlation",
    *,
    clusters: Sequence[tuple[np.ndarray, np.ndarray]] | None = None,
    classes: str = "all",
    duplicates: float | None = None,
    once: bool = False,
    progress: bool = False,
) -> ClosestPairs:
    """The closest pairs of two spaces, and those that are close in one and distant in the other.

    Args:
        spaces: Two spaces of the same images.
        count: Pairs per list.
        metric: See :func:`~mmdetpre.analysis.closest_pairs.search.closest_pairs`.
        clusters: For each space the clusters (n,) of the images for "close", many, and for "distant", few. A pair is
            close that shares one of the many in one space, and distant that shares none of the few in the other. None:
            without these two lists.
        classes: "all" pairs, or those of the "same" class or of "different" ones only.
        duplicates: Leave out pairs that are at least so similar, or at most so distant, in the space of the list.
        once: Show each image in one pair of a list at most, the most similar one that is left.
        progress: Show progress bars.

    Raises:
        ValueError: If classes are asked for and images have none, or the metric is not defined on these features.

    Source: Figure 5 of "An Analysis of Pre-Training on Object Detection".
    """
    file, names = spaces[0].file, [space.name for space in spaces]
    if classes not in CLASSES:
        raise ValueError(f"classes is {classes!r}: choose one of {', '.join(CLASSES)}.")
    if classes != "all" and (without := int((file.labels < 0).sum())):
        raise ValueError(
            f"{without} of {len(file)} images have no class, so pairs cannot be chosen by class: use --classes all."
        )
    same, different = ([file.labels] if classes == wanted else [] for wanted in ("same", "different"))
    wanted = [(f"closest in {space.name}", space, same, different) for space in spaces]
    if clusters is not None:
        for a, b in ((0, 1), (1, 0)):
            title = f"close in {names[a]}, distant in {names[b]}"
            wanted.append((title, spaces[a], [*same, clusters[a][0]], [*different, clusters[b][1]]))
    find = _each_image_once if once else closest_pairs
    settings: dict[str, Any] = {"metric": metric, "duplicates": duplicates, "progress": progress}
    found = [find(space.values, count, same=s, different=d, **settings) for _, space, s, d in wanted]
    i, j = (np.concatenate([getattr(pairs, name) for pairs in found]) for name in "ij")
    values = {space.name: pair_values(space.values, i, j, metric).tolist() for space in spaces}
    ranks = {space.name: pair_ranks(space.values, i, j, metric, progress=progress).tolist() for space in spaces}

    def pair(row: int) -> ImagePair:
        a, b = int(i[row]), int(j[row])
        labels = file.labels[[a, b]]
        return ImagePair(
            (a, b),
            (file.images[a], file.images[b]),
            (file.classes[labels[0]], file.classes[labels[1]]) if labels.min() >= 0 and file.classes else None,
            {name: values[name][row] for name in names},
            {name: ranks[name][row] for name in names},
        )

    rows = iter(range(len(i)))
    lists = tuple(
        PairList(title, space.name, tuple(pair(next(rows)) for _ in range(len(pairs))))
        for (title, space, *_), pairs in zip(wanted, found, strict=True)
    )
    n = len(file)
    infos = tuple(space.describe() for space in spaces)
    return ClosestPairs(infos, n, n * (n - 1) // 2, metric, classes, duplicates, once, lists)


def _each_image_once(features: np.ndarray, count: int, **settings: Any) -> Pairs:
    """The closest pair, the closest of those without its images, and so on."""
    asked = 4 * count
    while True:
        found = closest_pairs(features, asked, **settings)
        used: set[int] = set()
        chosen: list[int] = []
        for row, pair in enumerate(zip(found.i.tolist(), found.j.tolist(), strict=True)):
            if used.isdisjoint(pair):
                used.update(pair)
                chosen.append(row)
        if len(chosen) >= count or len(found) < asked:
            chosen = chosen[:count]
            return Pairs(found.i[chosen], found.j[chosen], found.values[chosen])
        asked *= 8
