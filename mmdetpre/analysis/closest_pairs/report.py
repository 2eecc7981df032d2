"""Pairs of images that are close in one feature space, and what becomes of them in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmdetpre.analysis.closest_pairs.search import Pairs, check_features, closest_pairs, pair_ranks, pair_values
from mmdetpre.analysis.features.spaces import FeatureSpace
from mmdetpre.utils.tables import text_table

FORMAT = "mmdetpre closest pairs"
CLASSES = ("all", "same", "different")
CLOSE_K, DISTANT_K = 1001, 4
"""Pairs are close that share one of more than 1,000 clusters, and distant that do not share one of fewer than 5."""


def check_spaces(spaces: Sequence[FeatureSpace], metric: str) -> None:
    """Check that a metric tells the images of every space apart.

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
        close_k: Number of clusters for close pairs.
        distant_k: Number of clusters for distant pairs.

    Raises:
        ValueError: If one is impossible for so many images.
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
) -> dict[str, Any]:
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

    Returns:
        ``lists`` of ``title``, ``space`` and ``pairs``, the most similar in that space first. Each pair has ``rows``,
        ``images``, ``classes`` (None where there are no names), and by name of the space its ``values`` and ``ranks``
        among all pairs. A list of close and distant pairs may be short or empty.

    Raises:
        ValueError: If classes are asked for and images have none, or the metric is not defined on these features.

    Source: Figure 5 of "An Analysis of Pre-Training on Object Detection".
    """
    same, different = _class_filter(spaces[0], classes)
    settings: dict[str, Any] = {"metric": metric, "duplicates": duplicates}
    find = _each_image_once if once else closest_pairs
    pairs: list[tuple[str, FeatureSpace, Pairs]] = []
    for space in spaces:
        found = find(space.values, count, same=same, different=different, progress=progress, **settings)
        pairs.append((f"closest in {space.name}", space, found))
    if clusters is not None:
        for here, there in ((0, 1), (1, 0)):
            close, distant = [*same, clusters[here][0]], [*different, clusters[there][1]]
            found = find(spaces[here].values, count, same=close, different=distant, **settings)
            title = f"close in {spaces[here].name}, distant in {spaces[there].name}"
            pairs.append((title, spaces[here], found))
    i, j = (np.concatenate([getattr(found, name) for _, _, found in pairs]) for name in "ij")
    values = {space.name: pair_values(space.values, i, j, metric) for space in spaces}
    ranks = {space.name: pair_ranks(space.values, i, j, metric, progress=progress) for space in spaces}
    lists, start = [], 0
    for title, space, found in pairs:
        rows = range(start, start + len(found))
        start += len(found)
        lists.append(
            {
                "title": title,
                "space": space.name,
                "pairs": [_pair(spaces[0], int(i[row]), int(j[row]), row, values, ranks) for row in rows],
            }
        )
    n = len(spaces[0].values)
    return {
        "format": FORMAT,
        "spaces": [space.describe() for space in spaces],
        "images": n,
        "all_pairs": n * (n - 1) // 2,
        "metric": metric,
        "classes": classes,
        "duplicates": duplicates,
        "once": once,
        "lists": lists,
    }


def format_pairs(report: Mapping[str, Any]) -> str:
    """One table per list."""
    names = [space["name"] for space in report["spaces"]]
    tables = []
    for one in report["lists"]:
        head = [one["title"], "", *(f"{name}: {what}" for name in names for what in (report["metric"], "rank"))]
        rows = []
        for pair in one["pairs"]:
            numbers = [cell for name in names for cell in (f"{pair['values'][name]:.4f}", f"{pair['ranks'][name]:,}")]
            rows.append([*pair["images"], *numbers])
        tables.append(text_table(head, rows) if rows else f"{one['title']}: there is no such pair.")
    return "\n\n".join(tables)


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


def _class_filter(space: FeatureSpace, classes: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    if classes not in CLASSES:
        raise ValueError(f"classes is {classes!r}: choose one of {', '.join(CLASSES)}.")
    labels = space.file.labels
    if classes != "all" and (labels < 0).any():
        raise ValueError(
            f"{int((labels < 0).sum())} of {len(labels)} images have no class, so pairs cannot be chosen by class: use"
            " --classes all."
        )
    return [labels] if classes == "same" else [], [labels] if classes == "different" else []


def _pair(
    space: FeatureSpace, i: int, j: int, row: int, values: Mapping[str, np.ndarray], ranks: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    file = space.file
    labels = [int(file.labels[k]) for k in (i, j)]
    return {
        "rows": [i, j],
        "images": [file.images[i], file.images[j]],
        "classes": [file.classes[label] for label in labels] if min(labels) >= 0 and file.classes else None,
        "values": {name: float(of_space[row]) for name, of_space in values.items()},
        "ranks": {name: int(of_space[row]) for name, of_space in ranks.items()},
    }
