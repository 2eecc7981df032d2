"""An epoch of chips is the same one, bit by bit, wherever the images lie and however many workers load it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmdetpre.datasets import ChipBatchSampler, ChipMiningSampler, TooManyBrokenImages, parcel_collate
from mmdetpre.datasets.pack_images import pack_folder
from mmdetpre.registry import DATASETS
from mmdetpre.storage.retry import StorageError
from mmdetpre.utils.read_config import set_image_backend

QUICK = {"retries": 2, "first_wait": 0.001, "timeout": 5}
PREFIX = "train_dataloader.dataset.dataset"


@pytest.fixture
def make(sample_config, tmp_path):
    """Function that builds the sample's chips with images read by ``img_backend_args``."""

    def build(args=None, **changes):
        cfg = sample_config(**{f"{PREFIX}.cache_dir": str(tmp_path / "tables"), **changes})
        cfg.img_backend_args = args
        set_image_backend(cfg)
        with DefaultScope.overwrite_default_scope("mmdet"):
            return DATASETS.build(cfg.train_dataloader.dataset)

    return build


def epoch(dataset, workers):
    sampler = ChipBatchSampler(ChipMiningSampler(dataset, seed=0), 4)
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=workers, collate_fn=parcel_collate)
    return [batch for _, batch in zip(range(5), loader, strict=False)]


def same(one, other):
    return len(one) == len(other) and all(
        all(map(torch.equal, a["inputs"], b["inputs"]))
        and all(
            torch.equal(x.gt_instances.bboxes.tensor, y.gt_instances.bboxes.tensor)
            and x.img_id == y.img_id
            and x.chip == y.chip
            for x, y in zip(a["data_samples"], b["data_samples"], strict=True)
        )
        for a, b in zip(one, other, strict=True)
    )


def images_of(dataset):
    return Path(dataset.packed.path(0)).parent


@pytest.mark.slow
def test_samples_are_the_same_from_everywhere_by_any_workers(make, far, bucket, tmp_path):
    expected = epoch(make(), 0)
    images = images_of(make())
    _, root = pack_folder(images, tmp_path / "shards", per_shard=7)
    pack_folder(images, far.folder / "shards", per_shard=7)
    (far.folder / "images").symlink_to(images)
    tar = {"backend": "mmdetpre.TarShards", "root": root, "cache_dir": str(tmp_path / "cache"), **QUICK}
    remote = {"backend": "mmdetpre.Remote", **QUICK}
    places = {
        "folder": (None, {}),
        "tar": (tar | {"shards": str(tmp_path / "shards")}, {}),
        "tar over http, cached": (tar | {"shards": far.at("shards"), "cache_gb": 0.1}, {}),
        "tar on S3": (tar | {"shards": bucket(tmp_path / "shards")}, {}),
        "http": (remote, {f"{PREFIX}.data_prefix.img": far.at("images/")}),
        "S3": (remote, {f"{PREFIX}.data_prefix.img": f"{bucket(images)}/"}),
    }
    for name, (args, changes) in places.items():
        dataset = make(args, **changes)
        for workers in (0, 2):
            assert same(epoch(dataset, workers), expected), f"{name}, {workers} workers"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_busy_server_is_waited_for_and_counts_no_broken_image(make, far, workers):
    (far.folder / "images").symlink_to(images_of(make()))
    changes = {f"{PREFIX}.data_prefix.img": far.at("images/")}
    dataset, again, never = (make({"backend": "mmdetpre.Remote", **QUICK}, **changes) for _ in range(3))  # none decoded
    expected = epoch(dataset, 0)
    names = [f"images/{dataset.packed.names[i]}.jpg" for i in range(len(dataset))]
    far.faults |= {name: [503, "cut"] for name in names}
    assert same(epoch(again, workers), expected) and again.broken_images.count() == 0
    assert any(not left for left in far.faults.values()), "the server was busy"
    far.faults |= {name: [503] * 99 for name in names}
    with pytest.raises(StorageError, match=r"images/\w+.jpg could not be read in 3 tries .*status 503"):
        epoch(never, workers)
    assert never.broken_images.count() == 0


def test_an_image_that_is_gone_counts_as_broken(make, far, tmp_path):
    images = images_of(make())
    (far.folder / "images").mkdir()
    for path in images.iterdir():
        (far.folder / "images" / path.name).write_bytes(path.read_bytes())
    changes = {f"{PREFIX}.data_prefix.img": far.at("images/"), "train_dataloader.dataset.max_broken": 3}
    dataset = make({"backend": "mmdetpre.Remote", **QUICK}, **changes)
    record = next(iter(ChipMiningSampler(dataset, seed=0)))
    (far.folder / "images" / f"{dataset.packed.names[record.image]}.jpg").unlink()
    dataset[record]
    assert dataset.broken_images.count() == 1
    for path in (far.folder / "images").iterdir():
        path.unlink()
    with pytest.raises(TooManyBrokenImages):
        dataset[record]
