"""Bring runs into one order of images, and refuse those that cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace

import numpy as np

from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.ground_truth import GroundTruth


def align_runs(runs: Mapping[str, Detections], *, need_truth: bool = True) -> dict[str, Detections]:
    """The runs with their images in the order of the first run, and half-open boxes where their conventions differ.

    Args:
        runs: Name -> run.
        need_truth: False to compare runs that may have no ground truth; then it is not used.

    Raises:
        ValueError: If there is no run, one has no ground truth, or classes, images or ground truth differ.

    Example:
        >>> truth = GroundTruth([0], [[0, 0, 9, 9]], [0], [False])
        >>> run = Detections(("cat",), ("a",), [0], [[0, 0, 9, 9]], [0.5], [0], truth=truth)
        >>> list(align_runs({"scratch": run, "pre-trained": run}))
        ['scratch', 'pre-trained']
    """
    if not runs:
        raise ValueError("There is no run to look at: give at least one.")
    for name, run in runs.items() if need_truth else ():
        try:
            run.ground_truth()
        except ValueError as error:
            raise ValueError(f"Run '{name}': {error}") from error
    if len({run.plus_one for run in runs.values()}) > 1:
        runs = {name: run.half_open() for name, run in runs.items()}
    first_name, first = next(iter(runs.items()))
    aligned = {first_name: first}
    for name, run in list(runs.items())[1:]:
        run.require_classes(first.classes, f"run '{first_name}'")
        only, other = set(run.names) - set(first.names), set(first.names) - set(run.names)
        if only or other:
            example = f"'{min(only or other)}' is in '{name if only else first_name}' only"
            raise ValueError(
                f"The runs '{first_name}' and '{name}' are on other images: {len(other)} and {len(only)} of their"
                f" {len(first.names)} and {len(run.names)} have no counterpart, e.g. {example}. Test both models on the"
                " same data set."
            )
        moved = _with_names(run, first.names)
        if need_truth:
            _require_same_truth(first_name, first.ground_truth(), name, moved.ground_truth())
        aligned[name] = moved
    return aligned


def _require_same_truth(first_name: str, first: GroundTruth, name: str, other: GroundTruth) -> None:
    def is_same() -> bool:
        return (
            len(first) == len(other)
            and np.array_equal(first.image, other.image)
            and np.array_equal(first.labels, other.labels)
            and np.array_equal(first.ignore, other.ignore)
            and np.allclose(first.boxes, other.boxes, rtol=0, atol=0.01)
        )

    if not is_same():
        raise ValueError(
            f"The runs '{first_name}' and '{name}' are on the same images, but their ground truth differs"
            f" ({len(first)} and {len(other)} objects). Test both models with the same annotations."
        )


def _with_names(run: Detections, names: tuple[str, ...]) -> Detections:
    """The same run with its images in another order."""
    if run.names == names:
        return run
    place = {name: i for i, name in enumerate(names)}
    new_index = np.array([place[name] for name in run.names], np.int32)
    old_index = np.argsort(new_index)

    def moved(columns: Detections | GroundTruth, skip: tuple[str, ...]) -> dict[str, np.ndarray]:
        image = new_index[columns.image]
        order = np.argsort(image, kind="stable")
        rows = {field.name: getattr(columns, field.name)[order] for field in fields(columns) if field.name not in skip}
        return rows | {"image": image[order]}

    truth = run.truth
    not_rows = ("classes", "names", "paths", "sizes", "truth", "image", "plus_one")
    return replace(
        run,
        names=names,
        paths=tuple((run.paths or ())[i] for i in old_index),
        sizes=np.asarray(run.sizes)[old_index],
        truth=None if truth is None else GroundTruth(**moved(truth, ("image",))),
        **moved(run, not_rows),  # type: ignore[arg-type]  # only columns
    )
