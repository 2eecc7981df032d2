"""The backbone of a config by name: tables of ``configs/_base_/backbones``, configs changed to one, their Runner."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.backbones.change import on_backbone, with_chosen_backbone
    from mmdetpre.backbones.config_runner import ConfigRunner
    from mmdetpre.backbones.table import Backbone, backbone_names, named_backbone

__all__ = [
    "Backbone",
    "ConfigRunner",
    "backbone_names",
    "named_backbone",
    "on_backbone",
    "with_chosen_backbone",
]
__getattr__, __dir__ = on_demand(__name__)
