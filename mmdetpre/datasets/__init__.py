"""Packed annotations, the data sets over them, and the transforms of chips."""

from mmdetpre.datasets.broken_images import BrokenImages, TooManyBrokenImages
from mmdetpre.datasets.chip_dataset import ChipDataset
from mmdetpre.datasets.chip_mining_sampler import ChipMiningSampler
from mmdetpre.datasets.chip_record import ChipRecord
from mmdetpre.datasets.coco import PackedCocoDataset
from mmdetpre.datasets.image_decoding import BrokenImageError
from mmdetpre.datasets.imagenet_loc import PackedImageNetLOCDataset
from mmdetpre.datasets.openimages import PackedOpenImagesDataset
from mmdetpre.datasets.pack_dataset import pack_dataset
from mmdetpre.datasets.packed_annotations import PackedAnnotations
from mmdetpre.datasets.packed_dataset import PackedDataset
from mmdetpre.datasets.proposals import Proposals
from mmdetpre.datasets.transforms import LoadChip, PackChipInputs
from mmdetpre.datasets.voc import PackedVOCDataset

__all__ = [
    "BrokenImageError",
    "BrokenImages",
    "ChipDataset",
    "ChipMiningSampler",
    "ChipRecord",
    "LoadChip",
    "PackChipInputs",
    "PackedAnnotations",
    "PackedCocoDataset",
    "PackedDataset",
    "PackedImageNetLOCDataset",
    "PackedOpenImagesDataset",
    "PackedVOCDataset",
    "Proposals",
    "TooManyBrokenImages",
    "pack_dataset",
]
