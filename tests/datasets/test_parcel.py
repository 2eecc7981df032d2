"""A batch from worker to main process: the same samples, in one piece of memory."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmdetpre.datasets import ChipMiningSampler
from mmdetpre.datasets.parcel import Parcel, parcel_collate

TENSORS = [
    torch.arange(24, dtype=torch.uint8).view(2, 3, 4),
    torch.randn(3, 5).t(),
    torch.randn(4, 6)[:, ::2],
    torch.zeros(0, 4),
    torch.tensor(7),
    torch.tensor([True, False]),
    torch.randn(3).to(torch.bfloat16),
    torch.randn(2, dtype=torch.complex64).conj(),
    torch.randn(3, requires_grad=True),
    torch.eye(3).to_sparse(),
    torch.nn.Parameter(torch.ones(2)),
]


def sent(content):
    return pickle.loads(pickle.dumps(Parcel(content)))


@pytest.mark.parametrize("tensor", TENSORS)
def test_a_tensor_arrives_as_it_was(tensor):
    odd, again = sent([torch.ones(3, dtype=torch.uint8), tensor])
    assert odd.tolist() == [1, 1, 1]
    assert (again.dtype, again.shape, again.layout) == (tensor.dtype, tensor.shape, tensor.layout)
    assert type(again) is type(tensor) and again.requires_grad == tensor.requires_grad
    assert torch.equal(again.to_dense(), tensor.to_dense())


def test_arrays_strings_and_shared_objects_arrive_as_they_were():
    array, fixed = np.arange(6.0).reshape(2, 3).T, np.arange(3)
    fixed.flags.writeable = False
    tensor = torch.ones(3)
    again = sent({"a": array, "fixed": fixed, "text": np.array(["x", "yz"]), "none": None, "same": [tensor, tensor]})
    assert np.array_equal(again["a"], array) and np.array_equal(again["fixed"], fixed)
    assert again["text"].tolist() == ["x", "yz"] and again["none"] is None
    assert again["same"][0] is again["same"][1]
    again["same"][0] += 1  # memory that may be written
    assert sent([]) == []


def loader_of(cfg, **options):
    loader = cfg.train_dataloader.to_dict() | {"batch_size": 3} | options
    return Runner.build_dataloader(Config({"loader": loader}).loader, seed=3)


def batches(loader):
    return [
        [
            (image, sample.gt_instances.bboxes.tensor, sample.ignored_instances.group_of, sample.metainfo)
            for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
        ]
        for batch in loader
    ]


def equal(one, other):
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for first, second in zip(one, other, strict=True)
        for left, right in zip(first, second, strict=True)
        for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("pin_memory", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_of_a_config_are_those_of_mmengine(sample_config, workers, pin_memory):
    init_default_scope("mmdet")
    cfg = sample_config(train_dataloader__dataset__dataset__max_images=8)
    assert cfg.train_dataloader.collate_fn.type == "mmdetpre.parcel_collate"
    options = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": pin_memory}
    ours, plain = loader_of(cfg, **options), loader_of(cfg, collate_fn={"type": "pseudo_collate"})
    for epoch in range(2):
        ours.batch_sampler.sampler.set_epoch(epoch)
        plain.batch_sampler.sampler.set_epoch(epoch)
        assert equal(batches(ours), batches(plain))
    batch = next(iter(ours))
    assert type(batch) is dict and type(batch["data_samples"][0]) is DetDataSample


class Numbers(torch.utils.data.Dataset):
    """Numbered samples, with something that cannot be pickled if told so."""

    def __init__(self, bad=False):
        self.bad = bad

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return {"inputs": torch.full((2, 3), index), "more": (lambda: 0) if self.bad else index}


def test_what_cannot_be_sent_is_an_error_of_the_main_process():
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        list(DataLoader(Numbers(bad=True), 2, num_workers=1, collate_fn=parcel_collate))


@pytest.mark.parametrize(("collate", "files"), [(parcel_collate, 1), (pseudo_collate, 8)])
def test_a_batch_takes_one_file_of_shared_memory(collate, files):
    def opened():
        return {link for fd in folder.iterdir() if "/torch_" in (link := os.readlink(fd) if fd.is_symlink() else "")}

    folder = Path(f"/proc/{os.getpid()}/fd")
    if torch.multiprocessing.get_sharing_strategy() != "file_descriptor" or not folder.is_dir():
        pytest.skip("the files of shared memory cannot be counted here")
    before = opened()
    (batch,) = DataLoader(Numbers(), 8, num_workers=1, collate_fn=collate)
    assert len(opened() - before) == files
    assert [int(image[0, 0]) for image in batch["inputs"]] == batch["more"] == list(range(8))


def test_without_workers_nothing_is_packed():
    image = torch.ones(2)
    assert parcel_collate([{"inputs": image}])["inputs"][0] is image


def test_it_takes_the_samples_of_any_sampler(sample_config):
    init_default_scope("mmdet")
    loader = loader_of(sample_config(train_dataloader__dataset__dataset__max_images=4))
    assert isinstance(loader.batch_sampler.sampler, ChipMiningSampler) and loader.collate_fn.func is parcel_collate
