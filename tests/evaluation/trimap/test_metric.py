from __future__ import annotations

import csv
import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmseg.datasets import PascalVOCDataset
from mmseg.evaluation import IoUMetric
from mmseg.registry import DATASETS
from PIL import Image

from mmdetpre.evaluation.trimap import metric as trimap_metric
from mmdetpre.evaluation.trimap.counts import count_image
from mmdetpre.evaluation.trimap.metric import TrimapIoUMetric
from mmdetpre.registry import METRICS

CLASSES = ("background", "cat", "dog")
FIELDS = ("pred_sem_seg", "gt_sem_seg")
VOC = PascalVOCDataset.METAINFO["classes"]


def written_runs(path):
    """The runs in a file, by the keys that files of earlier versions have too."""
    return json.loads(Path(path).read_text())["runs"]


def sample(truth, prediction, name="a.jpg"):
    """A data sample as a test loop hands it to a metric."""
    fields = {"gt_sem_seg": truth, "pred_sem_seg": prediction}
    return {"img_path": name} | {key: {"data": torch.tensor(np.array(value))[None]} for key, value in fields.items()}


def evaluate(metric, samples, classes=CLASSES, size=None):
    metric.dataset_meta = {"classes": classes}
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples) if size is None else size)


def drawn(number, seed=0, void=0.1):
    random = np.random.default_rng(seed)
    samples = []
    for i in range(number):
        truth = random.integers(0, 3, (20 + i, 30)).repeat(2, axis=1)
        truth[random.random(truth.shape) < void] = 255
        samples.append(sample(truth, random.integers(0, 3, truth.shape), f"{i}.jpg"))
    return samples


