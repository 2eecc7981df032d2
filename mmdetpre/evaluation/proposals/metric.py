"""Write the proposals of a test run to a folder, and report how many objects they find."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import broadcast_object_list, get_rank, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdetpre.datasets.proposals.writer import ProposalEntry, ProposalsWriter, begin_proposals, finish_proposals
from mmdetpre.evaluation.proposals.recall import ProposalRecall, count_recalled
from mmdetpre.registry import METRICS


@dataclass(frozen=True)  # not a tuple: mmengine turns those into plain ones
class _Result:
    entry: ProposalEntry
    objects: int
    found: tuple[int, ...]


@METRICS.register_module()
class DumpProposals(BaseMetric):
    """Writes the proposals of a region proposal network, for ``mmdetpre.ChipDataset(proposals=out_dir)``.

    Boxes go to disk as they come, so memory does not grow with the data set. Each rank writes a shard beside
    ``out_dir`` (all ranks must see that folder), the first rank joins them; the folder appears complete or not at all,
    and images that a sampler repeats are kept once. A run that fails leaves nothing, one that is killed a hidden
    folder ``.NAME.*.part``.

    Metrics: ``images``, ``proposals_per_image`` and, where the test pipeline loads annotations behind ``Resize``,
    ``recall@k``: the share of the objects that one of the k best proposals overlaps by ``iou_thr``.

    Args:
        out_dir: Folder to write.
        max_per_image: At most N proposals of an image, the best.
        overwrite: Replace a folder of proposals.
        recall_at: Numbers of proposals for the recall.
        iou_thr: IoU at which an object is found.
        collect_device: See ``mmengine.evaluator.BaseMetric``.
        prefix: See ``mmengine.evaluator.BaseMetric``.

    Raises:
        FileExistsError: At the first image, if ``out_dir`` exists.
        ValueError: If the model predicts no proposals.

    Example (config):
        ``test_evaluator = dict(type='mmdetpre.DumpProposals', out_dir='work_dirs/proposals/voc')``
    """

    default_prefix = "proposals"

    def __init__(
        self,
        out_dir: str,
        max_per_image: int = 900,
        overwrite: bool = False,
        recall_at: Sequence[int] = (100, 300, 900),
        iou_thr: float = 0.5,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir, self.max_per_image, self.overwrite = Path(out_dir), max_per_image, overwrite
        self.recall_at, self.iou_thr = tuple(recall_at), iou_thr
        self._part: Path | None = None
        self._writer: ProposalsWriter | None = None

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Append the proposals of a batch to this rank's shard."""
        if self._writer is None:
            self._begin()
        assert self._writer is not None
        for sample in data_samples:
            boxes, scores = _proposals_of(sample)
            order = np.argsort(-scores, kind="stable")[: self.max_per_image]
            boxes, scores = boxes[order], scores[order]
            height, width = sample["ori_shape"][:2]
            entry = self._writer.add(sample["img_path"], (width, height), boxes, scores)
            truth = sample.get("gt_instances") or {}
            objects = _array(truth["bboxes"]) if "bboxes" in truth else np.zeros((0, 4))
            found = count_recalled(boxes, objects, self.recall_at, self.iou_thr) if len(objects) else ()
            self.results.append(_Result(entry, len(objects), tuple(int(n) for n in found)))

    def evaluate(self, size: int) -> dict:
        """Close the shards, join them on the first rank, and give the metrics to all."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        return super().evaluate(size)

    def compute_metrics(self, results: list[_Result]) -> dict[str, float]:
        """Join the shards; called on the first rank.

        Raises:
            ValueError: If no image was tested.
        """
        if self._part is None:
            raise ValueError("No image was tested, so there are no proposals to write: check test_dataloader.")
        proposals = finish_proposals(self._part, self.out_dir, [r.entry for r in results], self.overwrite)
        self._part = None
        count = len(proposals.boxes)
        print_log(f"Wrote {count} proposals of {len(proposals)} images to {self.out_dir}.", logger="current")
        with_objects = {r.entry.path: r for r in results if r.objects}.values()
        recalled = tuple(sum(r.found[position] for r in with_objects) for position in range(len(self.recall_at)))
        objects = sum(r.objects for r in with_objects)
        recall = ProposalRecall(len(proposals), count, objects, self.recall_at, recalled)
        print_log(f"\n{recall}", logger="current")
        return recall.metrics()

    def _begin(self) -> None:
        """Agree on the folder of the shards; an error of the first rank is raised on all."""
        agreed: list[Any] = [None]
        if is_main_process():
            try:
                agreed = [begin_proposals(self.out_dir, self.overwrite)]
            except OSError as error:
                agreed = [error]
        broadcast_object_list(agreed)
        if isinstance(agreed[0], OSError):
            raise agreed[0]
        self._part = agreed[0]
        if is_main_process():
            weakref.finalize(self, shutil.rmtree, self._part, ignore_errors=True)
        self._writer = ProposalsWriter(agreed[0], get_rank())


def _proposals_of(sample: dict) -> tuple[np.ndarray, np.ndarray]:
    predictions = sample.get("pred_instances") or {}
    known = sorted(predictions.keys())
    if not {"bboxes", "scores"} <= set(known) or ("labels" in known and bool((predictions["labels"] != 0).any())):
        found = f"pred_instances with {known}" if known else "no pred_instances"
        if "labels" in known:
            found += ", detections of several classes"
        raise ValueError(
            f"DumpProposals was given {found} for {sample.get('img_path')}: expected the boxes and scores of a region"
            " proposal network. Test an RPN config, such as configs/det/rpn_voc.py."
        )
    return _array(predictions["bboxes"]), _array(predictions["scores"])


def _array(values: Any) -> np.ndarray:
    return get_box_tensor(values).detach().cpu().float().numpy()
