import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmdetpre.chips.mining import mine_image
from mmdetpre.datasets import ChipDataset, ChipRecord, TooManyBrokenImages
from mmdetpre.registry import DATASETS

CHIPS = {"scales": [(150, 200), (48, 64)], "valid_ranges": [(-1, 60), (40, -1)], "chip_size": 64, "strides": (8, 9)}
PIPELINE = [
    {"type": "mmdetpre.LoadChip"},
    {"type": "mmdet.RandomFlip", "prob": 0.5},
    {"type": "mmdetpre.PackChipInputs"},
]


def build(folder, **changes):
    config = {"type": "mmdetpre.ChipDataset", "dataset": folder.config(), "chips": CHIPS, "pipeline": PIPELINE}
    return DATASETS.build(config | changes)


def records(dataset):
    """All chips of all images."""
    packed, found = dataset.packed, []
    for i in range(len(packed)):
        if not packed.sizes[i].all():
            continue
        ignore = packed.ignore[packed.slice_of(i)]
        chips = mine_image(packed.sizes[i].tolist(), packed.boxes_of(i), dataset.chip_settings, ignore=ignore, image=i)
        for k in range(len(chips)):
            (x, y), (w, h) = chips.origin[k].tolist(), chips.size[k].tolist()
            found.append(ChipRecord(i, int(chips.scale[k]), x, y, w, h, chips.valid_of(k), 1000 * i + k))
    return found


def same(a, b):
    return torch.equal(a["inputs"], b["inputs"]) and torch.equal(
        a["data_samples"].gt_instances.bboxes.tensor, b["data_samples"].gt_instances.bboxes.tensor
    )


def test_a_record_becomes_a_sample(folder):
    dataset = build(folder)
    assert len(dataset) == 3 and dataset.metainfo["classes"] == ("Car", "Vehicle", "Cat")
    for record in records(dataset):
        sample = dataset[record]["data_samples"]
        assert dataset[record]["inputs"].shape == (3, record.height, record.width)
        assert len(sample.gt_instances) + len(sample.ignored_instances) <= len(dataset.packed.boxes_of(record.image))
        assert sample.chip == (record.x, record.y, record.width, record.height)
        lo, hi = sample.valid_range
        assert 0 <= lo < hi


def test_samples_depend_on_the_record_alone(folder):
    dataset = build(folder)
    some = [record._replace(seed=record.seed + k) for record in records(dataset) for k in range(4)]
    plain = [dataset[record] for record in some]
    assert {sample["data_samples"].flip for sample in plain} == {False, True}
    for workers in (1, 2):
        loaded = list(DataLoader(dataset, sampler=some[::-1], batch_size=None, num_workers=workers))
        assert all(same(a, b) for a, b in zip(plain, loaded[::-1], strict=True))


def test_torch_follows_the_record_in_workers_and_is_left_alone_elsewhere(folder):
    dataset = build(folder, pipeline=[lambda results: float(torch.rand(()))])
    some = [record._replace(seed=k % 3) for k, record in enumerate(records(dataset)[:2] * 3)]
    drawn = {
        workers: list(DataLoader(dataset, sampler=some, batch_size=None, num_workers=workers)) for workers in (1, 2)
    }
    assert drawn[1] == drawn[2] == drawn[1][:3] * 2 and len(set(drawn[1])) == 3
    torch.manual_seed(5)
    expected = float(torch.rand(()))
    torch.manual_seed(5)
    assert dataset[some[0]] == expected


def test_it_can_be_sent_to_a_spawned_worker(folder):
    dataset = build(folder)
    again = pickle.loads(pickle.dumps(dataset))
    record = records(dataset)[0]
    assert same(dataset[record], again[record])


def test_an_index_is_refused_with_the_line_to_change(folder):
    with pytest.raises(TypeError, match="mmdetpre.ChipMiningSampler"):
        build(folder)[0]


def test_lazy_init_reads_nothing(folder):
    folder.csv.rename(folder.csv.with_suffix(".away"))
    dataset = build(folder, dataset=folder.config(lazy_init=True), lazy_init=True)
    with pytest.raises(FileNotFoundError):
        dataset.full_init()


