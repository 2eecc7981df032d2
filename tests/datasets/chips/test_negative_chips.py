"""Negative chips in training: from a folder of proposals to samples and losses."""

import pickle

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmdetpre.chips.negative_settings import NegativeSettings
from mmdetpre.compat.toolbox_commands import toolbox_name
from mmdetpre.datasets import ChipDataset, ChipMiningSampler
from mmdetpre.datasets.chips import sampler as chip_mining_sampler
from mmdetpre.datasets.proposals.writer import ProposalsWriter, begin_proposals, finish_proposals, write_origin
from mmdetpre.registry import DATASETS
from mmdetpre.visualization.chip_views import chip_views

COMMAND = f"mim test {toolbox_name('mmdet')}"
NEGATIVES = dict(finest_threshold=8, other_threshold=4)


def write_proposals(out, packed, per_image=60):
    """Random proposals of every image, in reverse order."""
    rng = np.random.default_rng(0)
    part = begin_proposals(out)
    writer, entries = ProposalsWriter(part), []
    for i in reversed(range(len(packed))):
        extent = packed.sizes[i].astype(float)
        corner = rng.uniform(0, 0.8, (per_image, 2)) * extent
        boxes = np.concatenate([corner, corner + rng.uniform(8, 40, (per_image, 2))], axis=1)
        entries.append(writer.add(packed.path(i), packed.sizes[i], boxes, np.linspace(1, 0, per_image)))
    writer.close()
    return finish_proposals(part, out, entries)


@pytest.fixture
def config(sample_config):
    init_default_scope("mmdet")
    return sample_config()


@pytest.fixture
def proposals(config, tmp_path):
    data = config.train_dataloader.dataset
    write_proposals(tmp_path / "proposals", ChipDataset(data.dataset, data.chips, data.pipeline).packed)
    return tmp_path / "proposals"


def build(config, **options):
    data = config.train_dataloader.dataset
    return ChipDataset(data.dataset, data.chips, data.pipeline, **options)


def keys(records):
    return [(r.image, r.scale, r.x, r.y, r.width, r.height, tuple(r.valid), r.seed) for r in records]


def test_negative_chips_join_the_positive_ones(config, proposals, monkeypatch):
    texts = []
    monkeypatch.setattr(chip_mining_sampler, "print_log", lambda text, **_: texts.append(text))
    plain = ChipMiningSampler(build(config), seed=3, shuffle=False).table
    sampler = ChipMiningSampler(build(config, proposals=proposals, negatives=NEGATIVES), seed=3, shuffle=False)
    table, records = sampler.table, keys(sampler)
    negative = int(table.negative.sum())
    assert negative > 5 and len(records) == len(table) == len(plain) + negative
    assert not table.negative[: len(plain)].any() and table.negative[len(plain) :].all()
    np.testing.assert_array_equal(table.origin[: len(plain)], plain.origin)
    assert np.bincount(table.image[table.negative]).max() <= 2
    assert any(f"and {negative} negative ones from" in text for text in texts)


def test_one_key_gives_the_papers_thresholds(config, proposals):
    given, default = build(config, proposals=proposals, negatives=dict()), build(config, proposals=proposals)
    assert given.negative_settings == default.negative_settings == NegativeSettings(25, 10, 2)


