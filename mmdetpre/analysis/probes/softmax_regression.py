"""Softmax regression with L2 regularization: a path of regularizations for little more than one fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from mmdetpre.analysis.features.feature_file import row_blocks
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes

L2_VALUES = tuple(float(f"{10**exponent:.3g}") for exponent in np.linspace(-1, -6.5, 12))
"""Usual regularizations, strong to weak. For n images, scikit-learn's C is 1 / (n * l2)."""

SWEEP_TOLERANCE = 1e-5
"""Tolerance of fits that are only ranked."""


@dataclass(frozen=True, eq=False)
class Solution:
    """A fit for one regularization.

    Args:
        l2: Factor of half the squared weights beside the mean cross-entropy.
        weights: (axes, C) float32 along the principal axes.
        bias: (C,) float32.
        predicted: (n,) int64 class of each image of the design, also of those that were not trained on.
        loss: What was minimized.
        evaluations: How often the loss was computed.
        converged: False if the limit of steps was reached.
    """

    l2: float
    weights: np.ndarray
    bias: np.ndarray
    predicted: np.ndarray
    loss: float
    evaluations: int
    converged: bool


def fit_path(
    design: PrincipalAxes,
    labels: np.ndarray,
    classes: int,
    l2: Sequence[float] = L2_VALUES,
    *,
    train_mask: np.ndarray | None = None,
    init: Solution | None = None,
    tolerance: float = 1e-8,
    max_steps: int = 500,
    progress: Callable[[], object] | None = None,
) -> list[Solution]:
    """Fit a softmax classifier for each regularization, each from the one before.

    Minimizes the mean cross-entropy of the training images plus ``l2 / 2`` times the squared weights, the bias
    left out, by L-BFGS. Along the principal axes the curvature of the loss is nearly known: weights are scaled by
    the root of ``curvature of the class * variance of the axis + l2``, which leaves a few steps per fit.

    Args:
        design: Features of n images.
        labels: (n,) classes.
        classes: Number of classes C.
        l2: Factors of the regularization, positive; strong to weak is fastest.
        train_mask: (n,) bool, the training images; None: all.
        init: Initial solution.
        tolerance: A fit ends when a step lowers the loss by less than this.
        max_steps: Limit of steps per fit.
        progress: Called after each fit.

    Returns:
        A solution per factor, in their order.

    Raises:
        ValueError: If a factor is not positive.

    Example:
        >>> features = np.array([[-1.0], [-2.0], [2.0], [3.0]], np.float32)
        >>> (solution,) = fit_path(PrincipalAxes(features), np.array([0, 0, 1, 1]), 2, [1e-3])
        >>> solution.predicted.tolist()
        [0, 0, 1, 1]
    """
    if wrong := [factor for factor in l2 if not factor > 0]:
        raise ValueError(f"The regularization {wrong[0]} is not positive: give numbers such as 1e-3.")
    train_mask = np.ones(len(labels), bool) if train_mask is None else train_mask
    sample_weights = (train_mask / np.count_nonzero(train_mask)).astype(np.float32)
    weights = np.zeros((len(design.variances), classes)) if init is None else init.weights.astype(np.float64)
    bias = np.zeros(classes) if init is None else init.bias.astype(np.float64)
    curvature = np.full(classes, (1 - 1 / classes) / classes)
    if init is not None:
        curvature = _predict_and_curvature(design, init.weights, init.bias, sample_weights)[1]
    solutions: list[Solution] = []
    for factor in l2:
        variances = np.append(design.variances, 1.0)[:, None]  # of the bias: 1
        penalty = np.append(np.full(len(design.variances), factor), 0.0)[:, None]
        scale = 1 / np.sqrt(np.maximum(curvature, 1e-6) * variances + penalty)

        guess = _extrapolate(solutions, factor)
        begin = np.vstack([weights, bias]) if guess is None else guess
        found = _fit(partial(_loss, design, labels, sample_weights, penalty), begin, scale, tolerance, max_steps)
        weights, bias = np.split(found.x, [-1])
        bias = bias[0]
        single = weights.astype(np.float32), bias.astype(np.float32)
        predicted, curvature = _predict_and_curvature(design, *single, sample_weights)
        solutions.append(Solution(factor, *single, predicted, float(found.fun), int(found.nfev), found.nit < max_steps))
        if progress is not None:
            progress()
    return solutions


