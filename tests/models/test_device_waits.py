"""The training step never makes the host wait for a GPU, nor treats one chip after the other: found out on a CPU."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch.utils._python_dispatch import TorchDispatchMode

import mmdetpre
from mmdetpre.datasets import ChipDataset, ChipMiningSampler
from mmdetpre.models.instances import on_device

PACKAGE = Path(mmdetpre.__file__).parent
# Values or shapes that the host asks of the device; and numbers of the host made a tensor beside another one.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "repeat_interleave", "equal", "lift_fresh"}


class DeviceWaits(TorchDispatchMode):
    """Counts all operations, and those of a folder's code that wait on a GPU. ``Tensor.tolist`` passes unseen."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder, self.operations, self.waits = folder, 0, Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.operations += 1
        name = operation._schema.name.removeprefix("aten::")
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            waits = any(index is not None and index.dtype == torch.bool for index in args[1])
        else:
            waits = name in WAITING
        frame = sys._getframe(1)
        while "torch" in Path(frame.f_code.co_filename).parts:
            frame = frame.f_back
        code = frame.f_code
        if waits and code is not on_device.__code__ and Path(code.co_filename).is_relative_to(self.folder):
            self.waits[f"{Path(code.co_filename).name}, {code.co_name}: {name}"] += 1
        return operation(*args, **(kwargs or {}))


@pytest.fixture
def step_parts(repository, sample_config):
    """Function that gives a model of configs/_base_/models and a batch of chips of the drawn sample."""

    def make(name, count):
        init_default_scope("mmdet")
        data = sample_config().train_dataloader.dataset
        dataset = ChipDataset(data.dataset, data.chips, data.pipeline)
        records = list(ChipMiningSampler(dataset, seed=0))[:count]
        torch.manual_seed(0)
        model = MODELS.build(Config.fromfile(repository / "configs" / "_base_" / "models" / name).model).train()
        return model, model.data_preprocessor(pseudo_collate([dataset[record] for record in records]), True)

    return make


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x[x > 0.5],
        lambda x: x.nonzero(),
        lambda x: x.masked_select(x > 0),
        lambda x: bool(x.any()),
        lambda x: x.sum().item(),
        lambda x: x.unique(),
        lambda x: x.new_tensor([1.0]),
        lambda x: torch.tensor([1.0], device=x.device),
    ],
)
def test_waits_are_seen(wait):
    with DeviceWaits(Path(__file__).parent) as found:
        wait(torch.tensor(0.7).expand(3))
    assert found.waits.total() > 0


@pytest.mark.parametrize("name", ["sniper_r18_sample.py", "rfcn3000_r18_sample.py"])
def test_a_training_step_does_not_wait(step_parts, name):
    model, data = step_parts(name, 3)
    with DeviceWaits(PACKAGE) as found:
        losses = model.loss(data["inputs"], data["data_samples"])
        sum(value for key, value in losses.items() if "loss" in key).backward()
    assert found.operations > 500
    assert not found.waits


@pytest.mark.parametrize("name", ["sniper_r18_sample.py", "rfcn3000_r18_sample.py"])
def test_as_many_operations_for_six_chips_as_for_two(step_parts, name):
    counts = []
    for count in (2, 6):
        model, data = step_parts(name, count)
        x, samples = model.extract_feat(data["inputs"]), data["data_samples"]
        outputs = model.rpn_head(x)
        with DeviceWaits(PACKAGE) as rpn_loss:
            model.rpn_head.loss_by_feat(
                *outputs,
                [s.gt_instances for s in samples],
                [s.metainfo for s in samples],
                [s.ignored_instances for s in samples],
            )
        proposals = model.rpn_head.predict_by_feat(
            *outputs, batch_img_metas=[s.metainfo for s in samples], cfg=model.train_cfg.rpn_proposal
        )
        with DeviceWaits(PACKAGE) as roi_loss:
            model.roi_head.loss(x, proposals, samples)
        counts.append((rpn_loss.operations, roi_loss.operations))
    assert counts[0] == counts[1]
    assert 0 < max(counts[0]) < 400
