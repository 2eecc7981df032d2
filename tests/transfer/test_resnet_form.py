from __future__ import annotations

from collections.abc import Callable

import pytest

from mmdetpre.transfer import map_names
from mmdetpre.transfer.compare_weights import form_of
from mmdetpre.transfer.resnet_form import deformable_config, form_differences


@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_depth_and_width_are_read(resnet: Callable, depth: int) -> None:
    state = resnet(depth, seed=None, base_channels=2, stem_channels=4).state_dict()
    form = form_of(map_names(state), state)
    assert form.depth == depth and (form.base_channels, form.stem_channels) == (2, 4)
    assert not form.deep_stem and not any(form.offsets) and form.has_norms
    assert form_differences(form, form) == []


@pytest.mark.parametrize(("kind", "groups"), [("DCN", 1), ("DCN", 4), ("DCNv2", 1), ("DCNv2", 2)])
def test_kind_and_groups_of_deformable_convolutions_are_read(resnet: Callable, kind: str, groups: int) -> None:
    dcn = dict(type=kind, deform_groups=groups)
    state = resnet(50, seed=None, dcn=dcn, stage_with_dcn=(False, True, False, True)).state_dict()
    form = form_of(map_names(state), state)
    assert [bool(count) for count in form.offsets] == [False, True, False, True]
    assert deformable_config(form.offsets[1]) == dcn


def test_fewer_stages_and_another_norm_are_named(resnet: Callable) -> None:
    def form(**options):
        state = resnet(18, seed=None, **options).state_dict()
        return form_of(map_names(state), state)

    three = form(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2,))
    assert "the file has 3 stages, the model 4" in form_differences(three, form())[0]
    (reason,) = form_differences(form(), three)
    assert "the file has 4 stages, the model 3" in reason and reason.endswith(
        "set num_stages=4; or, if the rest is not used, policy='warn'"
    )
    group_norm = form(norm_cfg=dict(type="GN", num_groups=2))
    assert "norm_cfg=dict(type='BN')" in form_differences(form(), group_norm)[0]
