"""The models that a study of a user's own data can have, and how much each is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mmdetpre.study.custom_data.step_costs import StepCost, step_costs


@dataclass(frozen=True)
class Amount:
    """How much a task is trained.

    Attributes:
        batch: Chips or images per step.
        steps: Steps to aim at.
        epochs: The fewest and the most epochs.
    """

    batch: int
    steps: int
    epochs: tuple[int, int]

    def epochs_for(self, items: int) -> int:
        """Epochs for so many chips or images per epoch: those that come nearest to the steps, within the bounds.

        Example:
            >>> Amount(64, 5000, (30, 150)).epochs_for(15420), Amount(64, 5000, (30, 150)).epochs_for(2040)
            (30, 150)
        """
        least, most = self.epochs
        return min(max(round(self.steps / self.steps_per_epoch(items)), least), most)

    def steps_per_epoch(self, items: int) -> int:
        """Steps of one epoch."""
        return max(1, -(-items // self.batch))


@dataclass(frozen=True)
class ModelChoice:
    """A size of model, with the shipped files that make it up.

    Attributes:
        name: As the command line has it.
        title: One line.
        form: What `mmdetpre.transfer` calls the backbone; weights of that form may fit.
        reference: Config whose backbone the initializations have to fit.
        detection, classification, segmentation: Files of ``configs/_base_``.
        chip_size: Side of a chip in pixels.
        detection_amount, classification_amount, segmentation_amount: How much is trained.
        frozen: Whether the detector freezes its first stages, which an initialization from scratch must not.
        probe_crop: Side in pixels of the images of a probe; None: the usual 224.
        backbone: File of ``configs/_base_/backbones`` that takes the place of the ResNet; None: that stays.
        zoo: What names of the zoo begin with whose weights may fit; None: nobody published any.
    """

    name: str
    title: str
    form: str
    reference: str
    detection: tuple[str, ...]
    classification: tuple[str, ...]
    segmentation: tuple[str, ...]
    chip_size: int
    detection_amount: Amount
    classification_amount: Amount
    segmentation_amount: Amount
    frozen: bool
    probe_crop: int | None = None
    backbone: str | None = None
    zoo: str | None = None

    @property
    def for_gpus(self) -> bool:
        """Whether it has the paper's settings, frozen stages among them, which a CPU takes days for."""
        return self.frozen

    @property
    def deformable(self) -> bool:
        """Whether the backbone has deformable convolutions, whose offsets a new task may have to learn anew."""
        return self.for_gpus and self.backbone is None

    @property
    def costs(self) -> dict[str, StepCost]:
        """Measured cost of a training step of each task, ``detection`` and ``classification``; empty: not measured."""
        return {task: cost for (model, task), cost in step_costs().items() if model == self.name}


_SHIPPED = {
    "sample": ModelChoice(
        name="sample",
        title="ResNet-18 of quarter width, chips of 128 pixels, for a CPU",
        form="ResNet-18, width 16",
        reference="det/sniper_voc_sample.py",
        detection=(
            "models/sniper_r18_sample.py",
            "datasets/coco_chips_sample.py",
            "schedules/sniper_sample.py",
            "tta/three_scales_sample.py",
            "runtime.py",
        ),
        classification=(
            "models/resnet18_cls_sample.py",
            "datasets/caltech256_sample.py",
            "schedules/cls_sample.py",
            "runtime_mmpretrain.py",
        ),
        segmentation=(
            "models/deeplab_r18_sample.py",
            "datasets/voc_seg_sample.py",
            "runtime_mmseg.py",
            "schedules/deeplab_sample.py",
        ),
        chip_size=128,
        detection_amount=Amount(16, 70, (2, 40)),
        classification_amount=Amount(20, 50, (3, 30)),
        segmentation_amount=Amount(8, 60, (4, 40)),
        frozen=False,
        probe_crop=96,
    ),
    "paper": ModelChoice(
        name="paper",
        title="ResNet-101 with deformable conv5, chips of 512 pixels, for GPUs",
        form="ResNet-101",
        reference="det/sniper_voc.py",
        detection=(
            "models/sniper_r101_dcn.py",
            "datasets/coco_chips.py",
            "schedules/sniper_14e_voc.py",
            "tta/three_scales.py",
            "runtime.py",
        ),
        classification=(
            "models/resnet101_dcn_cls.py",
            "datasets/crops_224.py",
            "schedules/cls_finetune_30e.py",
            "runtime_mmpretrain.py",
        ),
        segmentation=(
            "models/deeplab_r101_dcn.py",
            "datasets/voc_seg.py",
            "runtime_mmseg.py",
            "schedules/deeplab_30k.py",
        ),
        chip_size=512,
        detection_amount=Amount(16, 5000, (14, 100)),
        classification_amount=Amount(64, 5000, (30, 150)),
        segmentation_amount=Amount(8, 5000, (23, 150)),
        frozen=True,
        zoo="resnet101",
    ),
}
_BACKBONES = (
    ("resnet18", "ResNet-18", "resnet18", "ResNet-18", "resnet18"),
    ("resnet50", "ResNet-50", "resnet50", "ResNet-50", "resnet50"),
    ("convnext-tiny", "ConvNeXt-T", "convnext_tiny", "ConvNeXt-tiny", "convnext-tiny"),
    ("swin-tiny", "Swin-T", "swin_tiny", "Swin-tiny", "swin-tiny"),
    ("vit-small", "ViT-S/16", "vit_small", "ViT-small/16", "vit-small"),
    ("dinov2-small", "ViT-S/14 as of DINOv2", "dinov2_small", "ViT-small/14", "vit-small-p14"),
)
"""Name on the command line, title, file of ``configs/_base_/backbones``, form, name in the zoo."""
MODELS: Mapping[str, ModelChoice] = (
    _SHIPPED
    | {
        name: replace(
            _SHIPPED["paper"],
            name=name,
            title=f"{title}, chips of 512 pixels, for GPUs",
            form=form,
            backbone=backbone,
            zoo=zoo,
        )
        for name, title, backbone, form, zoo in _BACKBONES
    }
    | {
        "efficientnet-lite0": ModelChoice(
            name="efficientnet-lite0",
            title="EfficientNet-Lite0, chips of 256 pixels, for a CPU",
            form="EfficientNet-Lite-0",
            reference="det/sniper_voc_sample.py",
            detection=(
                "models/sniper_small.py",
                "datasets/coco_chips_small.py",
                "schedules/sniper_small.py",
                "tta/three_scales_sample.py",
                "runtime.py",
            ),
            classification=(
                "models/resnet18_cls_sample.py",
                "datasets/crops_small.py",
                "schedules/cls_small.py",
                "runtime_mmpretrain.py",
            ),
            segmentation=(
                "models/deeplab_r18_sample.py",
                "datasets/voc_seg_small.py",
                "runtime_mmseg.py",
                "schedules/deeplab_small.py",
            ),
            chip_size=256,
            detection_amount=Amount(8, 200, (4, 40)),
            classification_amount=Amount(32, 80, (3, 30)),
            segmentation_amount=Amount(8, 200, (4, 60)),
            frozen=False,
            probe_crop=160,
            backbone="efficientnet_lite0",
            zoo="efficientnet-lite0",
        )
    }
)
