"""Batches in lanes: same chips for any workers and ranks, each image decoded once, exact resume."""

import logging
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from mmdetpre.chips.chip_table import ChipTable
from mmdetpre.chips.lanes import LaneLayout
from mmdetpre.datasets import ChipBatchSampler, ChipDataset, ChipMiningSampler
from mmdetpre.datasets.parcel import parcel_collate
from mmdetpre.datasets.transforms import load_chip
from mmdetpre.sample import make_sample

SMALL = {"lanes": 2, "window": 4}


@pytest.fixture
def dataset(sample_config):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    return ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline)


def batches_of(dataset, batch_size=4, rank=0, world_size=1, **options):
    sampler = ChipMiningSampler(dataset, seed=3)
    sampler.rank, sampler.world_size = rank, world_size
    return ChipBatchSampler(sampler, batch_size, **(SMALL | options))


def keys(batches):
    return [[(r.image, r.scale, r.x, r.y, tuple(r.valid), r.seed) for r in batch] for batch in batches]


def flat(batches):
    return [key for batch in batches for key in batch]


def test_an_epoch_holds_every_chip_once(dataset):
    batches = batches_of(dataset)
    found = keys(batches)
    assert len(batches) == len(found) and {len(batch) for batch in found[:-1]} == {4}
    chips = {key[:4] for key in flat(found)}
    assert len(flat(found)) == len(chips) == len(batches.sampler.table)
    assert chips == {(r.image, r.scale, r.x, r.y) for r in ChipMiningSampler(dataset, seed=3)}
    batches.sampler.set_epoch(1)
    assert keys(batches) != found
    batches.sampler.set_epoch(0)
    assert keys(batches) == found == keys(batches_of(dataset))


def test_records_say_what_is_decoded_and_kept(dataset):
    seen = [r for batch in batches_of(dataset, lanes=1) for r in batch]
    left = Counter(r.image for r in seen)
    finest = {image: min(r.scale for r in seen if r.image == image) for image in left}
    for record in seen:
        left[record.image] -= 1
        assert record.keep == (left[record.image] > 0) and record.finest == finest[record.image]


@pytest.mark.parametrize("world_size", [2, 3, 5])
@pytest.mark.parametrize("options", [{}, {"drop_last": True}, {"batch_size": 1}, {"lanes": 8, "window": 128}])
def test_ranks_get_equal_batches(dataset, world_size, options):
    ranks = [batches_of(dataset, rank=rank, world_size=world_size, **options) for rank in range(world_size)]
    found = [keys(rank) for rank in ranks]
    assert len({tuple(map(len, rank)) for rank in found}) == 1 and {len(rank) for rank in ranks} == {len(found[0])}
    counts, total = Counter(key[:4] for rank in found for key in flat(rank)), len(ranks[0].sampler.table)
    if options.get("drop_last"):
        assert {len(batch) for batch in found[0]} == {4} and 0 <= total - len(counts) < 4 * world_size
    else:
        assert len(counts) == total and sum(counts.values()) - total < world_size


def test_drop_last_leaves_the_smaller_batch_out(dataset):
    whole, dropped = batches_of(dataset), batches_of(dataset, drop_last=True)
    total = len(whole.sampler.table)
    assert total % 4
    assert keys(dropped) == keys(whole)[:-1] and len(dropped) == len(whole) - 1 == total // 4


@pytest.mark.parametrize("at", [1, 5, -1])
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_resumed_epoch_is_the_rest_of_it(dataset, at, world_size):
    whole = batches_of(dataset, rank=world_size - 1, world_size=world_size)
    expected, at = keys(whole), at % len(whole)
    again = batches_of(dataset, rank=world_size - 1, world_size=world_size)
    again.sampler.seed = 99
    again.sampler.resume(epoch=0, chips_seen=at * 4 * world_size, seed=3)
    again.resume(whole.layout)
    assert keys(again) == expected[at:] and len(again) == len(expected) - at
    again.sampler.set_epoch(1)
    whole.sampler.set_epoch(1)
    assert keys(again) == keys(whole)


@pytest.mark.parametrize(("batch_size", "world_size"), [(4, 1), (4, 3), (3, 2)])
def test_another_number_of_ranks_finishes_the_epoch_in_its_order(dataset, batch_size, world_size):
    before = [batches_of(dataset, rank=rank, world_size=2) for rank in range(2)]
    steps = list(zip(*(keys(rank) for rank in before), strict=True))
    rest = flat(flat(steps[2:]))
    total = len(before[0].sampler.table)
    rest = rest[: total - 16]  # without what filled up the last step
    ranks = [batches_of(dataset, batch_size, rank, world_size, lanes=4, window=9) for rank in range(world_size)]
    for rank in ranks:
        rank.sampler.resume(epoch=0, chips_seen=16, seed=3)
        rank.resume(before[0].layout)
        assert rank.layout == LaneLayout(2, 4, 4, 2), "what the next checkpoint of this epoch has to name"
    found = [keys(rank) for rank in ranks]
    assert len({tuple(map(len, rank)) for rank in found}) == 1
    assert flat(flat(zip(*found, strict=True)))[: len(rest)] == rest
    assert len(flat(flat(found))) - len(rest) < world_size
    for rank in ranks:
        rank.sampler.set_epoch(1)
        assert rank.layout == LaneLayout(4, 9, batch_size, world_size)


