"""The sampler: what an epoch is made of, how ranks share it, and how it goes on after an interruption."""

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mmdetpre.datasets import ChipDataset, ChipMiningSampler
from mmdetpre.datasets.chips import sampler as chip_mining_sampler
from mmdetpre.datasets.packed.annotations import IGNORE
from mmdetpre.sample import make_sample


@pytest.fixture
def dataset(sample_config):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    return ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline)


def keys(records):
    return [(r.image, r.scale, r.x, r.y, r.width, r.height, tuple(r.valid), r.seed) for r in records]


def test_epoch_holds_every_chip_once_in_seeded_order(dataset):
    sampler = ChipMiningSampler(dataset, seed=3)
    records = keys(sampler)
    assert len(sampler) == len(records) == len(sampler.table)
    assert len(set(records)) == len(records)
    assert records == keys(ChipMiningSampler(dataset, seed=3))
    assert records != keys(ChipMiningSampler(dataset, seed=4))
    in_order = keys(ChipMiningSampler(dataset, seed=3, shuffle=False))
    assert records != in_order
    assert sorted(r[:6] for r in records) == sorted(r[:6] for r in in_order)


def test_epochs_differ_and_can_be_revisited(dataset):
    sampler = ChipMiningSampler(dataset, seed=3)
    first = keys(sampler)
    sampler.set_epoch(1)
    second = keys(sampler)
    sampler.set_epoch(0)
    assert keys(sampler) == first
    assert first != second


def test_every_box_in_a_valid_range_is_valid_in_a_chip(dataset):
    seen = {(r.image, int(box)) for r in ChipMiningSampler(dataset, seed=0) for box in r.valid}
    packed = dataset.packed
    sizes = packed.boxes[:, 2:] - packed.boxes[:, :2]
    image = np.repeat(np.arange(len(packed)), np.diff(packed.box_offsets))
    within = np.arange(len(packed.boxes)) - packed.box_offsets[image]
    wanted = ((packed.flags & IGNORE) == 0) & (sizes.min(axis=1) >= 2)
    assert {(int(i), int(b)) for i, b in zip(image[wanted], within[wanted], strict=True)} <= seen


def test_resumed_epoch_is_the_rest_of_it(dataset):
    whole = keys(ChipMiningSampler(dataset, seed=3))
    sampler = ChipMiningSampler(dataset, seed=99)
    sampler.resume(epoch=0, chips_seen=10, seed=3)
    sampler.set_epoch(0)
    assert keys(sampler) == whole[10:]
    assert len(sampler) == len(whole) - 10
    sampler.set_epoch(1)
    fresh = ChipMiningSampler(dataset, seed=3)
    fresh.set_epoch(1)
    assert keys(sampler) == keys(fresh)


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize("seen", [(0, 0), (0, 7), (1, -1), (1, 0), (1, 4)])
def test_resumed_ranks_of_another_number_share_the_rest_evenly(dataset, world_size, seen):
    whole = keys(ChipMiningSampler(dataset, seed=3))
    start = seen[0] * len(whole) + seen[1]
    ranks = []
    for rank in range(world_size):
        sampler = ChipMiningSampler(dataset, seed=3)
        sampler.rank, sampler.world_size = rank, world_size
        sampler.resume(epoch=0, chips_seen=start, seed=3)
        ranks.append(keys(sampler))
        assert len(sampler) == len(ranks[-1])
    rest = whole[start:]
    fill = -len(rest) % world_size
    assert [record for turn in zip(*ranks, strict=True) for record in turn] == rest + whole[:fill]


@pytest.mark.parametrize(("ranks", "threads"), [(None, 12), ("1", 12), ("5", 2), ("64", 1)])
def test_ranks_of_a_machine_share_its_cores(dataset, monkeypatch, ranks, threads):
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    if ranks is not None:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", ranks)
    used, mine = [], chip_mining_sampler.mine_chips
    monkeypatch.setattr(chip_mining_sampler, "available_cores", lambda: 12)
    monkeypatch.setattr(
        chip_mining_sampler,
        "mine_chips",
        lambda *args, threads, **options: used.append(threads) or mine(*args, threads=1, **options),
    )
    assert len(ChipMiningSampler(dataset, seed=0)) and used == [threads]


def test_needs_a_chip_dataset():
    with pytest.raises(TypeError, match="mmdetpre.ChipDataset"):
        ChipMiningSampler([1, 2, 3])


def test_no_chip_at_all_suggests_the_report(sample_config):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    settings = dict(
        chip_size=128, scales=[(120, 128)], valid_ranges=[(5000, -1)], strides=(14, 15), rescue_orphans=False
    )
    sampler = ChipMiningSampler(ChipDataset(cfg.dataset, settings, cfg.pipeline), seed=0)
    with pytest.raises(ValueError, match="--propose"):
        len(sampler)


def _rank(rank, address, dataset, queue):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    sampler = ChipMiningSampler(dataset, seed=3)
    queue.put((rank, len(sampler), keys(sampler)))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_two_gloo_ranks_share_the_chips_of_one(dataset, tmp_path):
    single = keys(ChipMiningSampler(dataset, seed=3))
    context = torch.multiprocessing.get_context("fork")
    queue = context.Queue()
    address = f"file://{tmp_path}/store"
    workers = [context.Process(target=_rank, args=(rank, address, dataset, queue)) for rank in range(2)]
    for worker in workers:
        worker.start()
    ranks = {rank: (length, records) for rank, length, records in (queue.get(timeout=60) for _ in workers)}
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    (length, first), (other, second) = ranks[0], ranks[1]
    assert length == other == len(first) == len(second) == (len(single) + 1) // 2
    assert set(first) | set(second) == set(single)
    assert len(set(first) & set(second)) == len(single) % 2
    assert [record for pair in zip(first, second, strict=True) for record in pair][: len(single)] == single


def test_a_scale_without_chips_is_named(sample_config, monkeypatch):
    init_default_scope("mmdet")
    cfg = sample_config().train_dataloader.dataset
    settings = dict(cfg.chips) | dict(valid_ranges=[(-1, 1.5), (0, -1)])
    texts = []
    monkeypatch.setattr("mmdetpre.datasets.chips.sampler.print_log", lambda text, **_: texts.append(text))
    len(ChipMiningSampler(ChipDataset(cfg.dataset, settings, cfg.pipeline), seed=0))
    assert any("Scale (192, 256) gives no chip" in text for text in texts)


def test_missing_and_broken_photos_do_not_stop_an_epoch(sample_config, tmp_path):
    """One photo is missing and one is damaged before the table is built, a third breaks afterwards."""
    root = make_sample(tmp_path / "sample", train=12, validation=1, progress=False)
    photos = sorted((root / "OpenImages" / "train").glob("*.jpg"))
    photos[3].unlink()
    photos[5].write_bytes(b"no image")
    init_default_scope("mmdet")
    cfg = sample_config(train_dataloader__dataset__dataset__data_root=f"{root}/").train_dataloader.dataset
    cfg.dataset.max_unreadable = 0.5
    dataset = ChipDataset(cfg.dataset, cfg.chips, cfg.pipeline, max_broken=1)
    sampler = ChipMiningSampler(dataset, seed=0)
    photos[7].write_bytes(photos[7].read_bytes()[:2000])
    images = [sample["data_samples"].img_path for sample in map(dataset.__getitem__, sampler)]
    assert len(images) == len(sampler)
    assert not {str(photos[i]) for i in (3, 5, 7)} & set(images)
    assert dataset.broken_images.count() == 1
