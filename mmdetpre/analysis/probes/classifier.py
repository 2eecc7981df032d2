"""A frozen backbone with the linear classifier of its probe, as a function from images to probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmdetpre.analysis.features.extract import open_feature_source
from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.features.spaces import image_root
from mmdetpre.analysis.probes.linear_classifier import LinearClassifier, classifier_of_probe
from mmdetpre.hooks.write_labels_hook import ImageLabel
from mmdetpre.inference.classifier import Classifier
from mmdetpre.models.layer_features import LayerReader

TYPICAL = 0.8
"""Probability that an image for the maps should have."""


@dataclass(frozen=True)
class ProbeClassifier(Classifier):
    """The classifier of Figure 9 of the paper: the frozen backbone, and the linear classifier of a probe.

    Args:
        reader: Gives the layer.
        head: The linear classifier.
    """

    reader: LayerReader
    head: LinearClassifier

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities (B, classes) of normalized images (B, 3, H, W)."""
        values = self.reader(images)[self.head.layer].flatten(1).float()
        weights, bias = (torch.as_tensor(part, device=values.device) for part in (self.head.weights, self.head.bias))
        return (values @ weights + bias).softmax(dim=1)


def open_probe_classifier(
    folder: str | Path,
    layer: str = "conv5_pooled",
    *,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
) -> ProbeClassifier:
    """The network whose features a folder of ``layer_probes.py`` holds, with the head of its linear probe.

    Args:
        folder: Holds ``train``, ``test`` and ``results``; the features name config and checkpoint.
        layer: Layer whose probe is the head.
        device: Where it runs.
        options: Values of the config to override, by dotted key.

    Raises:
        BackboneNotLoaded: If the backbone cannot be loaded completely.
        FileNotFoundError: If config, checkpoint, features or the probe's result are missing.
        ValueError: If the checkpoint is no longer the one that the features were extracted with.
    """
    head = classifier_of_probe(folder, layer)
    metadata = read_features(Path(folder) / "train").metadata
    source = open_feature_source(metadata["config"], metadata["checkpoint"], [layer], device=device, options=options)
    for key in ("backbone_digest", "model_digest"):
        if (now := source.metadata[key]) != (then := metadata.get(key)):
            raise ValueError(
                f"{metadata['checkpoint']} holds other weights than the features in {folder} were extracted with"
                f" ({key} {now}, then {then}): run layer_probes.py again."
            )
    return ProbeClassifier(
        source.reader.model, head.classes, source.preprocessing, torch.device(device), source.reader, head
    )


def probe_labels(folder: str | Path, layer: str = "conv5_pooled") -> tuple[list[ImageLabel], tuple[str, ...]]:
    """The labels of the test images as the linear classifier of a probe predicts them, and the names of the classes.

    Args:
        folder: Of ``layer_probes.py``.
        layer: Layer of the probe.

    Raises:
        FileNotFoundError: If features or results are missing.
        ValueError: If they do not belong together.
    """
    head, file = classifier_of_probe(folder, layer), read_features(Path(folder) / "test")
    found = _probabilities(head, file)
    root, rows = image_root(file), zip(file.images, file.labels.tolist(), found, strict=True)
    labels = [
        ImageLabel(str(root / name), label, int(row.argmax()), float(row.max()), float(row[label]))
        for name, label, row in rows
    ]
    return labels, head.classes


def images_all_classify(
    folders: Sequence[str | Path], count: int, layer: str = "conv5_pooled"
) -> tuple[list[Path], list[str]]:
    """Test images that all probes classify correctly, one per class, and their classes.

    A map of a network that is wrong without a mask says little, and so does one of a network that is always certain:
    of each class it is the image of which the probes' mean probability is nearest to ``TYPICAL``. Classes are spread
    over those that have such an image; where there are fewer, images follow that not all classify correctly.

    Args:
        folders: Of ``layer_probes.py``, of the same test images.
        count: Number of images.
        layer: Layer of the probes.

    Raises:
        FileNotFoundError: If features or results are missing.
        ValueError: If the test images are not the same.
    """
    files = [read_features(Path(folder) / "test") for folder in folders]
    if any(file.images != files[0].images for file in files):
        raise ValueError(f"The probes in {', '.join(map(str, folders))} were not tested on the same images.")
    labels, rows = files[0].labels, np.arange(len(files[0]))
    right, mean = np.ones(len(rows), bool), np.zeros(len(rows))
    for folder, file in zip(folders, files, strict=True):
        found = _probabilities(classifier_of_probe(folder, layer), file)
        right &= found.argmax(axis=1) == labels
        mean += found[rows, labels] / len(files)
    far = np.abs(mean - TYPICAL)
    order = np.lexsort((rows, far, ~right))
    best = [int(order[np.flatnonzero(labels[order] == label)[0]]) for label in np.unique(labels)]
    good = [row for row in best if right[row]]
    chosen = [good[i] for i in np.linspace(0, len(good) - 1, min(count, len(good))).round().astype(int)]
    chosen += sorted(set(best) - set(chosen), key=lambda row: far[row])[: count - len(chosen)]
    root = image_root(files[0])
    classes = files[0].classes
    return [root / files[0].images[row] for row in chosen], [classes[labels[row]] for row in chosen]


def _probabilities(head: LinearClassifier, file: FeatureFile) -> np.ndarray:
    return head.probabilities(file.layer(head.layer).reshape(len(file), -1))
