"""The batch of mmdet's preprocessor to the last bit, in as few operations for many chips as for two."""

from __future__ import annotations

import copy

import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch.utils._python_dispatch import TorchDispatchMode

from mmdetpre.datasets import parcel_collate
from mmdetpre.models import ChipDataPreprocessor
from mmdetpre.utils.stacked_images import stacked_images

VIEWS = {"alias", "as_strided", "detach", "expand", "lift_fresh", "permute", "select", "slice", "split", "squeeze", "t",
         "transpose", "unbind", "unsqueeze", "view", "_unsafe_view", "empty"}  # fmt: skip
NORMAL = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CHIPS = dict(batch_augments=[dict(type="BatchFixedSizePad", size=(64, 64), pad_mask=False)])
FULL, MIXED = [(64, 64)] * 4, [(64, 40), (33, 64), (64, 64), (17, 9)]


class Operations(TorchDispatchMode):
    """Names of the operations that a GPU would have to do."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation._schema.name.removeprefix("aten::")
        self.names += [] if name in VIEWS else [name]
        return operation(*args, **(kwargs or {}))


def batch(sizes):
    generator = torch.Generator().manual_seed(1)
    samples = []
    for height, width in sizes:
        sample = DetDataSample(metainfo=dict(img_shape=(height, width)))
        boxes = HorizontalBoxes(torch.rand(2, 4, generator=generator).cumsum(1))
        sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.arange(2))
        samples.append(sample)
    images = [torch.randint(256, (3, *size), dtype=torch.uint8, generator=generator) for size in sizes]
    return {"inputs": images, "data_samples": samples}


def bits(x):
    return x.view(torch.int32)


@pytest.mark.parametrize(
    "options",
    [
        dict(**NORMAL, bgr_to_rgb=True, pad_size_divisor=16, **CHIPS),
        dict(**NORMAL, bgr_to_rgb=True, pad_size_divisor=32),
        dict(**NORMAL, rgb_to_bgr=True, pad_value=-1.5),
        dict(mean=[100.0], std=[50.0], pad_size_divisor=7),
        dict(pad_value=3, boxtype2tensor=False),
    ],
)
@pytest.mark.parametrize("sizes", [FULL, MIXED, MIXED[:1], [(40, 24)] * 3])
@pytest.mark.parametrize("stacks", [False, True])
def test_the_batch_is_that_of_mmdet_to_the_last_bit(options, sizes, stacks):
    init_default_scope("mmdet")
    ours, theirs = ChipDataPreprocessor(**options), DetDataPreprocessor(**options)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    given = batch(sizes)
    expected = theirs(copy.deepcopy(given), True)
    if stacks:
        given["inputs"] = stacked_images(given["inputs"])
    pixels = [image.clone() for image in given["inputs"]]
    found = ours(given, True)
    assert found.keys() == expected.keys() and found["inputs"].dtype == torch.float32
    assert torch.equal(bits(found["inputs"]), bits(expected["inputs"]))
    for sample, other in zip(found["data_samples"], expected["data_samples"], strict=True):
        assert sample.metainfo == other.metainfo
        assert type(sample.gt_instances.bboxes) is type(other.gt_instances.bboxes)
    assert all(torch.equal(*pair) for pair in zip(given["inputs"], pixels, strict=True)), "the batch stays as it was"


def test_ten_operations_whatever_the_number_of_chips():
    options = dict(**NORMAL, bgr_to_rgb=True, pad_size_divisor=16)
    counts = {}
    for kind in (ChipDataPreprocessor, DetDataPreprocessor):
        for sizes in (FULL, MIXED, MIXED * 4):
            given = batch(sizes)
            given["inputs"] = stacked_images(given["inputs"])
            with Operations() as found:
                kind(**options)(given, True)
            counts[kind, len(sizes), len(set(sizes)) > 1] = len(found.names)
    ours = {key[1:]: count for key, count in counts.items() if key[0] is ChipDataPreprocessor}
    assert ours[4, True] == ours[16, True] and ours[4, False] < ours[4, True]
    assert (ours[4, False], ours[16, True]) == (4, 10)
    assert counts[DetDataPreprocessor, 16, True] >= 80


@pytest.mark.parametrize("inputs", [torch.rand(2, 3, 16, 16), [torch.rand(3, 16, 20)], [torch.ones(3, 8, 8).int()]])
def test_other_batches_are_left_to_mmdet(inputs):
    options = dict(**NORMAL, bgr_to_rgb=True, pad_size_divisor=16)
    found, expected = (kind(**options)({"inputs": inputs}) for kind in (ChipDataPreprocessor, DetDataPreprocessor))
    assert torch.equal(bits(found["inputs"]), bits(expected["inputs"])) and found["data_samples"] is None


def test_mmdet_takes_stacked_images_too():
    given = batch(MIXED)
    expected = DetDataPreprocessor(**NORMAL)(copy.deepcopy(given), True)["inputs"]
    given["inputs"] = stacked_images(given["inputs"])
    assert torch.equal(DetDataPreprocessor(**NORMAL)(given, True)["inputs"], expected)


def test_a_batch_goes_to_the_device_as_one_tensor_that_the_host_need_not_wait_for(monkeypatch):
    sent, plain = [], torch.Tensor.to

    def to(self, *args, **kwargs):
        sent.append((self.dtype, tuple(self.shape), kwargs.get("non_blocking")))
        return plain(self, *args, **kwargs)

    given = {"inputs": stacked_images(batch(FULL)["inputs"])}
    preprocessor = ChipDataPreprocessor(**NORMAL, non_blocking=True)
    monkeypatch.setattr(torch.Tensor, "to", to)
    preprocessor(given)
    assert sent == [(torch.uint8, (4, 3, 64, 64), True)]


@pytest.mark.parametrize("workers", [0, 2])
def test_chips_of_a_config_arrive_stacked(sample_config, workers):
    init_default_scope("mmdet")
    cfg = sample_config(train_dataloader__dataset__dataset__max_images=8)
    assert cfg.model.data_preprocessor.type == "mmdetpre.ChipDataPreprocessor"
    loader = cfg.train_dataloader.to_dict() | {"batch_size": 3, "num_workers": workers}
    built = Runner.build_dataloader(Config({"loader": loader}).loader, seed=3)
    assert built.collate_fn.func is parcel_collate
    options = {key: value for key, value in cfg.model.data_preprocessor.items() if key != "type"}
    for given in built:
        assert given["inputs"].whole
        expected = DetDataPreprocessor(**options)(copy.deepcopy({**given, "inputs": list(given["inputs"])}), True)
        assert torch.equal(bits(ChipDataPreprocessor(**options)(given, True)["inputs"]), bits(expected["inputs"]))
