"""Any metric of mmdet as columns of the study's tables."""

import pytest

from mmdetpre.study.detection_scores import average_precisions


@pytest.mark.parametrize(
    ("metrics", "columns"),
    [
        (
            {"coco/bbox_mAP": 0.45, "coco/bbox_mAP_50": 0.675, "coco/bbox_mAP_75": 0.522, "coco/bbox_mAP_s": 0.2},
            {"map": 45.0, "ap50": 67.5, "ap75": 52.2},
        ),
        ({"pascal_voc/mAP": 0.5, "pascal_voc/AP50": 0.5, "pascal_voc/AP70": 0.25}, {"map": 50, "ap50": 50, "ap70": 25}),
        ({"openimages/mAP": 0.5, "openimages/AP50": 0.5, "data_time": 3.0}, {"map": 50.0, "ap50": 50.0}),
        ({"lvis/bbox_AP": 0.25, "lvis/bbox_AP50": 0.5, "lvis/bbox_APr": 0.1}, {"map": 25.0, "ap50": 50.0}),
        ({"coco/bbox_mAP": -1.0, "coco/bbox_mAP_75": float("nan")}, {"map": None, "ap75": None}),
        ({"crowd_human/mMR": 0.5, "crowd_human/count": 12.0}, {"mmr": 50.0}),
    ],
)
def test_the_columns_of_a_metric(metrics, columns):
    found = average_precisions(metrics)
    assert found == pytest.approx(columns) if None not in columns.values() else found == columns


def test_a_test_that_measured_nothing():
    with pytest.raises(ValueError, match="no average precision.*images': 12.*CocoMetric"):
        average_precisions({"proposals/images": 12.0})
