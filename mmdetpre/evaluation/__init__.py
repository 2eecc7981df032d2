"""Metrics of mmdetpre, and the plain functions behind them."""

from typing import TYPE_CHECKING

from mmdetpre.on_demand import on_demand

if TYPE_CHECKING:
    from mmdetpre.evaluation.boundary_iou_metric import BoundaryIoUMetric
    from mmdetpre.evaluation.coco_metric import CocoMetric
    from mmdetpre.evaluation.detections_file import Detections, GroundTruth
    from mmdetpre.evaluation.dump_detections import DumpDetections
    from mmdetpre.evaluation.dump_proposals import DumpProposals
    from mmdetpre.evaluation.imagenet_det_metric import ImageNetDETMetric
    from mmdetpre.evaluation.openimages_metric import OpenImagesMetric
    from mmdetpre.evaluation.trimap_metric import TrimapIoUMetric
    from mmdetpre.evaluation.voc_iou_metric import VOCIoUMetric

__all__ = [
    "BoundaryIoUMetric",
    "CocoMetric",
    "Detections",
    "DumpDetections",
    "DumpProposals",
    "GroundTruth",
    "ImageNetDETMetric",
    "OpenImagesMetric",
    "TrimapIoUMetric",
    "VOCIoUMetric",
]
__getattr__, __dir__ = on_demand(__name__)
