"""Features of the objects on the chips of a training config, averaged by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torchvision.ops import roi_align

from mmdetpre.analysis.super_classes.clusters import ClassMeans
from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.inference.build_model import build_model
from mmdetpre.models.instances import boxes_of
from mmdetpre.transfer.checkpoint_reader import read_checkpoint
from mmdetpre.transfer.load_backbone import load_backbone
from mmdetpre.transfer.trained_form import take_trained_form, trained_form
from mmdetpre.utils.progress_bar import progress_bar


@torch.no_grad()
def class_means_of_config(
    config: str | Config,
    checkpoint: str,
    device: str = "cpu",
    max_chips: int | None = None,
    options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> tuple[ClassMeans, list[str]]:
    """Mean of the backbone's last map over the boxes of each class, and the ids of the classes in label order.

    One epoch of chips is considered, each with the boxes that are valid in it.

    Args:
        config: Training config with a chip data set.
        checkpoint: Weights of its backbone, alone or in a detector or classifier.
        device: Where the detector runs.
        max_chips: Consider only about N chips.
        options: Values of the config to override, by dotted key.
        progress: Show a progress bar.

    Raises:
        BackboneNotLoaded: If the checkpoint is missing or does not fill the backbone.
        FileNotFoundError: If config or data are missing.
    """
    built = build_model(config, device, options)
    model: Any = built.model
    read = read_checkpoint(checkpoint)
    load_backbone(model.backbone, read, check_preprocessing=False)
    print_log(f"{read.source}: {take_trained_form(model.backbone, trained_form(read), dense=True)}", "current")
    model.to(device)
    dataset = open_dataset(built.cfg, "train", scope=built.scope)
    with DefaultScope.overwrite_default_scope(built.scope):
        loader = Runner.build_dataloader(dict(built.cfg.train_dataloader, dataset=dataset), seed=0)
    meta = loader.dataset.metainfo
    classes = list(meta.get("wnids") or meta["classes"])
    means = ClassMeans(len(classes))
    chips = len(loader.batch_sampler.sampler)
    seen, total = 0, min(max_chips or chips, chips)
    with progress_bar(total=total, unit="chip", desc="features of classes", disable=not progress) as bar:
        for batch in loader:
            data = model.data_preprocessor(batch, False)
            maps = model.backbone(data["inputs"])[-1].float()
            gt = [sample.gt_instances for sample in data["data_samples"]]
            scale = maps.shape[-1] / data["inputs"].shape[-1]
            boxes = [boxes_of(instances) for instances in gt]
            features = roi_align(maps, boxes, 1, scale, sampling_ratio=14, aligned=True).flatten(1)
            means.add(features.cpu().numpy(), torch.cat([instances.labels for instances in gt]).cpu().numpy())
            seen += len(gt)
            bar.update(len(gt))
            if seen >= total:
                break
    return means, classes
