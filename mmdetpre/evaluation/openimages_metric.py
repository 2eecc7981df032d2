"""mmdet's OpenImages metric with the names of the classes that the data set has."""

from __future__ import annotations

from typing import Any

from mmdet.evaluation import OpenImagesMetric as MMDetOpenImagesMetric
from mmdet.evaluation.functional import eval_map
from mmdet.evaluation.functional.mean_ap import tpfp_openimages
from mmengine.logging import MMLogger, print_log

from mmdetpre.registry import METRICS


@METRICS.register_module()
class OpenImagesMetric(MMDetOpenImagesMetric):
    """``mmdet.OpenImagesMetric`` whose table names the data set's own classes; the numbers are the same.

    mmdet's labels the rows with its own 500 or 601 names, which are wrong as soon as ``classes`` is another choice.

    Args:
        **kwargs: See ``mmdet.OpenImagesMetric``. ``filter_labels=True`` leaves out detections of classes that
            nobody verified in the image: give the data set its ``image_level_ann_file`` then and keep
            ``image_level_labels`` among the ``meta_keys`` of the pipeline.

    Raises:
        ValueError: For ``use_group_of=False`` and ``scale_ranges``, with which mmdet's metric stops after all images
            have been tested.

    Example:
        >>> OpenImagesMetric(get_supercategory=False).iou_thrs
        [0.5]
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.use_group_of or self.scale_ranges is not None:
            raise ValueError(
                "mmdet's OpenImages evaluation works with use_group_of=True and scale_ranges=None only, found"
                f" use_group_of={self.use_group_of} and scale_ranges={self.scale_ranges}. Drop them from val_evaluator."
            )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """AP per IoU threshold, rounded as in mmdet, and their mean ``mAP``, over the classes that have boxes."""
        annotations, detections = zip(*results, strict=True)
        metrics, mean_aps = {}, []
        for iou_thr, ioa_thr in zip(self.iou_thrs, self.ioa_thrs, strict=True):
            print_log(f"\n{'-' * 15}iou_thr, ioa_thr: {iou_thr}, {ioa_thr}{'-' * 15}")
            mean_ap, _ = eval_map(
                detections,
                annotations,
                iou_thr=iou_thr,
                ioa_thr=ioa_thr,
                dataset=list(self.dataset_meta["classes"]),
                tpfp_fn=tpfp_openimages,  # what eval_map takes for the names "oid_v6" and "oid_challenge"
                logger=MMLogger.get_current_instance(),
                use_group_of=True,
            )
            mean_aps.append(mean_ap)
            metrics[f"AP{int(iou_thr * 100):02d}"] = round(mean_ap, 3)
        metrics["mAP"] = sum(mean_aps) / len(mean_aps)
        return metrics
