"""Metrics of mmdetpre, and the plain functions behind them."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.evaluation.boundary_iou.metric import BoundaryIoUMetric
    from mmdetpre.evaluation.coco_metric import CocoMetric
    from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
    from mmdetpre.evaluation.detections.metric import DumpDetections
    from mmdetpre.evaluation.imagenet_det.metric import ImageNetDETMetric
    from mmdetpre.evaluation.openimages_metric import OpenImagesMetric
    from mmdetpre.evaluation.proposals.metric import DumpProposals
    from mmdetpre.evaluation.scale_origin_metric import ScaleOriginMetric
    from mmdetpre.evaluation.trimap.metric import TrimapIoUMetric
    from mmdetpre.evaluation.voc_ap.metric import VOCIoUMetric

__all__ = [
    "BoundaryIoUMetric",
    "CocoMetric",
    "Detections",
    "DumpDetections",
    "DumpProposals",
    "GroundTruth",
    "ImageNetDETMetric",
    "OpenImagesMetric",
    "ScaleOriginMetric",
    "TrimapIoUMetric",
    "VOCIoUMetric",
]
__getattr__, __dir__ = on_demand(__name__)
