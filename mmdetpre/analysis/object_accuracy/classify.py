"""Which images a frozen backbone with a linear probe, or a fine-tuned classifier, classifies correctly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmdetpre.analysis.features.batches import CROP, RESIZE_EDGE, WholeImages, normalize, read_batches
from mmdetpre.analysis.features.extract import extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.features.image_set import ImageSet
from mmdetpre.analysis.probes.layers import probe_layers
from mmdetpre.analysis.probes.linear_classifier import classifier_of_probe
from mmdetpre.inference.classifier import open_classifier

LAYER = "conv5_pooled"


@dataclass(frozen=True)
class Runner:
    """How networks are run on images.

    Attributes:
        device: Where.
        options: Values of the models' configs to override, by dotted key.
        resize_edge, crop: See :class:`mmdetpre.analysis.features.batches.WholeImages`.
        batch_size: Images that pass a model together.
        workers: Processes that decode images.
        overwrite: Replace features and probes that are there.
    """

    device: str = "cpu"
    options: Mapping[str, Any] | None = None
    resize_edge: int = RESIZE_EDGE
    crop: int = CROP
    batch_size: int = 32
    workers: int = 0
    overwrite: bool = False

    def probe(self, config: str, checkpoint: str, train: ImageSet, test: ImageSet, folder: Path) -> np.ndarray:
        """(n,) bool, whether a linear classifier on a frozen backbone classifies the test images correctly.

        Args:
            config, checkpoint: Of a model with the backbone.
            train, test: The images.
            folder: Where features and probe are kept and used again; tables call the weights by its name.

        Raises:
            BackboneNotLoaded: If the backbone cannot be loaded completely.
            ValueError: If what is kept was made from other inputs.
        """
        source = open_feature_source(config, checkpoint, [LAYER], device=self.device, options=self.options)
        for part, images in (("train", train), ("test", test)):
            extract_features(
                source, images, folder / part, init=folder.name, resize_edge=self.resize_edge, crop=self.crop,
                batch_size=self.batch_size, workers=self.workers, overwrite=self.overwrite,
            )  # fmt: skip
        trained, tested = (read_features(folder / part) for part in ("train", "test"))
        probe_layers(trained, tested, [LAYER], folder / "results", neighbors=None, overwrite=self.overwrite)
        values = tested.layer(LAYER).reshape(len(tested), -1)
        return classifier_of_probe(folder, LAYER).probabilities(values).argmax(axis=1) == tested.labels

    def classify(self, config: str, checkpoint: str, test: ImageSet, name: str) -> np.ndarray:
        """(n,) bool, whether a fine-tuned classifier classifies the images correctly.

        Args:
            config, checkpoint: Of a classifier of mmpretrain.
            test: The images.
            name: What messages call the classifier.

        Raises:
            ValueError: If it does not know a class of the images.
        """
        classifier = open_classifier(config, checkpoint, device=self.device, options=self.options)
        wanted = [test.classes[label] for label in test.labels]
        if missing := sorted(set(wanted) - set(classifier.classes)):
            raise ValueError(
                f"{name} does not know the class {missing[0]} ({len(missing)} of those of the images): give a"
                " classifier whose classes have the same names."
            )
        rows = np.array_split(np.arange(len(test)), -(-len(test) // self.batch_size))
        found: list[str] = []
        for pixels in read_batches(WholeImages(test, self.resize_edge, self.crop), rows, self.workers):
            with torch.inference_mode():
                scores = classifier(normalize(pixels.to(self.device), classifier.preprocessing))
            found += [classifier.classes[int(label)] for label in scores.argmax(dim=1)]
        return np.array(found) == np.array(wanted)
