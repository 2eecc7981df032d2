"""The config of the region proposal network that a detector's negative chips come from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmdetpre.transfer.backbone_init import KEY, OLD_KEY, TABLE
from mmdetpre.utils.stages import TRAINABLE

EVALUATOR = "mmdetpre.DumpProposals"
FOLDER = "proposals"
"""Folder of the proposals in the work dir of their run."""


def proposals_config(
    network: Mapping[str, Any], detector: Mapping[str, Any], out_dir: str, seed: int | None = None
) -> dict[str, object]:
    """The network alone, with the detector's initialization and images.

    Model, initialization, training images and chips are the detector's; schedule, batches and test scales are those of
    ``network``. It is tested on its training images as they are.

    Args:
        network: Config of a region proposal network alone, such as ``configs/det/rpn_voc.py``.
        detector: Config of a detector that trains from chips.
        out_dir: Where its test writes the proposals.
        seed: Of its training; None: that of ``network``.

    Returns:
        The config; the two given ones stay as they are.

    Raises:
        ValueError: If ``network`` writes no proposals or ``detector`` does not train from chips; says what is missing.

    Example:
        >>> images = {"type": "CocoDataset", "ann_file": "a.json"}
        >>> model = {"type": "mmdetpre.SNIPER", "rpn_head": {"type": "mmdetpre.ChipRPNHead"}}
        >>> detector = {"model": model, "train_dataloader": {"dataset": {"dataset": images, "chips": {}}}}
        >>> network = copy.deepcopy(detector) | {
        ...     "model": {"type": "RPN"},
        ...     "test_dataloader": {"dataset": {"type": "other", "pipeline": [], "test_mode": True}},
        ...     "test_evaluator": {"type": "mmdetpre.DumpProposals"}}
        >>> proposals_config(network, detector, "out")["test_dataloader"]["dataset"]
        {'type': 'CocoDataset', 'ann_file': 'a.json', 'pipeline': [], 'test_mode': True}
    """
    evaluator = network.get("test_evaluator")
    if not isinstance(evaluator, Mapping) or evaluator.get("type") != EVALUATOR:
        raise ValueError(f"its test_evaluator is not of type {EVALUATOR}, as that of configs/det/rpn_voc.py is")
    learned = (detector.get("train_dataloader") or {}).get("dataset") or {}
    if "chips" not in learned or not isinstance(learned.get("dataset"), Mapping):
        raise ValueError("the detector does not train from chips (a train_dataloader of mmdetpre.ChipDataset)")
    if not detector["model"].get("rpn_head"):
        raise ValueError("the detector has no rpn_head, so there is no network of region proposals to train alone")
    cfg = copy.deepcopy(dict(network))
    images = copy.deepcopy(dict(learned["dataset"]))
    cfg["model"] = {**copy.deepcopy(dict(detector["model"])), "type": network["model"]["type"], "roi_head": None}
    for key in (KEY, TABLE, OLD_KEY, TRAINABLE):  # as the detector, also where it says nothing
        cfg.pop(key, None)
        if key in detector:
            cfg[key] = copy.deepcopy(detector[key])
    cfg["train_dataloader"]["dataset"] |= {"dataset": images, "chips": copy.deepcopy(learned["chips"])}
    tested = {key: cfg["test_dataloader"]["dataset"][key] for key in ("pipeline", "test_mode")}
    cfg["test_dataloader"]["dataset"] = {**copy.deepcopy(images), **tested}
    cfg["test_evaluator"] |= {"out_dir": out_dir, "overwrite": True}
    if seed is not None:
        cfg["randomness"] = dict(cfg.get("randomness") or {}, seed=seed)
    return cfg
