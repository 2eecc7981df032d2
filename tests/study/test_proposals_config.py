"""The network of region proposals is that of the detector, on the detector's images, from the detector's start."""

import copy

import pytest
from mmengine.config import Config

from mmdetpre.study.proposals_config import proposals_config


def read(repository, name):
    return Config.fromfile(repository / "configs" / "det" / f"{name}.py", import_custom_modules=False).to_dict()


@pytest.mark.parametrize(
    ("network", "detector"),
    [
        ("rpn_voc", "sniper_voc"),
        ("rpn_coco", "sniper_coco_trainval"),
        ("rpn_coco", "sniper_coco_deform_roi"),
    ],
)
def test_it_follows_the_detector(repository, network, detector):
    network, detector = read(repository, network), read(repository, detector)
    before = copy.deepcopy((network, detector))
    cfg = proposals_config(network, detector, "out")
    assert (network, detector) == before
    images = detector["train_dataloader"]["dataset"]["dataset"]
    assert cfg["train_dataloader"]["dataset"]["dataset"] == images
    assert cfg["train_dataloader"]["dataset"].get("proposals") is None
    tested = dict(cfg["test_dataloader"]["dataset"])
    assert tested.pop("test_mode") and tested.pop("pipeline") == network["test_pipeline"] and tested == images
    assert cfg["model"] == detector["model"] | {"type": "RPN", "roi_head": None}
    assert cfg.get("backbone_init") == detector.get("backbone_init")
    assert cfg["test_evaluator"] == {"type": "mmdetpre.DumpProposals", "out_dir": "out", "overwrite": True}
    for key in ("train_cfg", "param_scheduler", "optim_wrapper", "tta_model", "tta_pipeline"):
        assert cfg[key] == network[key]


def test_configs_that_do_not_go_together(repository):
    network, detector = read(repository, "rpn_voc_sample"), read(repository, "sniper_voc_sample")
    with pytest.raises(ValueError, match="not of type mmdetpre.DumpProposals"):
        proposals_config(detector, detector, "out")
    whole = copy.deepcopy(detector)
    whole["train_dataloader"]["dataset"] = {"type": "CocoDataset"}
    with pytest.raises(ValueError, match="does not train from chips"):
        proposals_config(network, whole, "out")
    with pytest.raises(ValueError, match="no rpn_head"):
        proposals_config(network, read(repository, "retinanet_chips_coco_sample"), "out")


def test_a_detector_without_an_initialization_gives_none_to_its_network(repository):
    network, detector = read(repository, "rpn_voc"), read(repository, "sniper_voc")
    for key in ("backbone_init", "backbone_inits"):
        del detector[key]
    assert not {"backbone_init", "backbone_inits"} & set(proposals_config(network, detector, "out"))
