"""Standardized features along their principal axes, read block by block from a memory-mapped matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import blas, eigh

from mmdetpre.analysis.features.feature_file import require_finite, row_blocks

_EXACT_SIZE = 4096
_SMALLEST = 1e-6
"""Axes with less than this fraction of the largest variance are rounding where the matrix is rebuilt from its axes."""


class PrincipalAxes:
    """A view of features (n, d): each value minus its mean, over its deviation, over the square root of d.

    Images then have a mean squared length of 1, whatever the layer. A value that is the same for all images counts 0.
    The eigenvectors of the covariance, or, for fewer images than values, of the products of images, give axes in which
    a linear model is well conditioned; nothing is approximated by them.

    Args:
        values: (n, d) float32, may be memory-mapped. It is never copied as a whole.
        max_axes: Greatest n or d (the smaller counts) whose eigenvectors are computed: of 16,384 they take 1 GB. Beyond
            it the axes are those of the values.
        block_bytes: Size of the blocks that are read.
        name: What the features are, for messages.

    Attributes:
        variances: Mean square of the n images along each axis.

    Raises:
        ValueError: If a value is not finite, or all images have the same values.
    """

    def __init__(
        self, values: np.ndarray, max_axes: int = 16384, block_bytes: int = 64 << 20, name: str = "features"
    ) -> None:
        self.values, self._bytes = values, block_bytes
        self.mean, self.inverse_scale = _standardization(values, block_bytes, name)
        images, size = values.shape
        self._axes: np.ndarray | None = None
        self._rotated: np.ndarray | None = None
        if min(images, size) > max_axes:
            self.variances = np.where(self.inverse_scale > 0, 1 / size, 0)
        elif size <= images:
            squares, self._axes = _eigen(self._covariance())
            self.variances = np.maximum(squares, 0) / images
        else:
            squares, vectors = _eigen(self._products())
            kept = squares > _SMALLEST * squares[-1]
            squares, vectors = squares[kept], vectors[:, kept]
            self.variances = squares / images
            self._rotated = vectors * np.sqrt(squares).astype(np.float32)
            self._lengths = squares

    def __len__(self) -> int:
        """Number of images."""
        return len(self.values)

    def standardized(self, block: slice) -> np.ndarray:
        """(b, d) float32 standardized values of some images."""
        return (self.values[block] - self.mean) * self.inverse_scale

    def blocks(self, outputs: int = 0) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows, and a matrix (b, m) that :meth:`from_axes` fits; together they are all images.

        Args:
            outputs: Numbers per image that the caller makes of a block, counted as part of its size.
        """
        values = self.values if self._rotated is None else self._rotated
        for block in row_blocks(values, self._bytes * values.shape[1] // (values.shape[1] + outputs)):
            yield block, self.standardized(block) if self._rotated is None else self._rotated[block]

    def from_axes(self, weights: np.ndarray) -> np.ndarray:
        """(m, C) weights of a block's columns, of weights (axes, C)."""
        return weights if self._axes is None else self._axes @ weights

    def to_axes(self, gradient: np.ndarray) -> np.ndarray:
        """(axes, C) gradient along the axes, of that of a block's columns (m, C); the transpose of `from_axes`."""
        return gradient if self._axes is None else self._axes.T @ gradient

    def linear_map(self, weights: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same linear model on values that are not standardized: weights (d, C) and bias (C,), float32."""
        if self._rotated is None:
            standardized = self.from_axes(weights)
        else:
            of_images = self._rotated @ (weights / self._lengths[:, None].astype(np.float32))
            standardized = np.zeros((self.values.shape[1], weights.shape[1]), np.float32)
            for block in row_blocks(self.values, self._bytes):
                standardized += self.standardized(block).T @ of_images[block]
        raw = standardized * self.inverse_scale[:, None]
        return raw, (bias - self.mean.astype(np.float64) @ raw).astype(np.float32)

    def _covariance(self) -> np.ndarray:
        size = self.values.shape[1]
        total = np.zeros((size, size), np.float32, order="F")
        for block in row_blocks(self.values, self._bytes):
            total = blas.ssyrk(1.0, self.standardized(block).T, beta=1.0, c=total, lower=1, overwrite_c=1)
        return total

    def _products(self) -> np.ndarray:
        """Products of images, added up over groups of columns so that every value is read once."""
        images, size = self.values.shape
        total = np.zeros((images, images), np.float32, order="F")
        step = max(1, self._bytes // (4 * images))
        for start in range(0, size, step):
            columns = slice(start, start + step)
            part = (self.values[:, columns] - self.mean[columns]) * self.inverse_scale[columns]
            total = blas.ssyrk(1.0, part.T, trans=1, beta=1.0, c=total, lower=1, overwrite_c=1)
        return total


def _standardization(values: np.ndarray, block_bytes: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and inverse deviation over the root of d (d,), 0 where all values are the same; float32."""
    size = values.shape[1]
    total, squares = np.zeros(size), np.zeros(size)
    shift = values[0].astype(np.float64)
    for block in row_blocks(values, block_bytes):
        part = values[block] - shift
        total += part.sum(axis=0)
        squares += np.einsum("ij,ij->j", part, part)
    mean = total / len(values)
    deviation = np.sqrt(np.maximum(squares / len(values) - mean**2, 0))
    mean += shift
    if not np.isfinite(mean).all() or not np.isfinite(deviation).all():
        require_finite(values, name)
        raise ValueError(f"{name} are too large to be standardized in float64: scale them first.")
    varies = deviation > 1e-6 * np.abs(mean)
    if not varies.any():
        raise ValueError(f"{name} are the same for all {len(values)} images: the layer is dead, or the images are one.")
    scale = np.where(varies, deviation, 1) * np.sqrt(size)
    return mean.astype(np.float32), np.where(varies, 1 / scale, 0).astype(np.float32)


def _eigen(symmetric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, rising, and eigenvectors float32, of the lower triangle; it is overwritten."""
    if len(symmetric) <= _EXACT_SIZE:
        symmetric = symmetric.astype(np.float64, order="F")
    values, vectors = eigh(symmetric, lower=True, overwrite_a=True, check_finite=False, driver="evd")
    return values.astype(np.float64), vectors.astype(np.float32, copy=False)
