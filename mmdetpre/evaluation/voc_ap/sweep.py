"""Runs as a command line names them, as AP over IoU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.voc_ap.average_precision import FIGURE_1_IOUS, voc_average_precision
from mmdetpre.evaluation.voc_ap.scores import WRITER, VOCScores, require_same_test
from mmdetpre.utils.file_arguments import named_files
from mmdetpre.utils.results import one_result


def sweep_runs(
    arguments: Sequence[str],
    *,
    iou_thrs: Sequence[float] | None = None,
    mode: str | None = None,
    plus_one: bool | None = None,
) -> list[VOCScores]:
    """Read or compute AP over IoU of the runs of ``NAME=FILE`` arguments.

    Args:
        arguments: One per run; the file is the JSON of ``VOCIoUMetric`` or the ``.npz`` of ``DumpDetections``.
        iou_thrs: Thresholds; ``None``: those of the JSON files, 0.1 to 0.9 where there is none.
        mode: "11points" or "area"; ``None``: that of the JSON files, "11points" where there is none.
        plus_one: See :func:`~mmdetpre.evaluation.voc_ap.average_precision.voc_average_precision`; ``None``: what each
            file says.

    Returns:
        Scores of each run, comparable ones.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument has another form, two runs have one name, a file is of another kind, or the runs
            were not evaluated in the same way on the same boxes.

    Example:
        >>> runs = sweep_runs(["ImageNet=work_dirs/a/detections.npz"], iou_thrs=[0.5])
        >>> runs[0].label, runs[0].mean_ap
        ('ImageNet', (1.0,))
    """
    loaded = {name: _read(path, name) for name, path in named_files(arguments, "scratch=iou.json").items()}
    read = [run for run in loaded.values() if isinstance(run, VOCScores)]
    wanted: dict[str, Any] = {"iou_thrs": iou_thrs and tuple(map(float, iou_thrs)), "mode": mode, "plus_one": plus_one}
    for name, default in (("iou_thrs", FIGURE_1_IOUS), ("mode", "11points"), ("plus_one", None)):
        if wanted[name] is None and default is not None:
            wanted[name] = getattr(read[0], name) if read else default
        for run in read:
            own = getattr(run, name)
            if wanted[name] is not None and own != wanted[name]:
                raise ValueError(
                    f"'{run.label}' was evaluated with {name}={own}, asked for is {name}={wanted[name]}: give its file"
                    " of detections (.npz), which can be evaluated in any way, instead of the JSON file."
                )
    runs = []
    for name, found in loaded.items():
        try:
            if isinstance(found, Detections):
                found = VOCScores.of_result(voc_average_precision(found, **wanted), name)
        except ValueError as error:
            raise ValueError(f"Run '{name}': {error}") from error
        runs.append(found)
    require_same_test(runs)
    return runs


def _read(path: Path, name: str) -> VOCScores | Detections:
    if path.suffix == ".npz":
        return Detections.load(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} for the run '{name}'.")
    return one_result(path, VOCScores, WRITER, name)
