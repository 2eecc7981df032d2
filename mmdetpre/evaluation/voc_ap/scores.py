"""AP over IoU thresholds as a table, as JSON and as CSV, for one run or several side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.voc_ap.average_precision import VOCResult
from mmdetpre.utils import bounded_files
from mmdetpre.utils.tables import text_table
from mmdetpre.utils.whole_file import write_rows, write_text

FORMAT = "mmdetpre AP over IoU"


def iou_key(iou: float) -> str:
    """Name of a threshold's result: AP50 for 0.5, AP55 for 0.55, AP52.5 for 0.525.

    Example:
        >>> iou_key(0.7), iou_key(0.29), iou_key(0.525)
        ('AP70', 'AP29', 'AP52.5')
    """
    return f"AP{round(100 * iou, 6):02g}"


def to_dict(result: VOCResult, label: str = "") -> dict[str, Any]:
    """A result as plain values, ready for JSON; AP from 0 to 1, ``None`` where a class has no box."""

    def plain(values: Any) -> list:
        return [None if math.isnan(value) else float(value) for value in values]

    return {
        "label": label,
        "mode": result.mode,
        "plus_one": result.plus_one,
        "iou_thrs": list(result.iou_thrs),
        "mean_ap": plain(result.mean_ap),
        "classes": [
            {"name": name, "objects": int(objects), "detections": int(found), "ap": plain(ap), "recall": plain(recall)}
            for name, objects, found, ap, recall in zip(
                result.classes, result.objects, result.detections, result.ap, result.recall, strict=True
            )
        ],
    }


def check_comparable(runs: Sequence[Mapping[str, Any]]) -> None:
    """Raise ``ValueError`` unless all runs have the thresholds, metric, classes and boxes of the first.

    Raises:
        ValueError: If the runs were not evaluated in the same way on the same boxes.
    """

    def facts(run: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "IoU thresholds": run["iou_thrs"],
            "metric (mode and plus_one)": (run["mode"], run["plus_one"]),
            "classes": [one["name"] for one in run["classes"]],
            "numbers of boxes per class (another split?)": [one["objects"] for one in run["classes"]],
        }

    first = facts(runs[0])
    for run in runs[1:]:
        for what, value in facts(run).items():
            if value != first[what]:
                raise ValueError(
                    f"'{run['label']}' and '{runs[0]['label']}' cannot be compared, they differ in their {what}:"
                    f" {_short(value)} and {_short(first[what])}. Evaluate both in the same way on the same images."
                )


def format_table(result: VOCResult) -> str:
    """Classes x thresholds in per cent, the mean in the last line."""
    run = to_dict(result)
    rows = [[one["name"], str(one["objects"]), str(one["detections"]), *_cells(one["ap"])] for one in run["classes"]]
    head = ["AP (%) at IoU", "boxes", "detections", *(f"{iou:g}" for iou in run["iou_thrs"])]
    counts = [str(int(result.objects.sum())), str(int(result.detections.sum()))]
    return text_table(head, rows, ["mean", *counts, *_cells(run["mean_ap"])])


def format_comparison(runs: Sequence[Mapping[str, Any]]) -> str:
    """Mean AP of every run in per cent; of each but the first also the difference to the first."""
    first = runs[0]["mean_ap"]
    rows = [[runs[0]["label"], *_cells(first)]]
    for run in runs[1:]:
        rows.append([run["label"], *_cells(run["mean_ap"])])
        gains = [f"{100 * (a - b):+.1f}" for a, b in zip(run["mean_ap"], first, strict=True)]
        rows.append([f"  minus {runs[0]['label']}", *gains])
    return text_table(["mAP (%) at IoU", *(f"{iou:g}" for iou in runs[0]["iou_thrs"])], rows)


def write_json(path: str | Path, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """Write runs to a file that :func:`read_json` reads.

    Args:
        path: The JSON file.
        runs: One per run, of :func:`to_dict`.
        overwrite: Replace an existing file.
    """
    write_text(path, json.dumps({"format": FORMAT, "runs": list(runs)}, indent=1) + "\n", overwrite=overwrite)


def read_json(path: str | Path) -> list[dict[str, Any]]:
    """The runs of a file.

    Raises:
        ValueError: If it is another kind of file.
    """
    try:
        content = bounded_files.read_json(path)
        if content["format"] != FORMAT:
            raise ValueError(f"its mark is '{content['format']}'")
        return content["runs"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no AP over IoU ({error}). mmdetpre.VOCIoUMetric(outfile_prefix=...) writes such a file."
        ) from error


def write_csv(path: str | Path, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """One line per run and class, and per mean: run, class, boxes, detections, one column per threshold (0 to 1).

    Args:
        path: The CSV file.
        runs: One per run, of :func:`to_dict`.
        overwrite: Replace an existing file.
    """
    lines: list[list[Any]] = [["run", "class", "boxes", "detections", *map(iou_key, runs[0]["iou_thrs"])]]
    for run in runs:
        for one in run["classes"]:
            lines.append([run["label"], one["name"], one["objects"], one["detections"], *one["ap"]])
        totals = [sum(one[name] for one in run["classes"]) for name in ("objects", "detections")]
        lines.append([run["label"], "mean", *totals, *run["mean_ap"]])
    write_rows(path, lines, overwrite=overwrite)


def _cells(values: Sequence[float | None]) -> list[str]:
    return ["-" if value is None else f"{100 * value:.1f}" for value in values]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