def _extrapolate(solutions: Sequence[Solution], l2: float) -> np.ndarray | None:
    """Where the last two solutions point to: weights change evenly with the logarithm of the factor."""
    if len(solutions) < 2 or solutions[-1].l2 == solutions[-2].l2:
        return None
    before, last = (np.vstack([s.weights, s.bias]).astype(np.float64) for s in solutions[-2:])
    step = np.log(l2 / solutions[-1].l2) / np.log(solutions[-1].l2 / solutions[-2].l2)
    return last + np.clip(step, -1, 1) * (last - before)


def predict(values: np.ndarray, weights: np.ndarray, bias: np.ndarray, block_bytes: int = 64 << 20) -> np.ndarray:
    """(n,) int64 classes of values (n, d), which may be memory-mapped, by a linear model (d, C), (C,).

    Args:
        values: (n, d) float32 features.
        weights: (d, C) float weights.
        bias: (C,) float biases.
        block_bytes: Size of the rows that are read at once, in bytes.
    """
    parts = [(values[block] @ weights + bias).argmax(axis=1) for block in row_blocks(values, block_bytes)]
    return np.concatenate(parts).astype(np.int64)


def _fit(
    loss: Callable[[np.ndarray], tuple[float, np.ndarray]],
    begin: np.ndarray,
    scale: np.ndarray,
    tolerance: float,
    max_steps: int,
) -> OptimizeResult:
    """L-BFGS on ``weights / scale``, where the curvature is about 1.

    The first step of SciPy's L-BFGS is one unit long. Measured in lengths of the first gradient, that is the step of
    Newton's method.
    """
    value, gradient = loss(begin)
    scale = scale * max(float(np.linalg.norm(gradient * scale)), 1e-12)
    first = (value, (gradient * scale).ravel())
    start = (begin / scale).ravel()

    def scaled(flat: np.ndarray) -> tuple[float, np.ndarray]:
        if np.array_equal(flat, start):
            return first
        value, gradient = loss(flat.reshape(scale.shape) * scale)
        return value, (gradient * scale).ravel()

    options = dict(maxiter=max_steps, ftol=tolerance, gtol=0.0)
    found = minimize(scaled, start, jac=True, method="L-BFGS-B", options=options)
    found.x = found.x.reshape(scale.shape) * scale
    return found


def _loss(
    design: PrincipalAxes, labels: np.ndarray, sample_weights: np.ndarray, penalty: np.ndarray, all_weights: np.ndarray
) -> tuple[float, np.ndarray]:
    value, gradient = _cross_entropy(design, all_weights, labels, sample_weights)
    return value + 0.5 * float(np.sum(penalty * all_weights**2)), gradient + penalty * all_weights


def _cross_entropy(
    design: PrincipalAxes, all_weights: np.ndarray, labels: np.ndarray, sample_weights: np.ndarray
) -> tuple[float, np.ndarray]:
    """Weighted cross-entropy, and its gradient (axes + 1, C) along the axes and for the bias."""
    columns = design.from_axes(all_weights[:-1].astype(np.float32))
    bias = all_weights[-1].astype(np.float32)
    gradient, bias_gradient, value = np.zeros_like(columns), np.zeros(len(bias)), 0.0
    for block, matrix in design.blocks(len(bias)):
        weight = sample_weights[block]
        rows, truth = np.arange(len(matrix)), labels[block]
        scores = matrix @ columns
        scores += bias
        scores -= scores.max(axis=1, keepdims=True)
        of_truth = scores[rows, truth]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1)
        value += float(weight.astype(np.float64) @ (np.log(total) - of_truth))
        scores *= (weight / total)[:, None]
        scores[rows, truth] -= weight
        gradient += matrix.T @ scores
        bias_gradient += scores.sum(axis=0)
    return value, np.vstack([design.to_axes(gradient), bias_gradient]).astype(np.float64)


def _predict_and_curvature(
    design: PrincipalAxes, weights: np.ndarray, bias: np.ndarray, sample_weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Predicted classes (n,), and each class's mean of p (1 - p) over the training images (C,)."""
    columns, predicted, curvature = design.from_axes(weights), [], np.zeros(len(bias))
    for block, matrix in design.blocks(len(bias)):
        scores = matrix @ columns + bias
        predicted.append(scores.argmax(axis=1))
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        curvature += sample_weights[block] @ (scores * (1 - scores))
    return np.concatenate(predicted).astype(np.int64), curvature
