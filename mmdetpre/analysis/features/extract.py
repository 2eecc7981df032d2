"""Features of whole images, from a config and a checkpoint of any toolbox, into a feature file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from torch import nn

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE, WholeImages, normalize, pixel_statistics, read_batches
from mmdetpre.analysis.features.feature_file import FeatureFile, FeatureWriter
from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.compat.host_versions import installed_versions
from mmdetpre.inference.build_model import ConfigModel, build_model
from mmdetpre.inference.load_weights import load_weights
from mmdetpre.models.layer_features import BACKBONE_LAYERS, LayerReader
from mmdetpre.transfer.checkpoint_reader import Checkpoint, read_checkpoint
from mmdetpre.transfer.digest import weights_digest
from mmdetpre.transfer.find_backbone import find_backbone
from mmdetpre.transfer.load_backbone import load_backbone
from mmdetpre.transfer.preprocessing import Preprocessing
from mmdetpre.transfer.trained_form import take_trained_form, trained_form
from mmdetpre.utils.progress_bar import progress_bar


@dataclass(frozen=True)
class FeatureSource:
    """A model with its weights, ready to give layers.

    Args:
        reader: Computes the layers.
        preprocessing: How it wants its images.
        device: Where it is.
        metadata: Config, checkpoint, digests and verdict of the load, for the feature file.
    """

    reader: LayerReader
    preprocessing: Preprocessing
    device: str
    metadata: Mapping[str, Any]


def open_feature_source(
    config: str | Path | ConfigModel,
    checkpoint: str | Path,
    layers: Sequence[str],
    *,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
    conv5: str = "trained",
    dense: bool = False,
) -> FeatureSource:
    """Build a model and load what its layers need: the backbone alone, or the whole model.

    Layers of the backbone are served by any file that holds one, such as ``backbone_final.pth`` or a checkpoint of
    another toolbox; other layers need a checkpoint of the model itself.

    Args:
        config: Config of mmdet, mmsegmentation or mmpretrain, or the model that was built of one.
        checkpoint: Path or address.
        layers: See :class:`mmdetpre.models.layer_features.LayerReader`.
        device: Where the model runs.
        options: Values of the config to override, by dotted key.
        conv5: ``trained`` runs the backbone with the strides that its weights were trained with, where layers of the
            backbone are asked for: weights of a classification network as that network, though the config dilates
            conv5. ``config`` runs it as configured.
        dense: With ``trained``: keep the strides of the config and dilate instead, for maps with more positions; see
            :func:`mmdetpre.transfer.trained_form.take_trained_form`.

    Raises:
        BackboneNotLoaded: If the backbone cannot be loaded completely, or was trained on images with different
            preprocessing.
        FileNotFoundError: If config or checkpoint are missing.
        ValueError: If a layer does not exist, or the checkpoint lacks what it needs.
    """
    built = config if isinstance(config, ConfigModel) else build_model(config, device, options)
    model, preprocessing = built.model, built.preprocessing
    reader = LayerReader(model, layers)
    read = read_checkpoint(checkpoint)
    if not reader.backbone_only:
        _load_all(model, read, reader)
    backbone = find_backbone(model)
    report = load_backbone(backbone, read, preprocessing=preprocessing)
    form = "Stages as configured."
    if conv5 == "trained" and reader.backbone_only:
        form = take_trained_form(backbone, trained_form(read), dense=dense)
    print_log(f"{read.source}: {form}", "current")
    model.to(device)
    metadata = {
        "config": str(built.cfg.filename if isinstance(config, ConfigModel) else config),
        "checkpoint": os.fspath(checkpoint),
        "model": f"{built.scope}.{type(model).__name__}",
        "backbone_digest": report.digest,
        "backbone_verdict": report.verdict,
        "backbone_form": form,
        "model_digest": None if reader.backbone_only else weights_digest(model.state_dict()),
        "device": torch.device(device).type,
        "versions": installed_versions(),
    }
    return FeatureSource(reader, preprocessing, device, metadata)


def extract_features(
    source: FeatureSource,
    images: ImageSet,
    out: str | Path,
    *,
    init: str | None = None,
    data_name: str | None = None,
    resize_edge: int = RESIZE_EDGE,
    crop: int = CROP,
    batch_size: int = 32,
    workers: int = 0,
    shard: tuple[int, int] = (0, 1),
    overwrite: bool = False,
    progress: bool = True,
) -> FeatureFile | None:
    """Compute the layers of images and write them to a feature file; resumes where a stopped extraction ended.

    Args:
        source: The model.
        images: The images.
        out: Folder to write.
        init: What tables call the weights; by default the checkpoint's name.
        data_name: What tables call the data; by default the name of its folder or config.
        resize_edge, crop: See :class:`mmdetpre.analysis.features.batches.WholeImages`.
        batch_size: Images that pass the model together.
        workers: Processes that decode images.
        shard: This process's number, and how many processes share the batches.
        overwrite: Start from scratch.
        progress: Show a progress bar.

    Returns:
        The features, or None if other processes are not done with theirs.

    Raises:
        FileExistsError, ValueError: As :class:`mmdetpre.analysis.features.feature_file.FeatureWriter` does, or if an
            image cannot be read.
    """
    index, shards = shard
    if not 0 <= index < shards:
        raise ValueError(f"Shard {index} of {shards}: count from 0 to {shards - 1}.")
    if overwrite and shards > 1:
        raise ValueError("--force with several processes: each would remove what the others write. Remove --out first.")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: give a positive number.")
    mean, std, order = pixel_statistics(source.preprocessing)
    pixels = WholeImages(images, resize_edge, crop)
    blank = torch.zeros(1, 3, crop, crop, device=source.device)
    writer = FeatureWriter(
        out,
        {name: tuple(value.shape[1:]) for name, value in source.reader(blank).items()},
        images=images.names,
        labels=images.labels,
        classes=images.classes,
        metadata={
            **source.metadata,
            "initialisation": init or Path(source.metadata["checkpoint"]).stem,
            "data_name": data_name or default_data_name(images),
            "data": dict(images.description),
            "preprocessing": dict(
                resize_edge=resize_edge, crop=crop, mean=list(mean), std=list(std), channel_order=order
            ),
            "batch_size": batch_size,
        },
        overwrite=overwrite,
        shard=shard,
        batch_size=batch_size,
    )
    batches = writer.pending_batches()
    with progress_bar(total=sum(map(len, batches)), unit="img", desc="features", disable=not progress) as bar:
        for rows, batch in zip(batches, read_batches(pixels, batches, workers), strict=True):
            values = source.reader(normalize(batch.to(source.device), source.preprocessing))
            writer.write(rows, {name: value.cpu().numpy() for name, value in values.items()})
            bar.update(len(rows))
    return writer.finish() if writer.complete() else None


def default_data_name(images: ImageSet) -> str:
    """Name of the data: of its folder, or of its config."""
    origin = images.description.get("config") or images.description.get("folder") or "data"
    return Path(origin).stem


def _load_all(model: nn.Module, read: Checkpoint, reader: LayerReader) -> None:
    parts = {name for name, part in model.named_children() if name != "backbone" and list(part.parameters())}
    held = {name.removeprefix("module.").split(".")[0] for name in read.tensors}
    beyond = [name for name in reader.layers if name not in BACKBONE_LAYERS and not name.startswith("backbone.")]
    if not parts & held:
        raise ValueError(
            f"{read.source} holds a backbone only, but {', '.join(beyond)} need the other parts of the"
            f" {type(model).__name__} too ({', '.join(sorted(parts))}): give the checkpoint of the whole model, such as"
            f" work_dirs/RUN/epoch_12.pth, or ask for {', '.join(BACKBONE_LAYERS)}."
        )
    load_weights(model, read.tensors, read.source)