def test_an_epoch_begun_without_lanes_is_finished_without(dataset):
    sampler = ChipMiningSampler(dataset, seed=3)
    plain = keys([list(sampler)])[0]
    batches = batches_of(dataset)
    batches.sampler.resume(epoch=0, chips_seen=8, seed=3)
    batches.resume(None)
    assert flat(keys(batches)) == plain[8:] and len(batches) == -(-(len(plain) - 8) // 4)


def test_without_shuffling_the_samplers_order_is_kept(dataset):
    sampler = ChipMiningSampler(dataset, seed=3, shuffle=False)
    batches = ChipBatchSampler(sampler, 4, drop_last=True)
    assert flat(keys(batches)) == keys([list(sampler)])[0][: 4 * len(batches)]


def test_negative_chips_share_the_images_of_the_positive_ones(dataset, monkeypatch):
    class Mined:
        """One negative chip for each third positive one, behind all of these."""

        def __init__(self, table):
            rows = slice(None, None, 3)
            columns = (getattr(table, name)[rows].copy() for name in ("image", "scale", "origin", "size"))
            count = len(table.image[rows])
            self.chips = ChipTable(*columns, np.zeros(count + 1, np.int64), np.zeros(0, np.int32), np.ones(count, bool))

    monkeypatch.setattr(dataset, "negative_chips", lambda table, **_: Mined(table))
    batches = batches_of(dataset, lanes=1)
    records = [record for batch in batches for record in batch]
    table = batches.sampler.table
    assert table.negative.any() and len(records) == len(table)
    assert len(set(flat(keys([records])))) == len(table)
    left = Counter(record.image for record in records)
    for record in records:
        left[record.image] -= 1
        assert record.keep == (left[record.image] > 0)


def load(dataset, workers, **options):
    """Samples of an epoch, and how often images were decoded."""
    batches = batches_of(dataset, **options)
    count = torch.zeros(1, dtype=torch.int64).share_memory_()
    decode = load_chip.decode_image

    def counted(*arguments):
        count.add_(1)
        return decode(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_chip, "decode_image", counted)
        loader = DataLoader(dataset, batch_sampler=batches, num_workers=workers, collate_fn=parcel_collate)
        found = [
            (image, sample.gt_instances.bboxes.tensor, sample.ignored_instances.bboxes.tensor, sample.metainfo)
            for batch in loader
            for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
        ]
    return found, int(count)


def same(one, other):
    return len(one) == len(other) and all(
        all(map(torch.equal, a[:3], b[:3])) and a[3] == b[3] for a, b in zip(one, other, strict=True)
    )


def test_images_are_decoded_once_by_any_workers_that_divide_the_lanes(dataset):
    expected, decoded = load(dataset, 0)
    shown = len({meta["img_path"] for *_, meta in expected})
    assert shown <= decoded <= shown + 1, "the image at the seam of the two lanes is decoded twice"
    loaded, twice = load(dataset, 2)
    assert same(loaded, expected) and shown <= twice <= shown + 1
    loaded, more = load(dataset, 3)
    assert same(loaded, expected) and shown + 1 < more < len(expected)


def test_samples_are_those_of_images_decoded_anew(dataset):
    expected, decoded = load(dataset, 0)
    dataset.pipeline.transforms[0].decoded.megabytes = 0
    anew, often = load(dataset, 0)
    assert same(anew, expected) and often == len(expected) > decoded


def test_broken_images_are_replaced_alike_by_any_workers(sample_config, tmp_path):
    root = make_sample(tmp_path / "sample", train=16, validation=1, progress=False)
    init_default_scope("mmdet")
    cfg = sample_config(train_dataloader__dataset__dataset__data_root=f"{root}/").train_dataloader.dataset
    built = [ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline, max_broken=5) for _ in range(3)]
    photos = sorted((root / "OpenImages" / "train").glob("*.jpg"))
    photos[7].write_bytes(photos[7].read_bytes()[:2000])
    photos[2].write_bytes(b"")
    photos[3].unlink()
    logging.disable(logging.WARNING)
    try:
        found = [load(dataset, workers)[0] for dataset, workers in zip(built, (0, 2, 3), strict=True)]
    finally:
        logging.disable(logging.NOTSET)
    assert same(found[1], found[0]) and same(found[2], found[0])
    assert not {str(photos[i]) for i in (2, 3, 7)} & {meta["img_path"] for *_, meta in found[0]}
    assert [dataset.broken_images.count() for dataset in built] == [3, 3, 3]


@pytest.mark.parametrize("name", ["batch_size", "lanes", "window"])
def test_numbers_below_one_are_refused(dataset, name):
    with pytest.raises(ValueError, match=f"{name}=0 of ChipBatchSampler"):
        batches_of(dataset, **{name: 0})


def test_another_sampler_is_refused():
    with pytest.raises(TypeError, match="mmdetpre.ChipMiningSampler"):
        ChipBatchSampler(range(4), 2)
