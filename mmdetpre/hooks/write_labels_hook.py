"""The label of each test image, true and predicted, in a table that people and programs read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS
from mmdetpre.utils.bounded_files import MIB, read_bounded
from mmdetpre.utils.class_list import class_names_text
from mmdetpre.utils.whole_file import write_rows, write_text

FILE, CLASSES = "labels.csv", "classes.txt"
"""In the work dir: the labels, and the names of the classes."""


class ImageLabel(NamedTuple):
    """File of an image, index of its class and of the predicted one, the score of that and of its class, 0 to 1."""

    image: str
    label: int
    prediction: int
    score: float
    true_score: float


@HOOKS.register_module()
class WriteLabelsHook(Hook):
    """Writes ``labels.csv`` into the work dir of a test of mmpretrain: image, label, prediction, the scores of both.

    A line for each image in the order of the data set, whatever the number of ranks; labels are class indices, whose
    names are in ``classes.txt`` beside it. Files of an earlier test in this work dir are replaced. It is added to any
    config by
    ``--cfg-options default_hooks.labels.type=mmdetpre.WriteLabelsHook``.

    Raises:
        ValueError: At the end of the test, if an image has several labels, or none.

    Example:
        >>> WriteLabelsHook().priority
        'NORMAL'
    """

    def __init__(self) -> None:
        self._found: list[ImageLabel] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Begins a new table."""
        self._found = []

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence[Any] | None = None
    ) -> None:
        """Notes the labels of a batch.

        Args:
            runner: The runner.
            batch_idx: Index of the batch.
            data_batch: Not used.
            outputs: Data samples with predictions.

        Raises:
            ValueError: If an image has several labels, or none.
        """
        for sample in outputs or ():
            label, predicted = sample.get("gt_label"), sample.get("pred_label")
            if label is None or predicted is None or label.numel() != 1 or predicted.numel() != 1:
                raise ValueError(f"{sample.get('img_path')} has not one label and one prediction: nothing to write.")
            score = sample.get("pred_score")
            scores = (math.nan, math.nan) if score is None else (float(score.max()), float(score[int(label)]))
            self._found.append(ImageLabel(str(sample.get("img_path", "")), int(label), int(predicted), *scores))

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Writes the table of all ranks."""
        found = collect_results(self._found, len(runner.test_dataloader.dataset), device="cpu")
        if is_main_process():
            rows = ((*one[:3], *(f"{score:.6g}" for score in one[3:])) for one in found or ())
            write_rows(Path(runner.work_dir) / FILE, [ImageLabel._fields, *rows])
            names = (getattr(runner.test_dataloader.dataset, "metainfo", None) or {}).get("classes") or ()
            write_text(Path(runner.work_dir) / CLASSES, class_names_text(names))


def read_labels(path: str | Path) -> list[ImageLabel]:
    """The table that `WriteLabelsHook` writes.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is not such a table; says which line is wrong.
    """
    rows = csv.reader(io.StringIO(read_bounded(path, 512 * MIB).decode("utf-8", "replace")))
    if next(rows, None) != list(ImageLabel._fields):
        raise ValueError(
            f"{path} does not begin with {','.join(ImageLabel._fields)}: test again. In a study, remove the record of"
            " the run and run the study."
        )
    found = []
    for number, row in enumerate(rows, 2):
        try:
            image, label, prediction, *scores = row
            score, true_score = map(float, scores)
            found.append(ImageLabel(image, int(label), int(prediction), score, true_score))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}.") from error
    return found
