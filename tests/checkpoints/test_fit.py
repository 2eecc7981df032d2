"""Class counts and other models are told apart; what fits passes."""

from __future__ import annotations

import pytest
from mmdet.models.dense_heads import RetinaHead
from mmdet.models.roi_heads import Shared2FCBBoxHead
from mmengine.registry import init_default_scope
from torch import nn

from mmdetpre.checkpoints.fit import require_classes, require_fit


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope("mmdet")


def two_stage(classes, channels=4, **options):
    head = Shared2FCBBoxHead(in_channels=channels, roi_feat_size=1, fc_out_channels=8, num_classes=classes, **options)
    return nn.ModuleDict(dict(roi_head=nn.ModuleDict(dict(bbox_head=head))))


def one_stage(classes):
    return nn.ModuleDict(dict(bbox_head=RetinaHead(classes, 4, stacked_convs=1, feat_channels=4)))


def test_what_fits_passes():
    state = two_stage(8).state_dict()
    require_fit(two_stage(8), dict(state_dict=state, meta={}), "a.pth")
    require_fit(two_stage(8), {f"module.{key}": value for key, value in state.items()}, "a.pth")


def test_missing_weights_are_refused():
    state = two_stage(8).state_dict()
    total = len(state)
    features = {key: value for key, value in state.items() if "fc_cls" not in key}
    with pytest.raises(ValueError, match=rf"a.pth lacks 2 of the {total} weights of this model, e.g. roi_head.*fc_cls"):
        require_fit(two_stage(8), dict(state_dict=features), "a.pth")
    with pytest.raises(ValueError, match=rf"lacks {total} of the {total} weights.*train first"):
        require_fit(two_stage(8), {}, "a.pth")


def test_what_only_training_uses_may_be_missing():
    def model():
        return nn.ModuleDict(dict(backbone=nn.BatchNorm2d(2), auxiliary_head=nn.Conv2d(2, 2, 1)))

    state = model().state_dict()
    left_out = {"backbone.num_batches_tracked", "auxiliary_head.weight", "auxiliary_head.bias"}
    assert left_out < set(state)
    rest = {key: value for key, value in state.items() if key not in left_out}
    require_fit(model(), rest, "a.pth")
    with pytest.raises(ValueError, match="a.pth lacks 1 of the 4 weights of this model, e.g. backbone.running_var"):
        require_fit(model(), {key: value for key, value in rest.items() if key != "backbone.running_var"}, "a.pth")


@pytest.mark.parametrize("agnostic", [True, False])
@pytest.mark.parametrize("here, there", [(20, 8), (8, 20), (1, 80)])
def test_softmax_head_names_both_counts_and_the_key(here, there, agnostic):
    checkpoint = dict(state_dict=two_stage(there, reg_class_agnostic=agnostic).state_dict())
    with pytest.raises(ValueError) as error:
        require_fit(two_stage(here, reg_class_agnostic=agnostic), checkpoint, "a.pth")
    text = str(error.value)
    assert text.startswith(f"a.pth was trained for {there} classes, the config asks for {here}: ")
    assert "roi_head.bbox_head.fc_cls" in text and f"model.roi_head.bbox_head.num_classes={there}" in text


def test_one_output_per_class_at_each_anchor():
    with pytest.raises(ValueError, match="trained for 80 classes, the config asks for 3: bbox_head.retina_cls"):
        require_fit(one_stage(3), one_stage(80).state_dict(), "a.pth")


def test_another_model_is_not_taken_for_another_class_count():
    with pytest.raises(ValueError, match=r"a.pth belongs to another model: .*shared_fcs.0.weight is \(8, 6\) there"):
        require_fit(two_stage(8), two_stage(20, channels=6).state_dict(), "a.pth")


@pytest.mark.parametrize("name", ["bbox_head", "decode_head", "head"])
def test_data_of_another_class_count_names_the_head(name):
    head = nn.Linear(1, 1)
    head.num_classes = 3
    model = nn.ModuleDict({name: head})
    require_classes(model, "abc")
    with pytest.raises(ValueError, match=rf"has 2 classes \(a, b\), but model.{name}.num_classes is 3"):
        require_classes(model, "ab")
