"""Load a backbone before training, and prove at the first iteration that it is still there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdetpre.registry import HOOKS
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.transfer.freezing import freezing_table
from mmdetpre.transfer.load_backbone import POLICIES, load_backbone, loaded_digest
from mmdetpre.transfer.load_report import BackboneNotLoaded, LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing, from_config


@HOOKS.register_module()
class LoadBackboneHook(Hook):
    """Loads the backbone of a model of mmdet, mmsegmentation or mmpretrain from a file of any of them, or of others.

    It acts after ``init_weights`` on every rank, logs the report of `mmdetpre.transfer.load_backbone`, writes it to
    ``backbone_load_<time>.json`` in the work dir, and right before the first iteration takes the digest of the backbone
    again: whatever wrote to it in between stops the run. It logs which stages are trained. A resumed run goes on with
    the weights of its checkpoint: there the hook loads nothing, and says so.

    Args:
        checkpoint: Path or address of the file.
        prefix: What stands before the backbone's names in the file; found by itself if there is only one.
        policy: ``error`` stops the run unless the verdict is ``complete`` or ``expected``; ``warn`` only logs where
            that is possible.
        entry: Entry of the file with the weights, for files with several.
        backbone: Where the backbone is in the model.
        preprocessing: ``dict(mean=..., std=..., channel_order="rgb", style="pytorch")`` of this model; by default what
            its config says.
        check_preprocessing: False accepts a file trained with another preprocessing.

    Raises:
        BackboneNotLoaded: As ``policy`` says.
        RuntimeError: If ``load_from`` is set too, if something overwrote the backbone, or ranks differ.
    """

    priority = "VERY_LOW"  # behind hooks that change the model before training

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        policy: str = "error",
        entry: str | None = None,
        backbone: str = "backbone",
        preprocessing: Mapping[str, Any] | None = None,
        check_preprocessing: bool = True,
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"policy={policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")
        self.checkpoint = checkpoint
        self.policy = policy
        self.backbone = backbone
        self.preprocessing = None if preprocessing is None else Preprocessing(**preprocessing, origin="the hook")
        self.options: dict[str, Any] = dict(prefix=prefix, entry=entry, check_preprocessing=check_preprocessing)
        self.report: LoadReport | None = None
        self._loaded_by_runner = False
        self._checked = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remembers that ``load_from`` or ``resume`` found a file."""
        self._loaded_by_runner = True

    def before_train(self, runner: Runner) -> None:
        """Loads, logs and writes the report."""
        if self._loaded_by_runner and runner._resume:
            runner.logger.info(f"LoadBackboneHook: the run resumes, so {self.checkpoint} is not loaded again.")
            return
        if self._loaded_by_runner:
            self._object(
                runner,
                f"load_from={runner._load_from!r} loads a whole model, and LoadBackboneHook would replace its backbone"
                f" by {self.checkpoint}. Remove one of the two.",
            )
        module = find_backbone(runner.model, self.backbone)
        preprocessing = self.preprocessing or from_config(runner.cfg, origin="its config")
        try:
            self.report = load_backbone(
                module, self.checkpoint, policy=self.policy, preprocessing=preprocessing, **self.options
            )
        except BackboneNotLoaded as error:
            self._write(runner, error.report)
            raise
        runner.logger.log(logging.INFO if self.report.good else logging.WARNING, str(self.report))
        self._write(runner, self.report)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Checks, once, that the backbone holds what was loaded, on every rank; logs what of it is trained."""
        if self._checked:
            return
        self._checked = True
        module = find_backbone(runner.model, self.backbone)
        runner.logger.info(f"Training of the backbone:\n{freezing_table(module)}")
        if self.report is None:
            return
        digest = loaded_digest(module, self.report)
        if digest != self.report.digest:
            self._object(
                runner,
                f"The backbone from {self.checkpoint} was overwritten between loading and the first iteration (digest"
                f" {self.report.digest[:12]}..., now {digest[:12]}...): another hook or an init_weights did it. Remove"
                " that one, or load after it.",
            )
        if len(ranks := set(all_gather_object(digest))) > 1:
            self._object(runner, f"The ranks have {len(ranks)} different backbones: is {self.checkpoint} one file?")

    def _object(self, runner: Runner, message: str) -> None:
        if self.policy == "error":
            raise RuntimeError(message)
        runner.logger.warning(message)

    def _write(self, runner: Runner, report: LoadReport) -> None:
        if is_main_process():
            path = Path(runner.work_dir) / f"backbone_load_{runner.timestamp}.json"
            path.write_text(report.to_json())
            runner.logger.info(f"Report of the backbone: {path}")
