"""Linear centered kernel alignment (CKA) between layers of two networks, from minibatches of the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np

from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.results import Cell, Result
from mmdetpre.utils.tables import text_table

_BLOCK_VALUES = 1 << 22  # numbers of a batch that are multiplied at a time: 32 MB


@dataclass(frozen=True)
class NetworkLayers:
    """Name of a network and of its layers."""

    name: str
    layers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class LayerSimilarity(Result):
    """CKA of every layer of one network with every layer of another.

    Attributes:
        runs: The two networks.
        cka: (A, B) float64. 1: the same up to rotation, shift and scale. Unrelated layers lie around 0, also below.
        batch_size: Images in each minibatch.
        batches: Number of minibatches.
        epochs, seed: How often the images were reshuffled into batches, and seed of that.
    """

    kind: ClassVar[str] = "layer similarity"
    alone: ClassVar[bool] = True

    runs: tuple[NetworkLayers, NetworkLayers]
    cka: np.ndarray
    batch_size: int
    batches: int
    epochs: int
    seed: int

    def rows(self) -> list[list[Cell]]:
        """One line per pair of layers."""
        first, second = self.runs
        values = zip(product(first.layers, second.layers), self.cka.ravel().tolist(), strict=True)
        return [[first.name, second.name, "cka"], *([*layers, value] for layers, value in values)]

    def __str__(self) -> str:
        """Layers of the first network x layers of the second."""
        first, second = self.runs
        rows = [
            [layer, *(f"{value:.3f}" for value in values)]
            for layer, values in zip(first.layers, self.cka.tolist(), strict=True)
        ]
        return text_table([f"{first.name} / {second.name}", *second.layers], rows)


def layer_cka(
    layers_a: Mapping[str, np.ndarray],
    layers_b: Mapping[str, np.ndarray],
    *,
    names: Sequence[str] = ("a", "b"),
    batch_size: int = 256,
    epochs: int = 10,
    seed: int = 0,
    progress: bool = False,
) -> LayerSimilarity:
    """Compare layers on the same images.

    The unbiased estimates of HSIC of minibatches are averaged, those of each pair of layers and those of each layer
    with itself; CKA is the ratio of the averages. What is left over after the last whole batch of an epoch is not used
    in it. One batch and a part of one layer are in memory at a time.

    Args:
        layers_a: Name and values (n, ...) of the layers of one network; maps are flattened.
        layers_b: Those of the other, on the same n images.
        names: Names of the two networks.
        batch_size: Images per minibatch, at least 4; all, if there are fewer.
        epochs: How often the images are reshuffled into batches.
        seed: Of the shuffling.
        progress: Show a progress bar.

    Raises:
        ValueError: If numbers of images differ, there are fewer than 4, ``batch_size`` or ``epochs`` is out of range,
            or a layer is the same for all images, which leaves CKA undefined.

    Source: Nguyen, Raghu and Kornblith, "Do Wide and Deep Networks Learn the Same Things?" (2021), equations 2 to 4;
        the estimator is HSIC_1 of Song et al., "Feature Selection via Dependence Maximization" (2012).

    Example:
        >>> values = np.random.default_rng(0).normal(size=(64, 5))
        >>> layer_cka({"fc1": values}, {"fc1": -2 * values}, batch_size=16, epochs=1).cka.round(6).tolist()
        [[1.0]]
    """
    layers = [(side, name, values) for side, ours in enumerate((layers_a, layers_b)) for name, values in ours.items()]
    n = _check([(name, values) for _, name, values in layers], batch_size, epochs)
    size = min(batch_size, n)
    random = np.random.default_rng(seed)
    rows = [np.sort(part) for _ in range(epochs) for part in _split(random.permutation(n), size)]
    total = np.zeros((len(layers), len(layers)))
    for batch in progress_bar(rows, unit="batch", desc="CKA", disable=not progress):
        kernels = np.stack([centered_kernel(values, batch).ravel() for _, _, values in layers])
        total += kernels @ kernels.T  # n(n - 3) times the unbiased HSIC of each pair; the factor cancels
    own = total.diagonal()
    if not (own > 0).all():
        name = layers[int(np.argmin(own))][1]
        raise ValueError(f"the layer '{name}' has the same value for all images: CKA is undefined. Leave it out.")
    cka = total / np.sqrt(own[:, None] * own)
    a, b = (NetworkLayers(name, tuple(of)) for name, of in zip(names, (layers_a, layers_b), strict=True))
    return LayerSimilarity((a, b), cka[: len(layers_a), len(layers_a) :], size, len(rows), epochs, seed)


def centered_kernel(values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """(m, m) float64 inner products of rows, centered so that products of two such matrices give the unbiased HSIC.

    The diagonal is zero, and so is the sum of every row: HSIC_1 = sum(K * L) / (m (m - 3)).

    Args:
        values: (n, ...) values; maps are flattened.
        rows: The m >= 4 rows to take; None: all.

    Example:
        >>> kernel = centered_kernel(np.random.default_rng(0).normal(size=(6, 3)))
        >>> bool(np.allclose(kernel.sum(axis=0), 0)), kernel.diagonal().tolist()
        (True, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    rows = np.arange(len(values)) if rows is None else rows
    m = len(rows)
    flat = values.reshape(len(values), -1)
    step = max(1, _BLOCK_VALUES // m)
    kernel = np.zeros((m, m))
    for start in range(0, flat.shape[1], step):
        part = flat[rows, start : start + step].astype(np.float64)
        part -= part[0]  # constant values become exactly 0
        part -= part.mean(axis=0)  # a shift changes nothing but the rounding
        kernel += part @ part.T
    np.fill_diagonal(kernel, 0)
    sums = kernel.sum(axis=0)
    kernel += sums.sum() / ((m - 1) * (m - 2)) - (sums + sums[:, None]) / (m - 2)
    np.fill_diagonal(kernel, 0)
    return kernel


def _split(order: np.ndarray, size: int) -> Sequence[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order) - size + 1, size)]


def _check(layers: Sequence[tuple[str, np.ndarray]], batch_size: int, epochs: int) -> int:
    if not layers:
        raise ValueError("No layers are given: give at least one of each network.")
    n = len(layers[0][1])
    for name, values in layers:
        if len(values) != n:
            raise ValueError(f"'{name}' holds {len(values)} images and '{layers[0][0]}' {n}: compare the same images.")
    if n < 4:
        raise ValueError(f"{n} images are given: the unbiased estimate needs 4 or more.")
    if batch_size < 4 or epochs < 1:
        raise ValueError(
            f"batch_size is {batch_size} and epochs {epochs}: give 4 images per batch or more, and an epoch or more."
        )
    return n