def test_valid_ranges_must_match_the_scales(folder):
    with pytest.raises(ValueError, match="2 scales but 1 valid_ranges"):
        build(folder, chips=CHIPS | {"valid_ranges": [(-1, -1)]})


def test_an_unknown_setting_lists_those_that_exist(folder):
    with pytest.raises(ValueError, match="no setting scale: choose from scales, valid_ranges"):
        build(folder, chips=CHIPS | {"scale": [(-1, 512)]})


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "other size"])
def test_a_broken_image_is_named_and_replaced(folder, openimages_files, damage):
    dataset = build(folder)
    broken, record = folder.images / "b.jpg", next(r for r in records(dataset) if r.image == 1)
    data = broken.read_bytes()
    if damage == "missing":
        broken.unlink()
    else:
        other = openimages_files.encoded(openimages_files.picture(50, 50))
        broken.write_bytes({"truncated": data[: len(data) // 2], "text": b"no image", "other size": other}[damage])
    sample = dataset[record]
    assert sample["data_samples"].img_id == "c" and dataset.broken_images.examples() == [str(broken)]
    assert same(sample, dataset[record]) and dataset.broken_images.count() == 1


@pytest.mark.parametrize(("mode", "options"), [("L", {}), ("CMYK", {})])
def test_grayscale_and_cmyk_photos_are_loaded(folder, openimages_files, mode, options):
    image = openimages_files.picture(200, 100).convert(mode)
    (folder.images / "a.jpg").write_bytes(openimages_files.encoded(image))
    dataset = build(folder)
    assert dataset[records(dataset)[0]]["inputs"].shape[0] == 3 and dataset.broken_images.count() == 0


def test_too_many_broken_images_stop_the_run(folder):
    dataset = build(folder, max_broken=1)
    for photo in folder.images.iterdir():
        photo.write_bytes(b"")
    with pytest.raises(TooManyBrokenImages, match="2 of 3 images are broken.*max_broken=1"):
        dataset[records(dataset)[0]]


def test_a_worker_passes_the_error_on(folder):
    dataset = build(folder, max_broken=0)
    for photo in folder.images.iterdir():
        photo.write_bytes(b"")
    with pytest.raises(TooManyBrokenImages, match="max_broken=0"):
        list(DataLoader(dataset, sampler=records(dataset)[:1], batch_size=None, num_workers=1))


def test_when_nothing_is_left_the_run_stops(folder):
    dataset = build(folder, max_broken=100)
    for photo in folder.images.iterdir():
        photo.write_bytes(b"")
    with pytest.raises(TooManyBrokenImages, match="No image is left|None of the"):
        dataset[records(dataset)[0]]


def test_a_pipeline_that_drops_a_sample_is_named(folder):
    dataset = build(folder, pipeline=[*PIPELINE[:1], lambda results: None])
    with pytest.raises(RuntimeError, match="dropped the chip"):
        dataset[records(dataset)[0]]


def test_real_photos_of_coco(shared_data):
    root = shared_data / "coco_tiny"
    coco = {
        "type": "mmdet.CocoDataset",
        "data_root": str(root),
        "ann_file": "annotations/instances_train2017.json",
        "data_prefix": {"img": "train2017/"},
    }
    chips = {"scales": [(800, 1280), (-1, 512)], "valid_ranges": [(-1, 150), (120, -1)]}
    dataset = ChipDataset(coco, chips, PIPELINE)
    some = records(dataset)
    assert len(dataset) == 80 and len(some) > 80
    for record in some[::7]:
        sample = dataset[record]
        assert sample["inputs"].shape == (3, record.height, record.width)
        boxes = sample["data_samples"].gt_instances.bboxes.tensor.numpy()
        assert len(boxes) == len(record.valid)
        assert (boxes[:, 2:] <= np.array([record.width, record.height]) + 1e-3).all() and (boxes >= 0).all()
    assert dataset.broken_images.count() == 0
