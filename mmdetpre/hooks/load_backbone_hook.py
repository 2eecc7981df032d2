"""Load a backbone before training, and prove at the first iteration that it is still there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmdetpre.console.run_summary import FROM_SCRATCH, initialization_text
from mmdetpre.registry import HOOKS
from mmdetpre.transfer.backbone_init import OLD_KEY, BackboneInit, chosen_init
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.transfer.freezing import freezing_table, stage_states
from mmdetpre.transfer.load_backbone import loaded_digest
from mmdetpre.transfer.load_report import BackboneNotLoaded, LoadReport
from mmdetpre.transfer.preprocessing import from_config
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.whole_file import write_text


@HOOKS.register_module()
class LoadBackboneHook(Hook):
    """Loads the backbone of a model of mmdet, mmsegmentation or mmpretrain from a file of any of them, or of others.

    It acts after ``init_weights`` on every rank, logs the report of `mmdetpre.transfer.load_backbone`, writes it to
    ``backbone_load_<time>.json`` in the work dir, and right before the first iteration takes the digest of the backbone
    again: whatever wrote to it in between stops the run. It logs which stages are trained. A resumed run goes on with
    the weights of its checkpoint: there the hook loads nothing, and says so.

    The same arguments may stand in the config as ``backbone_init = dict(checkpoint=..., ...)``, or a name of its table
    ``backbone_inits``: ``--cfg-options backbone_init=coco`` or ``backbone_init.checkpoint=FILE``. With a checkpoint in
    neither place the hook loads nothing; it logs what is trained, and warns if stages are frozen that nothing was
    loaded into.

    Args:
        checkpoint: Path or address of the file.
        prefix: What stands before the backbone's names in the file; auto-detected if there is only one.
        policy: ``error`` stops the run unless the verdict is ``complete`` or ``expected``; ``warn`` only logs where
            that is possible.
        entry: Entry of the file with the weights, for files with several.
        backbone: Where the backbone is in the model.
        preprocessing: ``dict(mean=..., std=..., channel_order="rgb", style="pytorch")`` of this model; by default what
            its config says.
        check_preprocessing: False accepts a file trained with another preprocessing.
        reset_offsets: Set the offsets of deformable convolutions to 0 instead of taking those of the file.

    Raises:
        BackboneNotLoaded: As ``policy`` says.
        RuntimeError: If ``load_from`` is set too, if the work dir holds a run from other weights, if something
            overwrote the backbone, or ranks differ.
        FileNotFoundError: If the training that a name stands for has not run.
        ValueError: If an argument is unknown, or hook and config name different checkpoints.
    """

    priority = "VERY_LOW"  # behind hooks that change the model before training

    def __init__(
        self,
        checkpoint: str | None = None,
        prefix: str | None = None,
        policy: str = "error",
        entry: str | None = None,
        backbone: str = "backbone",
        preprocessing: Mapping[str, Any] | None = None,
        check_preprocessing: bool = True,
        reset_offsets: bool = False,
    ) -> None:
        self.init = BackboneInit(
            checkpoint, prefix, policy, entry, backbone, preprocessing, check_preprocessing, reset_offsets
        )
        self.report: LoadReport | None = None
        self._loaded_by_runner = False
        self._checked = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remembers that ``load_from`` or ``resume`` found a file."""
        self._loaded_by_runner = True

    def before_train(self, runner: Runner) -> None:
        """Loads, logs and writes the report."""
        if OLD_KEY in runner.cfg:
            runner.logger.warning(
                f"The config's key {OLD_KEY} is now backbone_init: rename it, the next release will not read it."
            )
        self.init = self.init.changed_by(chosen_init(runner.cfg))
        if self.init.checkpoint is None:
            return
        if self._loaded_by_runner and runner._resume:
            runner.logger.info(f"LoadBackboneHook: the run resumes, so {self.init.checkpoint} is not loaded again.")
            return
        if self._loaded_by_runner:
            self._fail(
                runner,
                f"load_from={runner._load_from!r} loads a whole model, and LoadBackboneHook would replace its backbone"
                f" by {self.init.checkpoint}. Remove one of the two.",
            )
        self._require_trained()
        self._require_own_work_dir(runner)
        module = find_backbone(runner.model, self.init.backbone)
        try:
            self.report = self.init.load(module, from_config(runner.cfg, origin="its config"))
            self.report.init = self.init.name or ""
        except BackboneNotLoaded as error:
            self._write(runner, error.report)
            raise
        runner.logger.log(logging.INFO if self.report.good else logging.WARNING, str(self.report))
        self._write(runner, self.report)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Checks, once, that the backbone holds what was loaded, on every rank; logs what of it is trained.

        Args:
            runner: The runner.
            batch_idx: Index of the batch in the epoch.
            data_batch: Not used.
        """
        if self._checked:
            return
        self._checked = True
        try:
            module = find_backbone(runner.model, self.init.backbone)
        except ValueError as error:
            if self.init.checkpoint is not None:
                raise
            runner.logger.info(f"LoadBackboneHook: {error}")
            return
        runner.logger.info(f"Training of the backbone:\n{freezing_table(module)}")
        if self.init.checkpoint is None:
            self._log_other_init(runner, module)
        if self.report is None:
            return
        digest = loaded_digest(module, self.report)
        if digest != self.report.digest:
            self._fail(
                runner,
                f"The backbone from {self.init.checkpoint} was overwritten between loading and the first iteration"
                f" (digest {self.report.digest[:12]}..., now {digest[:12]}...): another hook or an init_weights did it."
                " Remove that one, or load after it.",
            )
        if len(ranks := set(all_gather_object(digest))) > 1:
            self._fail(runner, f"The ranks have {len(ranks)} different backbones: is {self.init.checkpoint} one file?")

    def _require_trained(self) -> None:
        """What a name of the config stands for is there, or the message says which training leaves it."""
        path = Path(str(self.init.checkpoint))
        if self.init.name and path.parts[:1] == ("work_dirs",) and not path.exists():
            raise FileNotFoundError(
                f"backbone_init={self.init.name!r} is {path}, which is not there: the training of the config"
                f" {path.parent.name} leaves it. Run that first, or give another file: backbone_init.checkpoint=FILE."
            )

    def _require_own_work_dir(self, runner: Runner) -> None:
        """Checkpoints of a run from other weights are not gone over."""
        reports = sorted(Path(runner.work_dir).glob("backbone_load_*.json"), key=lambda path: path.stat().st_mtime)
        if not reports or not (Path(runner.work_dir) / "last_checkpoint").exists():
            return
        before = read_json(reports[-1])
        source = before.get("source") if isinstance(before, dict) else None
        if source is not None and source != str(self.init.checkpoint):
            self._fail(
                runner,
                f"{runner.work_dir} holds the checkpoints of a run whose backbone came from {source}, and this one"
                f" takes {self.init.checkpoint}: give --work-dir a folder of its own.",
            )

    def _log_other_init(self, runner: Runner, module: nn.Module) -> None:
        text = initialization_text(runner, module)
        runner.logger.info(f"LoadBackboneHook: backbone_init has no checkpoint; initialization: {text}.")
        if text != FROM_SCRATCH:
            return
        frozen = [state.stage for state in stage_states(module) if state.parameters and not state.trained]
        if frozen:
            runner.logger.warning(
                f"Nothing was loaded into the backbone, and {', '.join(frozen)} will stay as initialized: frozen random"
                " weights. Give backbone_init a checkpoint, or set frozen_stages=-1 and no trainable_stages."
            )

    def _fail(self, runner: Runner, message: str) -> None:
        if self.init.policy == "error":
            raise RuntimeError(message)
        runner.logger.warning(message)

    def _write(self, runner: Runner, report: LoadReport) -> None:
        if is_main_process():
            path = Path(runner.work_dir) / f"backbone_load_{runner.timestamp}.json"
            write_text(path, report.to_json())
            runner.logger.info(f"Report of the backbone: {path}")
