"""Metrics of mmdetpre."""

from mmdetpre.evaluation.openimages_metric import OpenImagesMetric

__all__ = ["OpenImagesMetric"]
