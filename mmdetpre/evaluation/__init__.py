"""Metrics of mmdetpre, and the plain functions behind them."""

from mmdetpre.evaluation.detections_file import Detections, GroundTruth
from mmdetpre.evaluation.dump_detections import DumpDetections
from mmdetpre.evaluation.dump_proposals import DumpProposals
from mmdetpre.evaluation.imagenet_det_metric import ImageNetDETMetric
from mmdetpre.evaluation.openimages_metric import OpenImagesMetric

__all__ = ["Detections", "DumpDetections", "DumpProposals", "GroundTruth", "ImageNetDETMetric", "OpenImagesMetric"]