@pytest.fixture(scope="module")
def voc_samples(shared_data):
    samples = []
    for i, path in enumerate(sorted((shared_data / "voc2012/VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))):
        truth = np.array(Image.open(path), np.int64)
        moved = np.roll(truth, (i % 9 - 4, 7), (0, 1))
        samples.append(sample(truth, np.where(moved == 255, i % 21, moved), path.name))
    assert len(samples) == 62
    return samples


def test_an_infinite_band_is_mmsegs_metric_bit_for_bit(voc_samples):
    metric = METRICS.build({"type": "mmdetpre.TrimapIoUMetric", "widths": [1, 3, 8000]})
    ours, theirs = evaluate(metric, voc_samples, VOC), evaluate(IoUMetric(), voc_samples, VOC)
    assert {name: ours[f"trimap/whole_{name}"] for name in theirs} == theirs  # rounded alike
    # every map has void, so a band that is wider than the image is all of it
    assert ours["trimap/mIoU_8000"] == theirs["mIoU"] and np.isnan(ours["trimap/anti_mIoU_8000"])
    assert ours["trimap/mIoU_1"] < ours["trimap/mIoU_3"] < ours["trimap/whole_mIoU"] < ours["trimap/anti_mIoU_3"]


@pytest.mark.parametrize("seed", range(5))
def test_whole_drawn_maps_are_mmsegs_bit_for_bit(seed, tmp_path):
    samples = drawn(7, seed)
    ours = evaluate(TrimapIoUMetric(outfile_prefix=str(tmp_path / "run")), samples)
    theirs = evaluate(IoUMetric(), samples)
    assert {name: ours[f"trimap/whole_{name}"] for name in theirs} == theirs
    areas = [IoUMetric.intersect_and_union(*(one[key]["data"] for key in FIELDS), 3, 255) for one in samples]
    theirs = IoUMetric.total_area_to_metrics(*(sum(part) for part in zip(*areas, strict=True)))
    whole = written_runs(tmp_path / "run.json")[0]["whole"]
    assert whole["aAcc"] == float(theirs["aAcc"]) and whole["mIoU"] == float(np.nanmean(theirs["IoU"]))
    assert all(whole[score] == theirs[score].tolist() for score in ("IoU", "Acc"))


def test_scores_per_class_are_mmsegs_bit_for_bit(voc_samples, tmp_path):
    evaluate(TrimapIoUMetric(widths=[8000], outfile_prefix=str(tmp_path / "run")), voc_samples, VOC)
    (run,) = written_runs(tmp_path / "run.json")
    areas = [
        IoUMetric.intersect_and_union(one["pred_sem_seg"]["data"], one["gt_sem_seg"]["data"], 21, 255)
        for one in voc_samples
    ]
    theirs = IoUMetric.total_area_to_metrics(*(sum(part) for part in zip(*areas, strict=True)))
    for ours in (run["whole"], {key: value[0] for key, value in run["trimap"].items() if isinstance(value, list)}):
        assert ours["aAcc"] == float(theirs["aAcc"])
        for score in ("IoU", "Acc"):
            np.testing.assert_array_equal(np.array(ours[score], np.float32), theirs[score])
        assert ours["mIoU"] == float(np.nanmean(theirs["IoU"]))


def test_files_hold_every_width_and_class_and_are_kept(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(trimap_metric, "print_log", lambda text, *_: texts.append(text))
    prefix = str(tmp_path / "new" / "run")
    metric = TrimapIoUMetric(widths=[1, 2], outfile_prefix=prefix)
    results = evaluate(metric, drawn(3, void=0.01))
    (run,) = written_runs(f"{prefix}.json")
    assert (run["images"], run["without_boundary"], run["boundary"]) == (3, 0, "void")
    assert np.round(np.float32(run["trimap"]["mIoU"][1]) * 100, 2) == results["trimap/mIoU_2"]
    rows = list(csv.DictReader(Path(f"{prefix}.csv").read_text().splitlines()))
    assert len(rows) == (1 + 2 * 2) * (len(CLASSES) + 1)
    last = rows[-1]
    assert (last["region"], last["width"], last["class"]) == ("anti_trimap", "2", "all")
    assert float(last["IoU"]) == run["anti_trimap"]["mIoU"][1]
    assert int(last["pixels"]) + run["trimap"]["pixels"][1] == run["whole"]["pixels"]
    with Image.open(f"{prefix}.png") as curves:
        assert curves.format == "PNG" and curves.width > 1000
    assert f"{results['trimap/mIoU_2']:.2f}" in texts[0] and "dog" in texts[0] and "whole image" in texts[0]
    evaluate(metric, drawn(2))  # the next validation of the same run
    assert written_runs(f"{prefix}.json")[0]["images"] == 2
    with pytest.raises(FileExistsError, match="run.json exists and is left as it is.*overwrite=True"):
        TrimapIoUMetric(outfile_prefix=prefix)
    TrimapIoUMetric(outfile_prefix=prefix, overwrite=True)


def test_maps_without_void_are_counted_and_said_once(tmp_path, monkeypatch):
    texts = []
    monkeypatch.setattr(trimap_metric, "print_log", lambda text, *_: texts.append(text))
    samples = [*drawn(2, void=0), *drawn(1)]
    results = evaluate(TrimapIoUMetric(widths=[5]), samples)
    assert sum("2 of 3 label maps have no void (255) pixel (" in text for text in texts) == 1
    assert results["trimap/mIoU_5"] > 0
    for i, one in enumerate(samples):
        one["seg_map_path"] = f"{i}.png"
    evaluate(TrimapIoUMetric(widths=[5]), samples)
    assert any("2 of 3 label maps have no void (255) pixel (0.png, 1.png), so all" in text for text in texts)
    results = evaluate(TrimapIoUMetric(widths=[5], outfile_prefix=str(tmp_path / "run")), samples[:2])
    assert np.isnan(results["trimap/mIoU_5"]) and results["trimap/anti_mIoU_5"] == results["trimap/whole_mIoU"]
    assert written_runs(tmp_path / "run.json")[0]["trimap"]["mIoU"] == [None]
    texts.clear()
    results = evaluate(TrimapIoUMetric(widths=[1], boundary="label"), samples[:2])
    assert results["trimap/mIoU_1"] > 0 and not any("label maps have no" in text for text in texts)
    plain = [sample(np.zeros((4, 4), int), np.ones((4, 4), int))]
    assert np.isnan(evaluate(TrimapIoUMetric(widths=[1], boundary="label"), plain)["trimap/mIoU_1"])
    assert any("1 of 1 label maps have no border between labels" in text for text in texts)


def test_memory_does_not_grow_with_the_images():
    metric = TrimapIoUMetric(widths=[1, 2])
    metric.dataset_meta = {"classes": CLASSES}
    metric.process({}, drawn(5))
    assert metric.results == [] and metric._sum.images == 4 and metric._last.images == 1
    assert metric._sum.table.shape == (3, 3, 3)


def _rank(rank, world, address, prefix, sizes, queue):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=world)
    for size in sizes:
        metric = TrimapIoUMetric(widths=[1, 4], outfile_prefix=f"{prefix}{size}")
        metric.dataset_meta = {"classes": CLASSES}
        images = drawn(size)
        for i in range(rank, size + size % world, world):  # as DefaultSampler: the first image again to fill up
            metric.process({}, [images[i % size]])
        queue.put((size, metric.evaluate(size)))
    torch.distributed.destroy_process_group()


def test_two_gloo_ranks_give_what_one_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where mmengine gathers
    sizes = (1, 4, 5)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    arguments = (2, f"file://{tmp_path}/store", f"{tmp_path}/two", sizes, queue)
    workers = [context.Process(target=_rank, args=(rank, *arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    answers = [queue.get(timeout=60) for _ in range(2 * len(sizes))]
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    for size in sizes:
        one = evaluate(TrimapIoUMetric(widths=[1, 4], outfile_prefix=f"{tmp_path}/one{size}"), drawn(size))
        assert [answer for number, answer in answers if number == size] == [one, one]
        for end in (".json", ".csv"):
            assert Path(f"{tmp_path}/one{size}{end}").read_bytes() == Path(f"{tmp_path}/two{size}{end}").read_bytes()


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.full((2, 3), 3), np.zeros((2, 3), int), "Image a.jpg: the label map holds 3: expected are 0 to 2"),
        (np.zeros((2, 3), int), np.full((2, 3), 20), "Image a.jpg: the prediction holds 20: .*num_classes=3"),
        (np.zeros((2, 3), int), np.zeros((4, 3), int), r"shape \(2, 3\) and the prediction \(4, 3\).*after Resize"),
    ],
)
def test_bad_maps_are_named(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        evaluate(TrimapIoUMetric(), [sample(truth, prediction)])


def test_bad_settings_and_no_data():
    with pytest.raises(ValueError, match=r"widths are \[5, 2\]: expected a list of rising whole numbers"):
        TrimapIoUMetric(widths=[5, 2])
    with pytest.raises(TypeError, match="TrimapIoUMetric has no argument 'width'"):
        TrimapIoUMetric(width=[2, 5])
    with pytest.raises(ValueError, match="boundary is 'edges': choose one of void, label"):
        TrimapIoUMetric(boundary="edges")
    with pytest.raises(ValueError, match="No image was tested"):
        evaluate(TrimapIoUMetric(), [])
    with pytest.raises(ValueError, match="Image a.jpg comes without a label map.*LoadAnnotations"):
        evaluate(TrimapIoUMetric(), [{"img_path": "a.jpg", "pred_sem_seg": {"data": torch.zeros(1, 2, 2)}}])
    with pytest.raises(ValueError, match="5 images were tested on rank 0 of 1, but the data set has 3"):
        evaluate(TrimapIoUMetric(), drawn(5), size=3)


@pytest.fixture
def read_label(tmp_path):
    """Function that writes one label file and reads it through mmseg's data set, as test runs do."""

    def read(image, **options):
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", image.size).save(tmp_path / "images/one.jpg")
        image.save(tmp_path / "labels/one.png")
        init_default_scope("mmseg")
        pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}, {"type": "PackSegInputs"}]
        prefix = {"img_path": "images", "seg_map_path": "labels"}
        dataset = DATASETS.build(
            {"type": "BaseSegDataset", "data_root": str(tmp_path), "data_prefix": prefix, "pipeline": pipeline,
             "metainfo": {"classes": CLASSES}, **options}
        )  # fmt: skip
        one = dataset[0]["data_samples"].to_dict()
        shape = one["gt_sem_seg"]["data"].shape
        prediction = torch.zeros((1, image.height, image.width), dtype=torch.int64)
        assert shape == prediction.shape or len(image.getbands()) > 1
        return one | {"pred_sem_seg": {"data": prediction}}

    return read


def test_label_files_of_mmseg(read_label):
    truth = np.array([[0, 1, 255, 2, 2, 2, 0, 0]], np.uint8).repeat(4, axis=0)
    palette = Image.new("P", (8, 4))
    palette.putdata(truth.ravel().tolist())
    palette.putpalette([value % 251 for value in range(3 * 256)])
    counts = count_image(truth, truth * 0, classes=3, widths=[2])
    for image in (Image.fromarray(truth), palette):
        results = evaluate(TrimapIoUMetric(widths=[2]), [read_label(image)])
        assert results["trimap/whole_aAcc"] == np.round(np.float32(12 / 28) * 100, 2) and counts.inside()[0].sum() == 16
        assert results["trimap/mIoU_2"] == np.round(np.float32(4 / 16 / 3) * 100, 2)
    for mode in ("RGB", "RGBA"):
        with pytest.raises(
            ValueError,
            match=r"one.jpg \(label map .*one.png\): the label map has shape \(4, 8, [34]\).*color files must be",
        ):
            evaluate(TrimapIoUMetric(widths=[2]), [read_label(palette.convert(mode))])


def test_reduce_zero_label_makes_background_void(read_label):
    truth = np.array([[0, 1, 1, 1, 3, 255]] * 2, np.uint8)
    one = read_label(Image.fromarray(truth), reduce_zero_label=True)
    assert one["gt_sem_seg"]["data"].tolist() == [[[255, 0, 0, 0, 2, 255]] * 2]
    ours, theirs = (evaluate(metric, [one]) for metric in (TrimapIoUMetric(widths=[1]), IoUMetric()))
    assert {name: ours[f"trimap/whole_{name}"] for name in theirs} == theirs
    assert ours["trimap/mIoU_1"] == 25 and ours["trimap/anti_mIoU_1"] == 100
