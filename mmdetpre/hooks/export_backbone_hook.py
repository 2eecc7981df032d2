"""Write the backbone alone after training, with what its next user must know."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch import nn

from mmdetpre.hooks.load_backbone_hook import LoadBackboneHook
from mmdetpre.registry import HOOKS
from mmdetpre.transfer.backbone_file import check_writable, config_facts, export_backbone, write_backbone
from mmdetpre.transfer.backbone_metadata import BackboneMetadata
from mmdetpre.transfer.checkpoint_reader import CheckpointError, read_checkpoint
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.transfer.key_map import map_names
from mmdetpre.transfer.load_backbone import POLICIES
from mmdetpre.transfer.preprocessing import Preprocessing, from_config


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Exports the backbone at the end of training, and that of the best checkpoint if there is one.

    Files are ``<name>_final`` and ``<name>_best`` with the ending of ``file_format``, in the work dir. Their metadata
    name toolbox, config, source data set, epoch, iteration, preprocessing, style and digest. With mmengine's EMAHook
    the averaged weights are exported, as they are what a checkpoint holds.

    Args:
        name: Beginning of the file names; a path, if they are not to be in the work dir.
        source_dataset: What to call the data; by default type, root and annotation file of the training set.
        file_format: ``pth`` or ``safetensors``.
        backbone: Where the backbone is in the model.
        preprocessing: ``dict(mean=..., std=..., channel_order="rgb", style="pytorch")``; by default what the config
            says.
        overwrite: Replace existing files, which is logged before training.
        policy: ``error``; or ``warn``, which trains on without an export where it is not possible.

    Raises:
        FileExistsError, OSError, ValueError: Before training, if a file could not be written after it; not with
            ``policy="warn"``.
    """

    priority = "LOWEST"  # behind the hook that saves the last and the best checkpoint

    def __init__(
        self,
        name: str = "backbone",
        source_dataset: str | None = None,
        file_format: str = "pth",
        backbone: str = "backbone",
        preprocessing: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        policy: str = "error",
    ) -> None:
        if policy not in POLICIES:
            raise ValueError(f"policy={policy!r} is unknown; choose one of {', '.join(map(repr, POLICIES))}.")
        self.name = name
        self.source_dataset = source_dataset
        self.file_format = file_format
        self.backbone = backbone
        self.preprocessing = None if preprocessing is None else Preprocessing(**preprocessing, origin="the hook")
        self.overwrite = overwrite
        self.policy = policy
        self._possible = True

    def before_train(self, runner: Runner) -> None:
        """Finds out now whether the files can be written."""
        try:
            map_names(find_backbone(runner.model, self.backbone).state_dict(), prefix="")
            self._check(runner)
        except (OSError, ValueError) as error:
            self._object(runner, error)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Writes the files."""
        if not self._possible:
            return
        try:
            self._export(runner)
        except (OSError, RuntimeError, ValueError) as error:
            self._object(runner, error)

    def _export(self, runner: Runner) -> None:
        path = self._path(runner, "final")
        preprocessing = self.preprocessing or from_config(runner.cfg)
        module, facts = self._trained(runner)
        facts |= {"epoch": runner.epoch, "iter": runner.iter}
        digest = write_backbone(path, module.state_dict(), facts, preprocessing=preprocessing, overwrite=self.overwrite)
        runner.logger.info(f"Backbone after training: {path}, digest {digest}")
        for key, best in runner.message_hub.runtime_info.items():
            # One metric to keep the best of gives `best_ckpt`, several give `best_ckpt_<metric>`.
            if not key.startswith("best_ckpt") or not best:
                continue
            path = self._path(runner, "best" + key.removeprefix("best_ckpt").replace("/", "_"))
            _require_exported(path)
            told = export_backbone(
                best,
                path,
                prefix=self.backbone,
                metadata=self._facts(runner) | {"checkpoint": str(best)},
                preprocessing=preprocessing,
                overwrite=self.overwrite,
            )
            runner.logger.info(f"Backbone of the best checkpoint: {path}, digest {told['digest']}")

    @master_only
    def _check(self, runner: Runner) -> None:
        final, best = self._path(runner, "final"), self._path(runner, "best")
        # Several metrics to keep the best of give several files, named after training.
        others = sorted(best.parent.glob(f"{glob.escape(best.stem)}_*{best.suffix}"))
        starts = {
            Path(h.init.checkpoint).resolve()
            for h in runner.hooks
            if isinstance(h, LoadBackboneHook) and h.init.checkpoint
        }
        for path in (final, best, *others):
            if path.resolve() in starts:
                raise ValueError(
                    f"{path} is what this run is initialized from and would be replaced: set another work_dir."
                )
            check_writable(path, self.overwrite)
            if path == final:
                _require_exported(path)
            if path.exists():
                when = "" if path == final else ", if it keeps a best checkpoint of that name,"
                runner.logger.warning(f"{path} stands from before; this run{when} will replace it.")

    def _object(self, runner: Runner, error: Exception) -> None:
        if self.policy == "error":
            raise error
        self._possible = False
        runner.logger.warning(f"ExportBackboneHook: no backbone is exported. {error}")

    def _path(self, runner: Runner, which: str) -> Path:
        return Path(runner.work_dir) / f"{self.name}_{which}.{self.file_format}"

    def _facts(self, runner: Runner) -> BackboneMetadata:
        facts = config_facts(runner.cfg)
        if self.source_dataset:
            facts["source_dataset"] = self.source_dataset
        if runner.cfg.filename:
            facts["config"] = Path(runner.cfg.filename).name
        return facts

    def _trained(self, runner: Runner) -> tuple[nn.Module, BackboneMetadata]:
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                return find_backbone(hook.ema_model, self.backbone), self._facts(runner) | {
                    "weights": "averaged by EMAHook"
                }
        return find_backbone(runner.model, self.backbone), self._facts(runner)


def _require_exported(path: Path) -> None:
    """Refuse to replace a file that is a user's own, and no export of an earlier run."""
    if path.is_symlink():
        raise FileExistsError(f"{path} is a link, which is not written through: remove it, or set another work_dir.")
    try:
        exported = not path.exists() or read_checkpoint(path).backbone_metadata is not None
    except (CheckpointError, OSError, ValueError):
        exported = False
    if not exported:
        raise FileExistsError(f"{path} is not a backbone that a run exported: move it away, or set another work_dir.")