@pytest.mark.parametrize("layout", ["coco", "voc"])
def test_a_run_without_proposals_says_so_once(repository, layout, tiny_coco, tiny_voc, tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(chip_mining_sampler, "print_log", lambda text, **_: texts.append(text))
    init_default_scope("mmdet")
    cfg = Config.fromfile(repository / "configs" / "det" / f"sniper_{layout}_sample.py")
    root = {"coco": tiny_coco, "voc": tiny_voc / "VOCdevkit"}[layout]
    cfg.train_dataloader.dataset.dataset.data_root = f"{root}/"
    key = "train_dataloader.dataset.proposals"
    sampler = ChipMiningSampler(DATASETS.build(cfg.train_dataloader.dataset), seed=0)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert not sampler.table.negative.any()
    (said,) = [text for text in texts if "egative" in text]
    assert said.startswith("Training without negative chips. The paper's detectors") and f"{key}=FOLDER" in said

    texts.clear()
    write_proposals(tmp_path / "proposals", sampler.dataset.packed, per_image=200)
    write_origin(tmp_path / "proposals", {"run": "proposals/voc/coco"})
    cfg.merge_from_dict({key: str(tmp_path / "proposals")})  # one key, as --cfg-options sets it
    sampler = ChipMiningSampler(DATASETS.build(cfg.train_dataloader.dataset), seed=0)
    assert sampler.table.negative.any()
    assert texts[0].startswith("Negative chips are mined with the ") and "(run proposals/voc/coco)" in texts[0]


def test_data_that_the_paper_trains_without_negative_chips_are_silent(config, monkeypatch):
    texts = []
    monkeypatch.setattr(chip_mining_sampler, "print_log", lambda text, **_: texts.append(text))
    assert len(ChipMiningSampler(build(config), seed=0).table)
    assert not any("egative" in text for text in texts)


def test_epochs_follow_from_seed_and_epoch_also_when_resumed(config, proposals):
    def sampler(seed=3):
        dataset = build(config, proposals=str(proposals), negatives=dict(NEGATIVES, neg_exclude_gt=True))
        return ChipMiningSampler(pickle.loads(pickle.dumps(dataset)), seed=seed)

    first, again = sampler(), sampler()
    whole = keys(first)
    assert whole == keys(again)
    first.set_epoch(1)
    assert whole != keys(first)
    ranks = []
    for rank in range(2):
        resumed = sampler(seed=99)
        resumed.rank, resumed.world_size = rank, 2
        resumed.resume(epoch=0, chips_seen=10, seed=3)
        ranks.append(keys(resumed))
    rest = whole[10:]
    assert [r for turn in zip(*ranks, strict=True) for r in turn] == rest + whole[: -len(rest) % 2]


def test_boxes_in_a_negative_chip_are_ignored_or_learned(config, proposals):
    for exclude in (False, True):
        dataset = build(config, proposals=proposals, negatives=dict(NEGATIVES, neg_exclude_gt=exclude))
        sampler = ChipMiningSampler(dataset, seed=3, shuffle=False)
        records = [r for r, negative in zip(sampler, sampler.table.negative, strict=True) if negative]
        samples = [dataset[record]["data_samples"] for record in records]
        assert all(len(s.gt_instances) <= len(r.valid) for s, r in zip(samples, records, strict=True))
        assert any(len(s.ignored_instances) for s in samples)
        if exclude:
            assert not any(len(s.gt_instances) for s in samples)


def test_a_batch_of_negative_chips_without_any_box_trains(config, proposals):
    dataset = build(config, proposals=proposals, negatives=dict(NEGATIVES, neg_exclude_gt=True))
    sampler = ChipMiningSampler(dataset, seed=3, shuffle=False)
    records = [r for r, negative in zip(sampler, sampler.table.negative, strict=True) if negative][:4]
    torch.manual_seed(0)
    model = MODELS.build(config.model).train()
    model.init_weights()
    data = model.data_preprocessor(pseudo_collate([dataset[record] for record in records]), True)
    assert sum(len(sample.gt_instances) for sample in data["data_samples"]) == 0
    losses = model.loss(data["inputs"], data["data_samples"])
    total = sum(value for name, value in losses.items() if "loss" in name)
    assert torch.isfinite(total) and losses["loss_rpn_cls"] > 0 and losses["loss_cls"] > 0
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_thresholds_that_no_chip_meets_are_named(config, proposals, monkeypatch):
    texts = []
    monkeypatch.setattr(chip_mining_sampler, "print_log", lambda text, **_: texts.append(text))
    negatives = dict(finest_threshold=1000, other_threshold=1000)
    sampler = ChipMiningSampler(build(config, proposals=proposals, negatives=negatives), seed=3)
    assert not sampler.table.negative.any()
    assert any("No negative chip was found" in text for text in texts)


def test_the_views_of_an_image_show_its_negative_chips(config, proposals):
    dataset = build(config, proposals=proposals, negatives=NEGATIVES)
    table = ChipMiningSampler(dataset, seed=3, shuffle=False).table
    for image in range(6):
        mine = table.image == image
        views = chip_views(dataset, image, seed=3)
        assert [view.negative for view in views] == table.negative[mine].tolist()
        assert [view.scale for view in views] == table.scale[mine].tolist()


@pytest.mark.parametrize(
    "options, message",
    [
        (dict(negatives=dict()), f"negatives without proposals.*{COMMAND}"),
        (dict(proposals="work_dirs/none"), "no folder of proposals at work_dirs/none"),
        (dict(proposals="p", negatives="{}"), "negatives is '{}', expected a dict.*negatives.max_per_image="),
        (dict(proposals="p", negatives=dict(threshold=3)), "negatives has no setting threshold: choose from finest_"),
        (dict(proposals="p", negatives=dict(other_threshold=-3)), "other_threshold of the negative chips is -3"),
    ],
)
def test_bad_settings_are_named(config, options, message):
    with pytest.raises(ValueError, match=message):
        build(config, **options)


def test_proposals_of_another_data_set_are_refused(config, proposals, sample_config, tmp_path):
    from mmdetpre.sample import make_sample

    root = make_sample(tmp_path / "other", train=30, validation=1, seed=5, progress=False)
    other = sample_config(train_dataloader__dataset__dataset__data_root=f"{root}/")
    with pytest.raises(ValueError, match=f"made on another data set: .*{COMMAND}"):
        build(other, proposals=proposals, negatives=NEGATIVES)
