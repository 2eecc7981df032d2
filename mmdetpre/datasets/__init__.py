"""Packed annotations, the data sets over them, and the transforms of chips."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.datasets.chips.batch_sampler import ChipBatchSampler
    from mmdetpre.datasets.chips.broken_images import BrokenImages, TooManyBrokenImages
    from mmdetpre.datasets.chips.dataset import ChipDataset
    from mmdetpre.datasets.chips.record import ChipRecord
    from mmdetpre.datasets.chips.sampler import ChipMiningSampler
    from mmdetpre.datasets.classification.caltech256 import Caltech256
    from mmdetpre.datasets.classification.dataset import ClassFolders
    from mmdetpre.datasets.classification.flowers102 import Flowers102
    from mmdetpre.datasets.classification.sun397 import SUN397
    from mmdetpre.datasets.coco.dataset import PackedCocoDataset
    from mmdetpre.datasets.imagenet.loc import PackedImageNetLOCDataset
    from mmdetpre.datasets.images.decoding import BrokenImageError
    from mmdetpre.datasets.label_maps.dataset import LabelMapDataset
    from mmdetpre.datasets.openimages.dataset import PackedOpenImagesDataset
    from mmdetpre.datasets.packed.annotations import PackedAnnotations
    from mmdetpre.datasets.packed.dataset import PackedDataset
    from mmdetpre.datasets.packed.packing import pack_dataset
    from mmdetpre.datasets.parcel import parcel_collate
    from mmdetpre.datasets.proposals.table import Proposals
    from mmdetpre.datasets.transforms.flip_chip import FlipChip
    from mmdetpre.datasets.transforms.load_chip import LoadChip
    from mmdetpre.datasets.transforms.load_label_map import LoadLabelMap
    from mmdetpre.datasets.transforms.pack_chip_inputs import PackChipInputs
    from mmdetpre.datasets.voc.detection import PackedVOCDataset
    from mmdetpre.datasets.voc.segmentation import VOCSegmentationDataset

__all__ = [
    "SUN397",
    "BrokenImageError",
    "BrokenImages",
    "Caltech256",
    "ChipBatchSampler",
    "ChipDataset",
    "ChipMiningSampler",
    "ChipRecord",
    "ClassFolders",
    "FlipChip",
    "Flowers102",
    "LabelMapDataset",
    "LoadChip",
    "LoadLabelMap",
    "PackChipInputs",
    "PackedAnnotations",
    "PackedCocoDataset",
    "PackedDataset",
    "PackedImageNetLOCDataset",
    "PackedOpenImagesDataset",
    "PackedVOCDataset",
    "Proposals",
    "TooManyBrokenImages",
    "VOCSegmentationDataset",
    "pack_dataset",
    "parcel_collate",
]
__getattr__, __dir__ = on_demand(__name__)
