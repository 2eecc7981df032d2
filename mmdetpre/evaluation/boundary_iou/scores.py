"""Boundary IoU as a table, as JSON and as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.boundary_iou.counts import BoundaryAreas
from mmdetpre.evaluation.label_maps.class_scores import class_mean
from mmdetpre.utils.score_files import read_runs_of_kind, write_runs
from mmdetpre.utils.tables import percent, text_table
from mmdetpre.utils.whole_file import write_rows

FORMAT = "mmdetpre Boundary IoU"


def to_dict(areas: BoundaryAreas, classes: Sequence[str], dilation_ratio: float, label: str = "") -> dict[str, Any]:
    """Scores as plain values, ready for JSON: from 0 to 1, ``None`` where there is nothing to score.

    Args:
        areas: Areas of all images.
        classes: Class names, in the order of the labels.
        dilation_ratio: Width of the boundary as a fraction of the image's diagonal.
        label: Name of the run.

    Returns:
        ``label``, ``dilation_ratio``, ``images``, ``classes``; per class ``pixels`` and ``boundary_pixels`` (annotated
        ones), ``IoU`` and ``boundary_IoU``; their means ``mIoU`` and ``boundary_mIoU`` over the classes that are in the
        truth or in the prediction.
    """
    boundary, whole = areas.boundary_iou(), areas.mask_iou()
    return {
        "label": label,
        "dilation_ratio": dilation_ratio,
        "images": areas.images,
        "classes": list(classes),
        "pixels": areas.whole[1].tolist(),
        "boundary_pixels": areas.boundary[1].tolist(),
        "IoU": [_plain(value) for value in whole.tolist()],
        "boundary_IoU": [_plain(value) for value in boundary.tolist()],
        "mIoU": _plain(float(class_mean(whole))),
        "boundary_mIoU": _plain(float(class_mean(boundary))),
    }


def format_table(run: Mapping[str, Any]) -> str:
    """Classes x IoU in per cent of boundary regions and of whole masks, the means in the last line."""
    head = [f"IoU (%), {100 * run['dilation_ratio']:g} % of diagonal", "boundary, % of pixels", "boundary", "mask"]
    rows = []
    for values in zip(*(run[k] for k in ("classes", "boundary_pixels", "pixels", "boundary_IoU", "IoU")), strict=True):
        name, near, pixels, boundary, whole = values
        rows.append([name, percent(near / pixels if pixels else None), percent(boundary), percent(whole)])
    pixels = sum(run["pixels"])
    share = sum(run["boundary_pixels"]) / pixels if pixels else None
    return text_table(head, rows, ["mean", percent(share), percent(run["boundary_mIoU"]), percent(run["mIoU"])])


def write_json(path: str | Path, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """Write runs to a file that :func:`read_json` reads.

    Args:
        path: The JSON file.
        runs: One per run, of :func:`to_dict`.
        overwrite: Replace an existing file.
    """
    write_runs(path, FORMAT, runs, overwrite=overwrite)


def read_json(path: str | Path) -> list[dict[str, Any]]:
    """The runs of a file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is another kind of file.
    """
    return read_runs_of_kind(path, FORMAT, "Boundary IoU", "mmdetpre.BoundaryIoUMetric(outfile_prefix=...)")


def write_csv(path: str | Path, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """One line per run and class, and for "all" the means: annotated pixels, and IoU from 0 to 1.

    Args:
        path: The CSV file.
        runs: One per run, of :func:`to_dict`.
        overwrite: Replace an existing file.
    """
    columns = ("boundary_pixels", "pixels", "boundary_IoU", "IoU")
    lines: list[list[Any]] = [["run", "class", *columns]]
    for run in runs:
        values = zip(*(run[column] for column in columns), strict=True)
        lines.extend([run["label"], name, *row] for name, row in zip(run["classes"], values, strict=True))
        totals = [sum(run["boundary_pixels"]), sum(run["pixels"])]
        lines.append([run["label"], "all", *totals, run["boundary_mIoU"], run["mIoU"]])
    write_rows(path, lines, overwrite=overwrite)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value
