"""Transforms that load, flag and pack chips."""

from mmdetpre.datasets.transforms.load_chip import LoadChip
from mmdetpre.datasets.transforms.pack_chip_inputs import PackChipInputs

__all__ = ["LoadChip", "PackChipInputs"]
