"""Backbones whose loading is verified: read, compare, load, export and verify their weights."""

from typing import TYPE_CHECKING

from mmdetpre.transfer.backbone_file import export_backbone, write_backbone
from mmdetpre.transfer.backbone_init import BackboneInit
from mmdetpre.transfer.checkpoint_reader import Checkpoint, CheckpointError, read_checkpoint
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.freezing import freezing_table, stage_states
from mmdetpre.transfer.import_backbone import import_backbone
from mmdetpre.transfer.key_map import KeyMap, KeyMapError, map_names
from mmdetpre.transfer.load_backbone import load_backbone, loaded_digest
from mmdetpre.transfer.load_report import BackboneNotLoaded, LoadReport
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.transfer.pretrained_backbone import PretrainedBackbone

__all__ = [
    "BackboneNotLoaded",
    "BackboneInit",
    "Checkpoint",
    "CheckpointError",
    "KeyMap",
    "KeyMapError",
    "LoadReport",
    "Preprocessing",
    "PretrainedBackbone",
    "export_backbone",
    "freezing_table",
    "import_backbone",
    "load_backbone",
    "loaded_digest",
    "map_names",
    "read_checkpoint",
    "stage_states",
    "weights_digest",
    "write_backbone",
]
__getattr__, __dir__ = on_demand(__name__)  # what needs mmengine; the rest needs torch and safetensors only
