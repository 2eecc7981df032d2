"""Packed annotations, the data sets over them, and the transforms of chips."""

from typing import TYPE_CHECKING

from mmdetpre.on_demand import on_demand

if TYPE_CHECKING:
    from mmdetpre.datasets.broken_images import BrokenImages, TooManyBrokenImages
    from mmdetpre.datasets.caltech256 import Caltech256
    from mmdetpre.datasets.chip_dataset import ChipDataset
    from mmdetpre.datasets.chip_mining_sampler import ChipMiningSampler
    from mmdetpre.datasets.chip_record import ChipRecord
    from mmdetpre.datasets.class_folder_dataset import ClassFolders
    from mmdetpre.datasets.coco import PackedCocoDataset
    from mmdetpre.datasets.flowers102 import Flowers102
    from mmdetpre.datasets.image_decoding import BrokenImageError
    from mmdetpre.datasets.imagenet_loc import PackedImageNetLOCDataset
    from mmdetpre.datasets.openimages import PackedOpenImagesDataset
    from mmdetpre.datasets.packed_annotations import PackedAnnotations
    from mmdetpre.datasets.packed_dataset import PackedDataset
    from mmdetpre.datasets.packing import pack_dataset
    from mmdetpre.datasets.proposals import Proposals
    from mmdetpre.datasets.sun397 import SUN397
    from mmdetpre.datasets.transforms.load_chip import LoadChip
    from mmdetpre.datasets.transforms.load_label_map import LoadLabelMap
    from mmdetpre.datasets.transforms.pack_chip_inputs import PackChipInputs
    from mmdetpre.datasets.voc import PackedVOCDataset
    from mmdetpre.datasets.voc_segmentation import VOCSegmentationDataset

__all__ = [
    "SUN397",
    "BrokenImageError",
    "BrokenImages",
    "Caltech256",
    "ChipDataset",
    "ChipMiningSampler",
    "ChipRecord",
    "ClassFolders",
    "Flowers102",
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
]
__getattr__, __dir__ = on_demand(__name__)
