"""Several ranks learn what one learns, and find the scores that one finds."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmdetpre.backbones import ConfigRunner
from mmdetpre.models import chip_rpn_head


@pytest.fixture(autouse=True)
def _quick_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a Runner writes about machine and config into its log takes longer than these runs."""
    monkeypatch.setattr(Runner, "_log_env", lambda self, env_cfg: None)


class Stop(Exception):
    """The first step is reached."""


def drawn_alike(labels: torch.Tensor, *args: Any, draw: Callable = chip_rpn_head.sample_anchors, **kwargs: Any) -> Any:
    """Anchors of each chip, drawn by the same chance in every batch."""
    drawn = []
    for chip in labels.split(1):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            drawn.append(draw(chip, *args, **kwargs))
    return torch.cat([one[0] for one in drawn]), torch.cat([one[1] for one in drawn]), drawn[0][2]


def test_gradients_of_1_x_8_chips_are_those_of_2_x_4(
    sample_config: Callable, forked_ranks: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chance and batch normalization, which see one batch, are taken out."""
    monkeypatch.setattr(chip_rpn_head, "sample_anchors", drawn_alike)

    def gradients(ranks: int) -> list[tuple[list[str], list]]:
        def work(rank: int) -> tuple[list[str], list]:
            options = {"train_dataloader.batch_size": 8 // ranks, "model.backbone.norm_eval": True}
            cfg = sample_config(launcher="pytorch", **options)
            seen: list[str] = []

            def step(self: OptimWrapper, **kwargs: Any) -> None:
                parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
                raise Stop([p.grad.numpy() for p in parameters if p.grad is not None])

            monkeypatch.setattr(OptimWrapper, "step", step)
            runner = ConfigRunner.from_cfg(cfg)
            forward = runner.model.module.data_preprocessor.forward

            def noted(data: dict, training: bool = False) -> dict:
                seen.extend(f"{one.img_id} {one.metainfo}" for one in data["data_samples"])
                return forward(data, training)

            runner.model.module.data_preprocessor.forward = noted
            with pytest.raises(Stop) as stopped:
                runner.train()
            return seen, stopped.value.args[0]

        return forked_ranks(ranks, work)

    ((chips, one),) = gradients(1)
    (first, two), (second, other) = gradients(2)
    assert len(set(first + second)) == 8 and sorted(first + second) == sorted(chips), "disjoint, and all of them"
    assert len(one) == len(two) > 60
    for a, b, c in zip(one, two, other, strict=True):
        assert (b == c).all(), "ranks have the same gradients bit by bit"
        assert ((a - b) ** 2).sum() ** 0.5 <= 1e-5 * (a**2).sum() ** 0.5 + 1e-9


METRICS: dict[str, tuple[str, str, Any]] = {
    "det/sniper_openimages_sample.py": ("tiny_sample", "", None),
    "det/sniper_coco_sample.py": ("tiny_coco", "", None),
    "det/sniper_voc_sample.py": ("tiny_voc", "VOCdevkit", None),
    "det/sniper_imagenet_loc_sample.py": ("tiny_imagenet_loc", "", None),
    "seg/deeplab_voc_sample.py": (
        "tiny_voc",
        "VOCdevkit/VOC2012",
        [
            dict(type=kind, prefix=kind)
            for kind in ("mmdetpre.TrimapIoUMetric", "mmdetpre.BoundaryIoUMetric", "IoUMetric")
        ],
    ),
    "cls/caltech256_sample.py": ("tiny_caltech", "", [dict(type="Accuracy"), dict(type="SingleLabelMetric")]),
}


def found_nearly(data: dict) -> list:
    """What a detector might find: boxes beside the true ones, one in three of another class."""
    samples = data["data_samples"]
    for sample in samples:
        chance = np.random.default_rng(zlib.crc32(str(sample.img_id).encode()))
        boxes, labels = sample.gt_instances.bboxes, sample.gt_instances.labels
        boxes = getattr(boxes, "tensor", boxes) + torch.from_numpy(chance.normal(0, 4, boxes.shape)).float()
        labels = (labels + torch.from_numpy(chance.integers(0, 3, len(labels)) // 2)) % 4
        scores = torch.from_numpy(chance.random(len(boxes))).float()
        sample.pred_instances = InstanceData(bboxes=boxes, labels=labels.long(), scores=scores)
    return samples


def test_scores_of_one_two_and_three_ranks_are_the_same_bit_by_bit(
    forked_ranks: Callable, repository: Path, tmp_path: Path, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Of every metric that a config names, and of those that it may name instead."""
    monkeypatch.chdir(tmp_path)  # where mmengine gathers
    cfgs = {}
    for name, (fixture, below, evaluator) in METRICS.items():
        cfg = cfgs[name] = Config.fromfile(repository / "configs" / name)
        cfg.merge_from_dict({"data_root": str(request.getfixturevalue(fixture) / below), "randomness.seed": 3})
        cfg.test_dataloader |= dict(num_workers=0, persistent_workers=False, batch_size=1)
        cfg.test_evaluator = evaluator or cfg.test_evaluator
        if "caltech" in name:
            cfg.test_dataloader.dataset.per_class = 3
        cfg.work_dir, cfg.launcher, cfg.experiment_name = str(tmp_path / Path(name).stem), "pytorch", Path(name).stem
        cfg.log_level = "WARNING"

    def work(rank: int) -> dict[str, dict[str, str]]:
        answer = {}
        for name, cfg in cfgs.items():
            with DefaultScope.overwrite_default_scope(cfg.default_scope):
                runner = ConfigRunner.from_cfg(cfg)
                if name.startswith("det"):
                    runner.model.test_step = found_nearly
                answer[name] = {key: float(value).hex() for key, value in runner.test().items()}
        return answer

    one, *others = [answer for ranks in (1, 2, 3) for answer in forked_ranks(ranks, work)]
    for name, scores in one.items():
        assert any(float.fromhex(value) > 0 for value in scores.values()), f"{name}: {scores}"
    assert others == [one] * 5
