"""Broken images: told before training, told while training, skipped while testing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from mmengine import dist
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdetpre.datasets.chips.broken_images import BrokenImages
from mmdetpre.datasets.images.backend_args import image_backend_args
from mmdetpre.datasets.images.decode_check import broken_images
from mmdetpre.registry import HOOKS
from mmdetpre.utils.open_image import allow_huge_images

_SHOWN = 5


@HOOKS.register_module()
class BrokenImageHook(Hook):
    """Broken images never end a run in the middle, and never change a score in silence.

    Before the first iteration the validation and test images are decoded, on all cores; images that were decoded
    before and have not changed are known. Broken ones are named, counted and left out of the data set, and every result
    says so: it has the entry ``broken_images``. Training images are decoded as well and refused if broken, except
    those of a ``ChipDataset``, which replaces broken images and counts them, and of sets above ``most_train`` images.

    While a ``ChipDataset`` trains, the hook logs at the end of every epoch how many images were broken, and names the
    first few. In a distributed run the counts of all ranks are joined here: during the epoch ``max_broken`` of the data
    set holds for each rank alone, at its end for all of them together, and all of them stop. The count is not written
    to checkpoints: a resumed run counts from zero.

    Args:
        decode: False looks at no image before the run.
        most_train: Largest training set that is decoded before the run.

    Raises:
        ValueError: Before the first iteration, if a training image is broken, or all test images are.
        TooManyBrokenImages: After an epoch, on every rank, if all ranks together found more than ``max_broken``.
    """

    priority = "LOWEST"  # behind the hook that saves the epoch's checkpoint: nothing that was learned is lost

    def __init__(self, decode: bool = True, most_train: int = 50_000) -> None:
        self.decode, self.most_train = decode, most_train
        self.skipped: dict[str, int] = {}

    def before_run(self, runner: Runner) -> None:
        """Decode the images of the data sets of this run."""
        allow_huge_images()
        if not self.decode:
            return
        for part in ("train", "val", "test"):
            loop = getattr(runner, f"_{part}_loop", None)
            if not isinstance(loop, BaseLoop):
                continue
            dataset = loop.dataloader.dataset
            if part == "train" and (
                isinstance(getattr(dataset, "broken_images", None), BrokenImages) or len(dataset) > self.most_train
            ):
                continue
            if broken := _broken_rows(dataset):
                (self._refuse if part == "train" else self._skip)(runner, part, loop, broken)

    def after_train_epoch(self, runner: Runner) -> None:
        """Logs how many images could not be read in this epoch."""
        broken = getattr(runner.train_dataloader.dataset, "broken_images", None)
        if broken is None:
            return
        broken.synchronize()
        if count := broken.count():
            examples = broken.examples()
            more = ", ..." if count > len(examples) else ""
            runner.logger.log(
                logging.WARNING,
                f"{count} broken images so far (the run stops above {broken.limit}): {', '.join(examples)}{more}",
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Reports broken images of the validation data."""
        self._say(runner, "val")

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Reports broken images of the test data."""
        self._say(runner, "test")

    def _refuse(self, runner: Runner, part: str, loop: Any, broken: dict[int, str]) -> None:
        raise ValueError(
            f"{len(broken)} of {len(loop.dataloader.dataset)} training images are broken: {_listed(broken)}. Replace"
            " them, or take them out of the annotations or lists."
        )

    def _skip(self, runner: Runner, part: str, loop: Any, broken: dict[int, str]) -> None:
        dataset, sampler = loop.dataloader.dataset, loop.dataloader.sampler
        count = len(dataset)
        if len(broken) == count:
            raise ValueError(f"All {count} images of {part}_dataloader are broken: {_listed(broken)}. Replace them.")
        if not hasattr(dataset, "get_subset_") or not isinstance(sampler, DefaultSampler):
            raise ValueError(
                f"{len(broken)} of {count} images of {part}_dataloader are broken: {_listed(broken)}. A"
                f" {type(dataset).__name__} with a {type(sampler).__name__} cannot skip them: replace them."
            )
        gone = {dataset.get_data_info(row).get("img_id") for row in broken}
        dataset.get_subset_([row for row in range(count) if row not in broken])
        sampler.__init__(dataset, sampler.shuffle, sampler.seed, sampler.round_up)
        for metric in loop.evaluator.metrics:
            if hasattr(metric, "skipped_images"):
                metric.skipped_images = gone
        loop.evaluator.metrics.append(_SkippedImages(len(broken)))
        self.skipped[part] = len(broken)
        runner.logger.log(
            logging.WARNING,
            f"{len(broken)} of {count} images of {part}_dataloader are broken and are skipped: {_listed(broken)}.",
        )

    def _say(self, runner: Runner, part: str) -> None:
        if skipped := self.skipped.get(part):
            tested = len(getattr(runner, f"{part}_dataloader").dataset)
            runner.logger.log(
                logging.WARNING, f"The scores are those of {tested} images: {skipped} are broken and were skipped."
            )


class _SkippedImages(BaseMetric):
    """Says in the results how many images they are not of."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """There is nothing to measure."""

    def compute_metrics(self, results: list) -> dict[str, float]:
        """There is nothing to compute."""
        return self.evaluate(0)

    def evaluate(self, size: int) -> dict[str, float]:
        """The count, as one of the results."""
        return {"broken_images": self.count}


def _broken_rows(dataset: Any) -> dict[int, str]:
    """Row of each broken image, and its path with the reason; found by the main process for all."""
    found: list[dict[int, str]] = [{}]
    if dist.is_main_process() and hasattr(dataset, "get_data_info") and image_backend_args(dataset) is None:
        paths = [str(dataset.get_data_info(row).get("img_path", "")) for row in range(len(dataset))]
        local = [path for path in paths if path and "://" not in path]
        reasons = broken_images(local) if local else {}
        found = [{row: f"{path} ({reasons[path]})" for row, path in enumerate(paths) if path in reasons}]
    if dist.get_world_size() > 1:
        dist.broadcast_object_list(found)
    return found[0]


def _listed(broken: dict[int, str]) -> str:
    return ", ".join(list(broken.values())[:_SHOWN]) + (", ..." if len(broken) > _SHOWN else "")
