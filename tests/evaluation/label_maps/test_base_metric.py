from __future__ import annotations

import pytest
import torch
from mmseg.evaluation import IoUMetric

from mmdetpre.datasets.label_maps.files import read_label_map
from mmdetpre.evaluation.boundary_iou.metric import BoundaryIoUMetric
from mmdetpre.evaluation.trimap.metric import TrimapIoUMetric

METRICS = [BoundaryIoUMetric, TrimapIoUMetric]


def sample(name, reduce_zero_label=False):
    data = {"data": torch.arange(60).reshape(1, 6, 10) % 3}
    return {"img_path": name, "pred_sem_seg": data, "gt_sem_seg": data, "reduce_zero_label": reduce_zero_label}


def process(metric, samples, classes=3):
    metric.dataset_meta = {"classes": [f"class {i}" for i in range(classes)]}
    metric.process({}, samples)


@pytest.mark.parametrize("kind", METRICS)
def test_predictions_are_written_as_mmseg_writes_them(kind, tmp_path):
    samples = [sample("images/a.jpg"), sample("images/b.c.png", reduce_zero_label=True)]
    for name, metric in (("ours", kind), ("theirs", IoUMetric)):
        process(metric(output_dir=str(tmp_path / name), keep_results=True), samples)  # what mmseg's --out sets
    names = sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert names == ["a.png", "b.c.png"] == sorted(path.name for path in (tmp_path / "ours").iterdir())
    for name in names:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes()
    assert read_label_map(tmp_path / "ours/b.c.png").max() == 3


@pytest.mark.parametrize("kind", METRICS)
def test_predictions_of_another_run_are_kept(kind, tmp_path):
    (tmp_path / "a.png").write_bytes(b"another run")
    with pytest.raises(FileExistsError, match="holds predictions already.*overwrite=True"):
        kind(output_dir=str(tmp_path))
    process(kind(output_dir=str(tmp_path), overwrite=True), [sample("a.jpg")])
    assert read_label_map(tmp_path / "a.png").shape == (6, 10)


def test_more_classes_than_a_byte_holds(tmp_path):
    one = sample("a.jpg", reduce_zero_label=True)
    one["pred_sem_seg"] = {"data": torch.full((1, 6, 10), 255)}
    with pytest.raises(ValueError, match="a.png: labels from 256 to 256 do not fit into one byte"):
        process(BoundaryIoUMetric(output_dir=str(tmp_path)), [one], classes=300)


@pytest.mark.parametrize("kind", METRICS)
def test_every_file_is_checked_before_the_test(kind, tmp_path):
    for end in kind.file_ends:
        prefix = tmp_path / end[1:]
        prefix.with_suffix(end).write_text("mine")
        with pytest.raises(FileExistsError, match=f"{end} exists and is left as it is"):
            kind(outfile_prefix=str(prefix))
