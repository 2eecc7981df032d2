"""What the metrics on label maps share: maps from data samples, running sums, ranks, files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.evaluator import BaseMetric

from mmdetpre.datasets.label_maps.files import write_prediction


class LabelMapMetric(BaseMetric):
    """A metric of counted pixels. Keeps running sums only, so memory does not grow with the data set.

    Subclasses count an image in :meth:`count` and turn the sum into results in :meth:`report`.

    Args:
        ignore_index: The label of void pixels.
        outfile_prefix: Write ``<prefix>`` with each of the endings ``file_ends``, or ``None``.
        overwrite: Replace files that exist. In a training run each validation replaces those of the one before in any
            case.
        output_dir: Write the predictions there, ``<image>.png`` with one class index per pixel, exactly as
            ``mmseg.IoUMetric`` does. ``mim test mmsegmentation ... --out DIR`` sets it where this is the only metric.
        keep_results: Set by ``--out`` as well; without effect, as in mmseg.
        collect_device: "cpu" or "gpu", how results of several ranks are gathered.
        prefix: First part of the names of the results.

    Raises:
        FileExistsError: If a file is there already, or ``output_dir`` holds pictures, before anything is tested.
        ValueError: While testing, if a label map is missing, in colour, of another size than the prediction, or holds
            values that are not a class; if there are no images.
    """

    file_ends: tuple[str, ...] = (".json", ".csv")

    def __init__(
        self,
        ignore_index: int = 255,
        outfile_prefix: str | None = None,
        overwrite: bool = False,
        output_dir: str | None = None,
        keep_results: bool = False,
        collect_device: str = "cpu",
        prefix: str | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise TypeError(f"{type(self).__name__} has no argument {', '.join(map(repr, unknown))}.")
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.ignore_index = ignore_index
        self.overwrite = overwrite
        self.out_files = [] if outfile_prefix is None else [Path(f"{outfile_prefix}{end}") for end in self.file_ends]
        for path in self.out_files:
            if path.exists() and not overwrite:
                raise FileExistsError(
                    f"{path} exists and is left as it is: give another outfile_prefix, or set overwrite=True."
                )
        self.output_dir = None if output_dir is None else Path(output_dir)
        if self.output_dir is not None and is_main_process():  # another rank may begin to write before this one looks
            self.output_dir.mkdir(parents=True, exist_ok=True)
            if not overwrite and next(self.output_dir.glob("*.png"), None):
                raise FileExistsError(
                    f"{self.output_dir} holds predictions already, which are left as they are: give another folder, or"
                    " set overwrite=True."
                )
        self._sum: Any = None  # of all images of this rank but the last
        self._last: Any = None  # samplers may repeat an image there to give all ranks as many

    @abstractmethod
    def count(self, truth: np.ndarray, prediction: np.ndarray, classes: int) -> Any:
        """Counts of one image, with their number ``images``; they are merged by ``+``.

        Args:
            truth: (h, w) integer label map.
            prediction: (h, w) integer label map.
            classes: Number of classes.
        """

    def named(self, counts: Any, file: str) -> Any:
        """Counts of one image that know its file, where messages are to name some."""
        return counts

    @abstractmethod
    def report(self, counts: Any) -> dict[str, float]:
        """Print and write the sum of all images, and return the results; runs on the main process alone."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Add the images of one batch.

        Raises:
            ValueError: Names the image that has no label map, or whose maps cannot be compared.
        """
        classes = len(self.dataset_meta["classes"])
        for sample in data_samples:
            name = sample.get("img_path", "without a path")
            if "gt_sem_seg" not in sample:
                raise ValueError(
                    f"Image {name} comes without a label map, so there is nothing to evaluate. Test a split that has"
                    " label maps, with LoadAnnotations in the test pipeline."
                )
            prediction = _map(sample["pred_sem_seg"])
            try:
                counts = self.count(_map(sample["gt_sem_seg"]), prediction, classes)
                counts = self.named(counts, sample.get("seg_map_path") or sample.get("img_path", ""))
            except ValueError as error:
                file = f" (label map {sample['seg_map_path']})" if "seg_map_path" in sample else ""
                raise ValueError(f"Image {name}{file}: {error}") from error
            if self._last is not None:
                self._sum = _total([self._sum, self._last])
            self._last = counts
            if self.output_dir is not None:
                shift = int(bool(sample.get("reduce_zero_label", False)))  # back to the labels of the files
                write_prediction(self.output_dir / f"{Path(name).stem}.png", prediction + shift)

    def evaluate(self, size: int) -> dict[str, float]:
        """Merge the sums of all ranks and compute the results.

        Args:
            size: Number of images of the data set. Image k of rank r has the number ``k * ranks + r``; a last image
                beyond the size is a repetition and not counted, as mmengine has it.

        Raises:
            ValueError: If more images were tested than a last batch can repeat.
        """
        images = sum(part.images for part in (self._sum, self._last) if part is not None)
        ranks, rank = get_world_size(), get_rank()
        if images > 1 and (images - 2) * ranks + rank >= size:
            raise ValueError(
                f"{images} images were tested on rank {rank} of {ranks}, but the data set has {size}: only a repeated"
                " last one can be taken out. Test with DefaultSampler."
            )
        repeated = images > 0 and (images - 1) * ranks + rank >= size
        self.results = [_total([self._sum, None if repeated else self._last])]
        self._sum = self._last = None
        return super().evaluate(ranks)  # one result per rank

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Print the tables and return the results; runs on the main process alone.

        Raises:
            ValueError: If no image was tested.
        """
        counts = _total(results)
        if counts is None:
            raise ValueError("No image was tested: the test data set is empty. Look at its ann_file and data_prefix.")
        scores = self.report(counts)
        self.overwrite = True  # from now on they are our own files
        return scores


def _map(field: dict) -> np.ndarray:
    """``(h, w)`` of data ``(1, h, w)`` or ``(h, w)``; any other shape as it is."""
    data = np.asarray(field["data"].cpu())
    return data[0] if data.ndim == 3 and data.shape[0] == 1 else data


def _total(parts: Sequence[Any]) -> Any:
    found = [part for part in parts if part is not None]
    return sum(found[1:], start=found[0]) if found else None
