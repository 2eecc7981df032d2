"""``init_cfg=dict(type='mmdetpre.PretrainedBackbone', checkpoint=...)``: load with a report, without a hook."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmengine.model.weight_init import update_init_info
from torch import nn

from mmdetpre.registry import WEIGHT_INITIALIZERS
from mmdetpre.transfer.load_backbone import load_backbone
from mmdetpre.transfer.load_report import LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.utils.whole_file import write_text


@WEIGHT_INITIALIZERS.register_module()
class PretrainedBackbone:
    """Initializes a backbone from a file, as `mmdetpre.transfer.load_backbone` does.

    Unlike mmengine's ``Pretrained`` it raises where tensors are not loaded. mmengine does not know this type, and would
    initialize parts of the backbone after it; that is prevented here. Checkpoints that the Runner loads later
    (``load_from``, ``resume``) replace these weights, as they should; only ``mmdetpre.LoadBackboneHook`` watches for
    that.

    Args:
        checkpoint: Path or address.
        prefix, policy, entry, check_preprocessing, reset_offsets: As for `mmdetpre.transfer.load_backbone`.
        preprocessing: ``dict(mean=..., std=..., channel_order="rgb", style="pytorch")`` of the model; a backbone knows
            its style only, so that the rest is compared only if it is given.
        report_file: JSON file to write the report to, by the first process; that of an earlier run is replaced.
    """

    def __init__(
        self,
        checkpoint: str,
        prefix: str | None = None,
        policy: str = "error",
        entry: str | None = None,
        preprocessing: Mapping[str, Any] | None = None,
        check_preprocessing: bool = True,
        reset_offsets: bool = False,
        report_file: str | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.options: dict[str, Any] = dict(
            prefix=prefix,
            policy=policy,
            entry=entry,
            check_preprocessing=check_preprocessing,
            reset_offsets=reset_offsets,
        )
        if preprocessing is not None:
            self.options["preprocessing"] = Preprocessing(**preprocessing, origin="init_cfg")
        self.report_file = report_file
        self.report: LoadReport | None = None

    def __call__(self, module: nn.Module) -> None:
        """Load into a backbone.

        Raises:
            BackboneNotLoaded: As ``policy`` says.
            ValueError: If an initializer behind this one would overwrite what it loads.
        """
        configured = getattr(module, "init_cfg", None)
        if isinstance(configured, list | tuple) and configured:
            last = configured[-1].get("type")
            if last not in ("mmdetpre.PretrainedBackbone", "PretrainedBackbone", PretrainedBackbone):
                raise ValueError(f"init_cfg ends in {last!r}, which would overwrite what was loaded: put it first.")
        self.report = load_backbone(module, self.checkpoint, **self.options)
        level = logging.INFO if self.report.good else logging.WARNING
        print_log(str(self.report), logger="current", level=level)
        if self.report_file and is_main_process():
            write_text(self.report_file, self.report.to_json())
        # What mmengine and mmpretrain do behind an initializer that is not their own `Pretrained`:
        if hasattr(module, "zero_init_residual"):
            setattr(module, "zero_init_residual", False)  # noqa: B010 - a plain assignment means a parameter to mypy
        for part in module.modules():
            if part is not module and hasattr(part, "_is_init"):
                setattr(part, "_is_init", True)  # noqa: B010
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"PretrainedBackbone: {self.report.verdict}, from {self.checkpoint}")
