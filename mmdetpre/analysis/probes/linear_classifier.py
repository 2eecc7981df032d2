"""The linear classifier of a probe: its weights, which a probe's result only scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.probes.data import probe_data
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes
from mmdetpre.analysis.probes.scores import LinearProbe, read_probe
from mmdetpre.analysis.probes.softmax_regression import fit_path
from mmdetpre.utils.bounded_files import load_npz
from mmdetpre.utils.whole_file import whole_file

FORMAT = "mmdetpre linear classifier"


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """A softmax classifier on a layer as it is stored.

    Args:
        weights: (d, C) float32.
        bias: (C,) float32.
        classes: C names.
        layer: Name of the layer.
        l2: Its regularization.
        digest: Of the training features.

    Example:
        >>> classifier = LinearClassifier(np.eye(2, dtype="f4"), np.zeros(2, "f4"), ("a", "b"), "fc1", 1e-3, "")
        >>> classifier.probabilities(np.array([[0.0, 0.0]])).tolist()
        [[0.5, 0.5]]
    """

    weights: np.ndarray
    bias: np.ndarray
    classes: tuple[str, ...]
    layer: str
    l2: float
    digest: str

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """(n, C) probabilities of values (n, d)."""
        scores = values @ self.weights + self.bias
        found = np.exp(scores - scores.max(axis=1, keepdims=True))
        return found / found.sum(axis=1, keepdims=True)

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file, over an older one."""
        with whole_file(path) as part, part.open("wb") as file:
            np.savez(
                file, format=np.array(FORMAT), weights=self.weights, bias=self.bias, classes=np.array(self.classes),
                layer=np.array(self.layer), strength=np.array(self.l2), digest=np.array(self.digest),
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> LinearClassifier:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: If it is something else, or damaged.
        """
        arrays = load_npz(path)
        if str(arrays.get("format")) != FORMAT:
            raise ValueError(f"{path} is not a linear classifier of a probe: remove it, and it is fitted again.")
        return cls(
            arrays["weights"], arrays["bias"], tuple(map(str, arrays["classes"])), str(arrays["layer"]),
            float(arrays["strength"]), str(arrays["digest"]),
        )  # fmt: skip


def fit_linear_classifier(train: FeatureFile, test: FeatureFile, layer: str, l2: float) -> LinearClassifier:
    """The classifier that a linear probe tests, of one regularization, from all training images.

    Args:
        train: Features and classes of the training images.
        test: Those of the test images, from the same weights.
        layer: Name of the layer.
        l2: Its regularization.

    Raises:
        ValueError: If the features do not fit each other, see :func:`~mmdetpre.analysis.probes.data.probe_data`.
    """
    data = probe_data(train, test, layer)
    design = PrincipalAxes(data.train, name=layer)
    (solution,) = fit_path(design, data.train_labels, len(data.classes), [l2])
    weights, bias = design.linear_map(solution.weights, solution.bias)
    return LinearClassifier(weights, bias, data.classes, layer, l2, train.digest())


def classifier_of_probe(folder: str | Path, layer: str = "conv5_pooled") -> LinearClassifier:
    """The classifier of a folder that ``layer_probes.py`` wrote: fitted once, then kept beside the probe's result.

    Its regularization is the one that the probe chose with its first seed.

    Args:
        folder: Holds ``train``, ``test`` and ``results``.
        layer: Layer whose probe it is.

    Raises:
        FileNotFoundError: If the folder holds no features, or no result of this layer.
        ValueError: If features and result do not belong together.

    Example:
        >>> classifier_of_probe("work_dirs/layer_probes").weights.shape  # doctest: +SKIP
        (2048, 257)
    """
    folder = Path(folder)
    train, test = read_features(folder / "train"), read_features(folder / "test")
    path = folder / "results" / f"{layer}_linear.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no linear probe of {layer} (results/{path.name}): run layer_probes.py with --layers"
            f" {layer} --out {folder}."
        )
    result = read_probe(path)
    if not isinstance(result, LinearProbe) or result.train.digest != train.digest():
        raise ValueError(f"{path} was made of other features than {train.path}: run the probe again.")
    l2 = result.seeds[0].l2
    kept = path.with_suffix(".npz")
    if kept.is_file():
        found = LinearClassifier.load(kept)
        if (found.digest, found.l2, found.layer) == (train.digest(), l2, layer):
            return found
    fitted = fit_linear_classifier(train, test, layer, l2)
    fitted.save(kept)
    return fitted
