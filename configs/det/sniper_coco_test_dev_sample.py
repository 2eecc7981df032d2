# SNIPER on the synthetic sample in COCO's layout, tested on images whose boxes the file does not tell, as test-dev's.
# 2 cores: as sniper_coco_sample.
#   python tools/misc/make_sample.py --layout coco
#   mim train mmdet configs/det/sniper_coco_test_dev_sample.py
#   mim test mmdet configs/det/sniper_coco_test_dev_sample.py --tta --checkpoint \
#       work_dirs/sniper_coco_test_dev_sample/epoch_2.pth
_base_ = "sniper_coco_sample.py"
test_dataloader = dict(
    dataset=dict(
        ann_file="annotations/image_info_test-dev2017.json",
        data_prefix=dict(img="val2017/"),
        require_boxes=False,
    )
)
test_evaluator = dict(
    type="mmdetpre.CocoMetric",
    ann_file=_base_.data_root + "annotations/image_info_test-dev2017.json",
    format_only=True,
    outfile_prefix="work_dirs/coco_test_dev_sample/detections_test-dev2017_sniper_results",
)
