"""The six scripts for Slurm, by the real mim, on a real Slurm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "tools" / "benchmarks"


@pytest.mark.slow
def test_a_detector_on_two_nodes(sniper_run: Path, run_with_slurm: Callable, scores_of: Callable, slurm: Any) -> None:
    config, backbone, work = (
        sniper_run / "sniper_openimages_sample.py",
        sniper_run / "backbone.pth",
        sniper_run / "work",
    )
    (log,) = work.glob("2*/2*.log")
    assert "8 steps, 4 chips each" in log.read_text()
    asked = dict(PARTITION=slurm.gpu, GPUS="2", GPUS_PER_NODE="1", WORK_DIR=str(work))
    run_with_slurm(SCRIPTS / "mmdetection" / "mim_slurm_test.sh", config, backbone, **asked)
    trained, tested = scores_of(work, "openimages/"), scores_of(work / "test", "openimages/")
    assert len(tested) == 2 and tested["openimages/AP50"] > 0
    assert tested == trained, "ranks validate with the statistics of the checkpoint"


STEPS = """\
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks.update(checkpoint=dict(interval=2))
test_evaluator = dict(_delete_=True, type="IoUMetric", iou_metrics=["mIoU"])
val_dataloader.update(dataset=dict(data_root=data_root))  # mmseg's test.py builds a Runner that moves no data
"""
EPOCH = """\
train_cfg = dict(max_epochs=1, val_interval=1)
train_dataloader.update(dataset=dict(per_class=3))
val_dataloader.update(dataset=dict(per_class=3))
"""
CASES = {
    "mmsegmentation": ("seg/deeplab_voc_sample.py", STEPS, "VOCdevkit/VOC2012", "mIoU", dict(GPUS="0", RANKS="2")),
    "mmpretrain": ("cls/caltech256_sample.py", EPOCH, "", "accuracy/top1", dict(GPUS="1")),
}


@pytest.mark.slow
@pytest.mark.parametrize("folder", CASES)
def test_a_segmentor_on_processors_and_a_classifier_on_one_gpu(
    folder: str, tmp_path: Path, run_with_slurm: Callable, tiny_config: Callable, scores_of: Callable, slurm: Any,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    base, more, below, score, asked = CASES[folder]
    data = request.getfixturevalue("tiny_voc" if "voc" in base else "tiny_caltech")
    config = tiny_config(tmp_path, base, data / below, more)
    asked = asked | dict(PARTITION=slurm.cpu if asked["GPUS"] == "0" else slurm.gpu, WORK_DIR=str(tmp_path / "work"))
    for task, ranks in ("train", asked), ("test", asked | {"RANKS": "1"} if "RANKS" in asked else asked):
        run_with_slurm(SCRIPTS / folder / f"mim_slurm_{task}.sh", config, tmp_path / "backbone.pth", **ranks)
    trained, tested = scores_of(tmp_path / "work", score), scores_of(tmp_path / "work" / "test", score)
    assert len(tested) == 1 and tested == trained
