"""Detectors, necks and heads of mmdetpre."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.models.auto_focus import AutoFocus
    from mmdetpre.models.chip_assigner import ChipAssigner
    from mmdetpre.models.chip_data_preprocessor import ChipDataPreprocessor
    from mmdetpre.models.chip_roi_head import ChipRoIHead
    from mmdetpre.models.chip_rpn_head import ChipRPNHead
    from mmdetpre.models.concat_neck import ConcatNeck
    from mmdetpre.models.convnext import ConvNeXt
    from mmdetpre.models.deform_conv import DeformConv
    from mmdetpre.models.deform_conv import DeformConv as DCN
    from mmdetpre.models.deform_roi_pool import DeformRoIExtractor, TwoStepDeformRoIPool
    from mmdetpre.models.fine_classifiers import DenseClassifier, PoolFirstClassifier
    from mmdetpre.models.focus_head import FocusHead
    from mmdetpre.models.focus_tta import FocusTTA
    from mmdetpre.models.layer_decay import LayerDecayConstructor
    from mmdetpre.models.mobilenet import MobileNetV2
    from mmdetpre.models.multi_scale_tta import MultiScaleTTA
    from mmdetpre.models.mxnet_deform_conv import MXNetDeformConv
    from mmdetpre.models.mxnet_deform_conv import MXNetDeformConv as MXNetDCN
    from mmdetpre.models.position_sensitive_head import PositionSensitiveHead
    from mmdetpre.models.preact_resnet import PreActResNet
    from mmdetpre.models.rescale_maps import RescaleMaps
    from mmdetpre.models.resnet import ResNet
    from mmdetpre.models.rfcn3000_roi_head import RFCN3000RoIHead
    from mmdetpre.models.rounded_anchors import RoundedAnchorGenerator
    from mmdetpre.models.sniper import SNIPER
    from mmdetpre.models.swin import SwinTransformer
    from mmdetpre.models.timm_backbone import TIMMBackbone

__all__ = [
    "DCN",
    "SNIPER",
    "AutoFocus",
    "ChipAssigner",
    "ChipDataPreprocessor",
    "ChipRPNHead",
    "ChipRoIHead",
    "ConcatNeck",
    "ConvNeXt",
    "DeformConv",
    "DeformRoIExtractor",
    "DenseClassifier",
    "FocusHead",
    "FocusTTA",
    "LayerDecayConstructor",
    "MXNetDCN",
    "MXNetDeformConv",
    "MobileNetV2",
    "MultiScaleTTA",
    "PoolFirstClassifier",
    "PositionSensitiveHead",
    "PreActResNet",
    "RFCN3000RoIHead",
    "RescaleMaps",
    "ResNet",
    "RoundedAnchorGenerator",
    "SwinTransformer",
    "TIMMBackbone",
    "TwoStepDeformRoIPool",
]
__getattr__, __dir__ = on_demand(__name__)
