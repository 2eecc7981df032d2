"""Scores over the trimap width as a table, as JSON and as CSV, for one run or several side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.evaluation.trimap.counts import TrimapConfusion, region_scores
from mmdetpre.paper.values import CLASS_GAINS
from mmdetpre.utils.file_arguments import named_files
from mmdetpre.utils.score_files import read_runs_of_kind, write_runs
from mmdetpre.utils.tables import percent, text_table
from mmdetpre.utils.whole_file import write_rows

FORMAT = "mmdetpre scores over trimap width"
REGIONS = ("trimap", "anti_trimap")


def to_dict(counts: TrimapConfusion, classes: Sequence[str], boundary: str, label: str = "") -> dict[str, Any]:
    """Scores as plain values, ready for JSON: from 0 to 1, ``None`` where there is nothing to score.

    Args:
        counts: Confusion of all images.
        classes: Class names, in the order of the labels.
        boundary: "void" or "label", see :func:`~mmdetpre.evaluation.trimap.counts.boundary_distance`.
        label: Name of the run.

    Returns:
        ``label``, ``boundary``, ``widths``, ``classes``, ``images``, ``without_boundary``, and the regions ``whole``,
        ``trimap`` and ``anti_trimap``, each with ``pixels``, ``aAcc``, ``mIoU``, ``class_pixels``, ``IoU`` and ``Acc``;
        the last three hold one value per class. All have one more, outer, level in the trimaps: one entry per width.
    """
    confusions = {"whole": counts.whole(), "trimap": counts.inside(), "anti_trimap": counts.outside()}
    head = {
        "label": label,
        "boundary": boundary,
        "widths": list(counts.widths),
        "classes": list(classes),
        "images": counts.images,
        "without_boundary": counts.without_boundary,
    }
    return head | {name: _region(confusion) for name, confusion in confusions.items()}


def check_comparable(runs: Sequence[Mapping[str, Any]]) -> None:
    """Raise ``ValueError`` unless all runs have the widths, boundary, classes and scored pixels of the first.

    Raises:
        ValueError: If the runs were not evaluated in the same way on the same images.
    """
    facts = {
        "widths": lambda run: run["widths"],
        "boundary": lambda run: run["boundary"],
        "classes": lambda run: run["classes"],
        "annotated pixels (another split?)": lambda run: (run["whole"]["class_pixels"], run["trimap"]["pixels"]),
    }
    for run in runs[1:]:
        for what, fact in facts.items():
            if fact(run) != fact(runs[0]):
                raise ValueError(
                    f"'{run['label']}' and '{runs[0]['label']}' cannot be compared, they differ in their {what}."
                    " Test both with the same settings of TrimapIoUMetric on the same images."
                )


def format_table(run: Mapping[str, Any]) -> str:
    """Widths x scores of both regions in per cent, those of the whole images in the last line."""
    head = ["width", "trimap, % of pixels", "mIoU", "aAcc", "anti-trimap: mIoU", "aAcc"]
    rows = []
    for i, width in enumerate(run["widths"]):
        share = run["trimap"]["pixels"][i] / run["whole"]["pixels"] if run["whole"]["pixels"] else None
        scores = [run[region][score][i] for region in REGIONS for score in ("mIoU", "aAcc")]
        rows.append([str(width), percent(share), *map(percent, scores)])
    whole = [percent(run["whole"][score]) for score in ("mIoU", "aAcc")]
    return text_table(head, rows, ["whole image", "100.00", *whole, "-", "-"])


def format_classes(run: Mapping[str, Any]) -> str:
    """Classes x IoU in per cent: on whole images, and in trimap and anti-trimap of the least and greatest width."""
    chosen = sorted({0, len(run["widths"]) - 1})
    head = ["IoU (%)", "whole", *(f"{_words(name)} {run['widths'][i]}" for i in chosen for name in REGIONS)]
    rows = []
    for c, name in enumerate(run["classes"]):
        parts = [run[region]["IoU"][i][c] for i in chosen for region in REGIONS]
        rows.append([name, percent(run["whole"]["IoU"][c]), *map(percent, parts)])
    return text_table(head, rows)


def mean_changes(run: Mapping[str, Any]) -> list[str]:
    """Which classes are in the means of some widths only, a sentence each: there the curves of the means may jump.

    A class is in a mean if the region holds pixels of it, in the truth or in the prediction.
    """
    changes = []
    for region in REGIONS:
        rows = run[region]["IoU"]
        for c, name in enumerate(run["classes"]):
            without = [width for width, row in zip(run["widths"], rows, strict=True) if row[c] is None]
            if without and run["whole"]["IoU"][c] is not None:
                listed = ", ".join(map(str, without[:6])) + (", ..." if len(without) > 6 else "")
                changes.append(
                    f"{_words(region)}: '{name}' has no pixel at width {listed}, so the means there leave it out: the"
                    " curve may jump."
                )
    return changes


def format_comparison(runs: Sequence[Mapping[str, Any]]) -> str:
    """mIoU of every run in per cent over the width; of each but the first also the difference to the first."""
    tables = []
    for region in REGIONS:
        first = [runs[0]["whole"]["mIoU"], *runs[0][region]["mIoU"]]
        rows = []
        for number, run in enumerate(runs):
            values = [run["whole"]["mIoU"], *run[region]["mIoU"]]
            rows.append([run["label"], *map(percent, values)])
            if number:
                differences = [_difference(a, b) for a, b in zip(values, first, strict=True)]
                rows.append([f"  minus {runs[0]['label']}", *differences])
        head = [f"{_words(region)} mIoU (%), width", "whole", *map(str, runs[0]["widths"])]
        tables.append(text_table(head, rows))
    return "\n\n".join(tables)


def format_class_differences(run: Mapping[str, Any], first: Mapping[str, Any], width: int) -> str:
    """IoU of each class in per cent in the trimap of one width and outside, and how much more than ``first`` has it.

    The classes with the greatest difference in the trimap come first.

    Args:
        run: A run, of :func:`to_dict`.
        first: The run that it is compared with.
        width: Width of the trimap, pixels.

    Raises:
        ValueError: If the runs were not evaluated at this width.
    """
    if width not in run["widths"]:
        raise ValueError(f"The runs have no width {width}: choose one of {', '.join(map(str, run['widths']))}.")
    i = run["widths"].index(width)
    pairs = [
        [(one[region]["IoU"][i][c] if one else None) for region in REGIONS for one in (first, run)]
        for c in range(len(run["classes"]))
    ]
    rows = []
    for name, (a, b, c, d) in zip(run["classes"], pairs, strict=True):
        rows.append([name, percent(a), percent(b), _difference(b, a), percent(c), percent(d), _difference(d, c)])
    rows.sort(key=lambda row: -abs(float(row[3])) if row[3] != "-" else 1)
    names = (first["label"], run["label"], "difference")
    head = [f"IoU (%), width {width}", *(f"{_words(region)}: {name}" for region in REGIONS for name in names)]
    means = [one[region]["mIoU"][i] for region in REGIONS for one in (first, run)]
    foot = [*map(percent, means[:2]), _difference(means[1], means[0])]
    return text_table(head, rows, ["mean", *foot, *map(percent, means[2:]), _difference(means[3], means[2])])


def format_whole_differences(run: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """IoU of each class in per cent on whole images, and how much more than ``first`` has it, the greatest gain first.

    Classes whose gain the paper names (detection over classification pre-training, section on segmentation) have it in
    the last column; ``none`` is not an improvement.

    Args:
        run, first: Runs of :func:`to_dict`, comparable ones.
    """
    told = {name: "none" if gain is None else f"{gain:+.1f}" for name, gain in CLASS_GAINS.items()}
    scores = list(zip(run["classes"], first["whole"]["IoU"], run["whole"]["IoU"], strict=True))
    scores.sort(key=lambda row: np.inf if None in row[1:] else row[1] - row[2])
    rows = [[name, percent(a), percent(b), _difference(b, a), told.get(name, "-")] for name, a, b in scores]
    means = [one["whole"]["mIoU"] for one in (first, run)]
    head = ["IoU (%), whole images", first["label"], run["label"], "difference", "paper"]
    foot = ["mean", *map(percent, means), _difference(means[1], means[0]), "-"]
    if not any(row[-1] != "-" for row in rows):  # other classes than the paper's
        head, rows, foot = head[:-1], [row[:-1] for row in rows], foot[:-1]
    return text_table(head, rows, foot)


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
    writer = "mmdetpre.TrimapIoUMetric(outfile_prefix=...)"
    return read_runs_of_kind(path, FORMAT, "scores over trimap width", writer)


def read_runs(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """The comparable runs of ``NAME=FILE`` arguments, as :func:`to_dict` makes them.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument has another form, two runs have one name, a file is of another kind, or the runs
            were not evaluated in the same way on the same images.

    Example:
        >>> read_runs(["ImageNet=work_dirs/a/trimap.json", "COCO=work_dirs/b/trimap.json"])  # doctest: +SKIP
    """
    runs = []
    for name, path in named_files(arguments, "scratch=trimap.json").items():
        found = read_json(path)
        if len(found) != 1:
            raise ValueError(f"{path} holds {len(found)} runs: give the files of the single runs.")
        runs.append(found[0] | {"label": name})
    check_comparable(runs)
    return runs


def write_csv(path: str | Path, runs: Sequence[Mapping[str, Any]], *, overwrite: bool = False) -> None:
    """One line per run, region, width and class: annotated pixels, IoU and accuracy from 0 to 1.

    The class "all" holds mIoU and the part of all pixels that is right. Whole images have no width.

    Args:
        path: The CSV file.
        runs: One per run, of :func:`to_dict`.
        overwrite: Replace an existing file.
    """
    lines: list[list[Any]] = [["run", "region", "width", "class", "pixels", "IoU", "accuracy"]]
    for run in runs:
        whole = {key: [value] for key, value in run["whole"].items()}
        for region, values, widths in (("whole", whole, [""]), *((r, run[r], run["widths"]) for r in REGIONS)):
            for i, width in enumerate(widths):
                start = [run["label"], region, width]
                columns = (values[key][i] for key in ("class_pixels", "IoU", "Acc"))
                lines.extend([*start, *row] for row in zip(run["classes"], *columns, strict=True))
                lines.append([*start, "all", values["pixels"][i], values["mIoU"][i], values["aAcc"][i]])
    write_rows(path, lines, overwrite=overwrite)


def _region(confusion: Any) -> dict[str, Any]:
    scores = region_scores(confusion)
    return {
        "pixels": scores.pixels.tolist(),
        "aAcc": _plain(scores.accuracy.tolist()),
        "mIoU": _plain(scores.mean_iou.tolist()),
        "class_pixels": scores.class_pixels.tolist(),
        "IoU": _plain(scores.iou.tolist()),
        "Acc": _plain(scores.class_accuracy.tolist()),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if math.isnan(value) else value


def _words(region: str) -> str:
    return region.replace("_", "-")


def _difference(value: float | None, first: float | None) -> str:
    return "-" if value is None or first is None else f"{100 * (value - first):+.2f}"
