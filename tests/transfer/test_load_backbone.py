"""Deformable offsets that are kept or start from scratch; the other ways a load can go are in test_bad_input.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mmdetpre.transfer import load_backbone, read_checkpoint, write_backbone

DCN = dict(depth=50, dcn=dict(type="DCN", deform_groups=2), stage_with_dcn=(False, False, False, True))


@pytest.mark.parametrize("reset", [False, True])
def test_offsets_are_taken_or_begin_at_zero(resnet: Callable, tmp_path, reset: bool) -> None:
    trained = resnet(**DCN)
    path = tmp_path / "trained.pth"
    digest = write_backbone(path, trained.state_dict())
    target = resnet(seed=1, **DCN)
    report = load_backbone(target, path, reset_offsets=reset)
    offsets = [name for name in target.state_dict() if "conv_offset" in name]
    assert len(offsets) == 6
    state = trained.state_dict()
    for name, tensor in target.state_dict().items():
        wanted = torch.zeros_like(tensor) if reset and name in offsets else state[name]
        assert torch.equal(tensor, wanted), name
    assert report.verdict == ("expected" if reset else "complete")
    assert (report.digest == digest) is not reset
    assert [name for name, rule in report.expected if "reset_offsets" in rule] == (offsets if reset else [])
    assert ("reset_offsets: the file's offsets are not taken" in str(report)) is reset


def test_reset_of_offsets_that_the_file_lacks_changes_nothing(resnet: Callable, save: Callable) -> None:
    path = save(resnet(depth=50).state_dict())
    reports = [load_backbone(resnet(seed=1, **DCN), path, reset_offsets=reset) for reset in (False, True)]
    assert reports[0] == reports[1]
    assert "plain" in reports[0].expected[0][1]
    assert load_backbone(resnet(seed=1), save(resnet().state_dict()), reset_offsets=True).verdict == "complete"


def test_reset_does_not_hide_that_the_model_is_plain(resnet: Callable, save: Callable) -> None:
    report = load_backbone(resnet(depth=50), save(resnet(**DCN).state_dict()), reset_offsets=True, dry_run=True)
    assert report.verdict == "incomplete" and len(report.unexpected) == 6


def test_a_checkpoint_that_was_read_is_not_changed(resnet: Callable, save: Callable) -> None:
    checkpoint = read_checkpoint(save(resnet(**DCN).state_dict()))
    before = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
    load_backbone(resnet(seed=1, **DCN), checkpoint, reset_offsets=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in checkpoint.tensors.items())
