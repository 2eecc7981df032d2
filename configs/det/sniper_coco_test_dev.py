# SNIPER on COCO (sniper_coco.py), tested on test-dev: its boxes are secret, so the test writes the JSON for the server.
# docs/coco_test_dev.md says where the files belong and how to send the result.
#   mim train mmdet configs/det/sniper_coco_test_dev.py --gpus 8 --launcher pytorch   # or the checkpoint of sniper_coco
#   mim test mmdet configs/det/sniper_coco_test_dev.py --checkpoint CHECKPOINT --tta --gpus 8 --launcher pytorch
# The trainval union: sniper_coco_trainval.py.
# Hardware of the paper: 8 GPUs x 16 chips. Time, memory and result: not run here (no full data set).
# Paper: 46.1 AP on test-dev, with negative chips, three scales and sniper_coco_trainval.py.
_base_ = "sniper_coco.py"
test_dataloader = dict(
    dataset=dict(
        ann_file="annotations/image_info_test-dev2017.json",
        data_prefix=dict(img="test2017/"),
        require_boxes=False,  # a test set without boxes: nothing is measured here
    )
)
test_evaluator = dict(
    type="mmdetpre.CocoMetric",
    ann_file=_base_.data_root + "annotations/image_info_test-dev2017.json",
    format_only=True,
    outfile_prefix="work_dirs/coco_test_dev/detections_test-dev2017_sniper_results",  # .bbox.json is added
)
