"""Transforms that load, flag and pack chips."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.datasets.transforms.flip_chip import FlipChip
    from mmdetpre.datasets.transforms.load_chip import LoadChip
    from mmdetpre.datasets.transforms.load_label_map import LoadLabelMap
    from mmdetpre.datasets.transforms.pack_chip_inputs import PackChipInputs

__all__ = ["FlipChip", "LoadChip", "LoadLabelMap", "PackChipInputs"]
__getattr__, __dir__ = on_demand(__name__)
