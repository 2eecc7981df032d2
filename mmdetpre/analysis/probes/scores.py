"""How good predictions are, with confidence intervals, and the results of probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mmdetpre.utils.results import Cell, Json, Result, read_results

Interval = tuple[float, float]


@dataclass(frozen=True)
class Scores:
    """Accuracy and balanced accuracy (mean over the classes that have test images) with 95 % intervals, as fractions.

    Attributes:
        accuracy, accuracy_interval: Of the images; Wilson's interval.
        balanced_accuracy, balanced_accuracy_interval: Of the classes; percentiles of a bootstrap over the test images
            of each class.
        per_class: Class -> images that are right, images.
    """

    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    per_class: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class FeatureSet:
    """A feature file that was probed: its folder, number of images and digest."""

    path: str
    images: int
    digest: str


@dataclass(frozen=True)
class ProbeResult(Result):
    """What every probe says of a layer; see :class:`LinearProbe` and :class:`KnnProbe`.

    Attributes:
        layer, values: Name of the layer, and its number of values.
        init, data, backbone_digest: Names of weights and data, digest of the backbone; None where they are not known.
        classes: Names of the classes.
        train, test: The features.
        probe: ``linear`` or ``knn``.
        accuracy, accuracy_interval, balanced_accuracy, balanced_accuracy_interval: See :class:`Scores`.
        notes: What to know about the result.
        settings: What it was asked for, where it is kept and used again.
    """

    kind: ClassVar[str] = "probe"
    alone: ClassVar[bool] = True
    version: ClassVar[int] = 1

    layer: str
    init: str | None = field(metadata={"key": "initialisation"})
    data: str | None
    backbone_digest: str | None
    classes: tuple[str, ...]
    train: FeatureSet
    test: FeatureSet
    probe: str
    values: int
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    notes: tuple[str, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Json]) -> ProbeResult:
        """The result of :meth:`to_dict`, of the class of its probe.

        Raises:
            ValueError: If there is no such probe, a value is missing or has another type.
        """
        known: dict[str, type[ProbeResult]] = {"linear": LinearProbe, "knn": KnnProbe}
        wanted = known.get(str(values.get("probe")))
        if wanted is None:
            raise ValueError(f"its probe is {values.get('probe')!r}, expected one of {', '.join(known)}")
        return super().from_dict(values) if cls is wanted else wanted.from_dict(values)

    def how(self) -> str:
        """Kind and parameters of the probe."""
        raise NotImplementedError

    def rows(self) -> list[list[Cell]]:
        """One line: layer, weights, data, probe, and scores with their intervals."""
        head: list[Cell] = ["layer", "initialization", "data", "probe", "test images"]
        cells: list[Cell] = [self.layer, self.init, self.data, self.probe, self.test.images]
        for name in ("accuracy", "balanced_accuracy"):
            head += [name, f"{name} low", f"{name} high"]
            cells += [getattr(self, name), *getattr(self, f"{name}_interval")]
        return [head, cells]

    def __str__(self) -> str:
        """Percentages in one line, and a line per note."""
        parts = []
        for name, shown in (("accuracy", "accuracy"), ("balanced_accuracy", "balanced")):
            low, high = getattr(self, f"{name}_interval")
            spread = getattr(self, f"{name}_spread", None)
            deviation = "" if spread is None else f" (sd {100 * spread:.1f})"
            parts.append(f"{shown} {100 * getattr(self, name):.1f}{deviation} [{100 * low:.1f}, {100 * high:.1f}]")
        scores = f"{', '.join(parts)}, {self.test.images} test images"
        line = f"{self.layer} ({self.values} values), {self.how()}: {scores}"
        return "\n".join([line, *(f"  Note: {note}." for note in self.notes)])


@dataclass(frozen=True)
class SeedScores(Scores):
    """One seed of a linear probe: its regularization, how well that did on validation and training images, scores."""

    seed: int
    l2: float = field(metadata={"key": "strength"})
    validation_accuracy: float
    train_accuracy: float


@dataclass(frozen=True)
class LinearSweep:
    """Regularizations from strong to weak, validation accuracy [seed][regularization], validation part of a class."""

    l2: tuple[float, ...] = field(metadata={"key": "strengths"})
    validation_accuracy: tuple[tuple[float, ...], ...]
    validation: float


@dataclass(frozen=True)
class LinearProbe(ProbeResult):
    """Result of a linear probe: means over the seeds.

    Attributes:
        accuracy_spread, balanced_accuracy_spread: Standard deviation over the seeds.
        seeds: What each seed chose, and its scores.
        sweep: Validation accuracy of each regularization and seed.
        right: Share of the seeds that are right about each test image, in the order of the features; empty in files
            of before.
    """

    accuracy_spread: float
    balanced_accuracy_spread: float
    seeds: tuple[SeedScores, ...]
    sweep: LinearSweep
    settings: Mapping[str, Any] | None = None
    right: tuple[float, ...] = ()

    def how(self) -> str:
        """Regularization of each seed."""
        return "linear, L2 " + ", ".join(f"{entry.l2:.2g}" for entry in self.seeds)


@dataclass(frozen=True)
class KnnSweep:
    """Numbers of neighbors k, and accuracy on the training images, each left out once."""

    neighbors: tuple[int, ...] = field(metadata={"key": "neighbours"})
    left_out_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class KnnProbe(ProbeResult):
    """Result of a k-NN probe.

    Attributes:
        neighbors: The chosen k.
        metric, weighted: As they were asked for.
        per_class: See :class:`Scores`.
        sweep: Left-out accuracy of each k.
    """

    neighbors: int = field(metadata={"key": "neighbours"})
    metric: str
    weighted: bool
    per_class: dict[str, tuple[int, int]]
    sweep: KnnSweep
    settings: Mapping[str, Any] | None = None

    def how(self) -> str:
        """Number of neighbors and metric."""
        return f"{self.neighbors} nearest by {self.metric}"


def wilson_interval(right: int, total: int) -> Interval:
    """95 % confidence interval of a proportion, of Wilson's score test.

    Example:
        >>> low, high = wilson_interval(90, 100)
        >>> round(low, 4), round(high, 4)
        (0.8256, 0.9448)
    """
    from scipy.stats import binomtest  # takes half a second to import

    interval = binomtest(right, total).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def scores(predicted: np.ndarray, labels: np.ndarray, seed: int = 0, draws: int = 2000) -> Scores:
    """Scores of predictions.

    Args:
        predicted: (m,) classes.
        labels: (m,) true classes.
        seed: Of the bootstrap.
        draws: Of the bootstrap.

    Example:
        >>> scores(np.array([0, 1, 1]), np.array([0, 0, 1])).balanced_accuracy
        0.75
    """
    right = predicted == labels
    present, counts = np.unique(labels, return_counts=True)
    hits = np.array([np.count_nonzero(right[labels == label]) for label in present])
    drawn = np.random.default_rng(seed).binomial(counts, hits / counts, size=(draws, len(present))) / counts
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return Scores(
        float(right.mean()),
        wilson_interval(int(right.sum()), len(labels)),
        float((hits / counts).mean()),
        (float(low), float(high)),
        {str(k): (int(h), int(n)) for k, h, n in zip(present, hits, counts, strict=True)},
    )


def read_probe(path: str | Path) -> LinearProbe | KnnProbe:
    """Read the result of a probe.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is something else.
    """
    (found,) = read_results(path, ProbeResult, "linear_probe.py, knn_probe.py or layer_probes.py")
    assert isinstance(found, LinearProbe | KnnProbe)
    return found
