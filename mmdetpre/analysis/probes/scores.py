"""How good predictions are, with confidence intervals; and the file of a probe's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmdetpre.analysis.features.feature_file import FeatureFile
from mmdetpre.utils import bounded_files
from mmdetpre.utils.whole_file import write_json

FORMAT = "mmdetpre probe"
FORMAT_VERSION = 1
_Z = 1.959963984540054


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion, of Wilson's score test.

    Example:
        >>> low, high = wilson_interval(90, 100)
        >>> round(low, 4), round(high, 4)
        (0.8256, 0.9448)
    """
    share = right / total
    centre = (share + _Z**2 / (2 * total)) / (1 + _Z**2 / total)
    half = _Z / (1 + _Z**2 / total) * np.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def scores(predicted: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 2000) -> dict[str, Any]:
    """Accuracy and balanced accuracy (mean over the classes that have test images), as fractions.

    Args:
        predicted: (m,) classes.
        labels: (m,) true classes.
        seed: Of the bootstrap.
        draws: Of the bootstrap.

    Returns:
        ``accuracy`` with Wilson's interval, ``balanced_accuracy`` with that of a bootstrap over the test images of each
        class (percentiles), both of 95 %, and ``per_class``: class -> [right, images].
    """
    right = predicted == labels
    present, counts = np.unique(labels, return_counts=True)
    hits = np.array([np.count_nonzero(right[labels == label]) for label in present])
    drawn = np.random.default_rng(seed).binomial(counts, hits / counts, size=(draws, len(present))) / counts
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": list(wilson_interval(int(right.sum()), len(labels))),
        "balanced_accuracy": float((hits / counts).mean()),
        "balanced_accuracy_interval": [float(low), float(high)],
        "per_class": {int(k): [int(h), int(n)] for k, h, n in zip(present, hits, counts, strict=True)},
    }


def write_result(path: str | Path, result: Mapping[str, Any], *, overwrite: bool = False) -> None:
    """Write the result of a probe as JSON.

    Args:
        path: The JSON file.
        result: What the probe returned.
        overwrite: Replace an existing file.

    Raises:
        FileExistsError: If the file exists.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: choose another name, or add --force to overwrite it.")
    content = {"format": FORMAT, "version": FORMAT_VERSION, **result}
    write_json(path, content, overwrite=overwrite)


def read_result(path: str | Path) -> dict[str, Any]:
    """Read the result of a probe.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        content = bounded_files.read_json(path)
        found = (content.get("format"), content.get("version"))
    except (AttributeError, ValueError) as error:
        raise ValueError(f"{path} is no result of a probe ({error}).") from error
    if found != (FORMAT, FORMAT_VERSION):
        raise ValueError(f"{path} is no result of a probe: it says {found}, expected {(FORMAT, FORMAT_VERSION)}.")
    return dict(content)


def result_head(train: FeatureFile, test: FeatureFile, layer: str, classes: Sequence[str]) -> dict[str, Any]:
    """What every result says of the features it was made of.

    Args:
        train: Features of the training images.
        test: Features of the test images.
        layer: Name of the layer.
        classes: Class names, in the order of the labels.
    """
    return {
        "layer": layer,
        "initialisation": train.metadata.get("initialisation"),
        "data": train.metadata.get("data_name"),
        "backbone_digest": train.metadata.get("backbone_digest"),
        "classes": list(classes),
        "train": {"path": str(train.path), "images": len(train), "digest": train.digest()},
        "test": {"path": str(test.path), "images": len(test), "digest": test.digest()},
    }


def result_line(result: Mapping[str, Any]) -> str:
    """A result in words, in percent.

    Example:
        >>> print(result_line({"layer": "fc1", "values": 1024, "probe": "knn", "neighbours": 5, "metric": "cosine",
        ...     "accuracy": 0.5, "accuracy_interval": [0.4, 0.6], "balanced_accuracy": 0.45,
        ...     "balanced_accuracy_interval": [0.35, 0.55], "test": {"images": 100}}))
        fc1 (1024 values), 5 nearest by cosine: accuracy 50.0 [40.0, 60.0], balanced 45.0 [35.0, 55.0], 100 test images
    """
    parts = []
    for name, shown in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced")):
        low, high = result[f"{name}_interval"]
        spread = f" (sd {100 * result[f'{name}_spread']:.1f})" if f"{name}_spread" in result else ""
        parts.append(f"{shown} {100 * result[name]:.1f}{spread} [{100 * low:.1f}, {100 * high:.1f}]")
    if result["probe"] == "knn":
        how = f"{result['neighbours']} nearest by {result['metric']}"
    else:
        how = "linear, strengths " + ", ".join(f"{entry['strength']:.2g}" for entry in result["seeds"])
    images = result["test"]["images"]
    return f"{result['layer']} ({result['values']} values), {how}: {', '.join(parts)}, {images} test images"
