"""Hooks of mmdetpre."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.hooks.broken_image_hook import BrokenImageHook
    from mmdetpre.hooks.checkpoint_fit_hook import CheckpointFitHook
    from mmdetpre.hooks.exact_resume_hook import ExactResumeHook
    from mmdetpre.hooks.export_backbone_hook import ExportBackboneHook
    from mmdetpre.hooks.finite_loss_hook import FiniteLossHook
    from mmdetpre.hooks.follow_batch_hook import FollowBatchHook
    from mmdetpre.hooks.late_runtime_info_hook import LateRuntimeInfoHook
    from mmdetpre.hooks.load_backbone_hook import LoadBackboneHook
    from mmdetpre.hooks.same_buffers_hook import SameBuffersHook
    from mmdetpre.hooks.whole_checkpoint_hook import WholeCheckpointHook
    from mmdetpre.hooks.write_labels_hook import WriteLabelsHook

__all__ = [
    "BrokenImageHook",
    "CheckpointFitHook",
    "ExactResumeHook",
    "ExportBackboneHook",
    "FiniteLossHook",
    "FollowBatchHook",
    "LateRuntimeInfoHook",
    "LoadBackboneHook",
    "SameBuffersHook",
    "WholeCheckpointHook",
    "WriteLabelsHook",
]
__getattr__, __dir__ = on_demand(__name__)
