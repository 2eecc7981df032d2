"""Softmax regression: scikit-learn's optimum, by every route, along the whole path."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from mmdetpre.analysis.probes import softmax_regression as module
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes
from mmdetpre.analysis.probes.softmax_regression import L2_VALUES, fit_path, predict


def drawn(images: int, size: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes with a falling spectrum, as features of a network have."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    latent = random.normal(size=(classes, 12))[labels] + random.normal(size=(images, 12))
    latent *= np.linspace(3, 0.1, 12)
    values = np.maximum(latent @ np.random.default_rng(9).normal(size=(12, size)) + 1, 0)
    return (values + 0.1 * random.normal(size=values.shape)).astype(np.float32), labels


def sklearn_fit(design: PrincipalAxes, labels: np.ndarray, l2: float, train_mask: np.ndarray):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / (train_mask.sum() * l2), tol=1e-7, max_iter=5000)
    return model.fit(design.standardized(slice(None))[train_mask].astype(np.float64), labels[train_mask])


@pytest.mark.parametrize(("images", "size", "max_axes"), [(90, 20, 16384), (60, 150, 16384), (90, 20, 1)])
@pytest.mark.parametrize("block_bytes", [2000, 1 << 20])
def test_reaches_the_optimum_of_scikit_learn(images: int, size: int, max_axes: int, block_bytes: int) -> None:
    values, labels = drawn(images, size)
    unseen = drawn(200, size, seed=1)[0]
    train_mask = np.random.default_rng(2).random(images) < 0.7
    design = PrincipalAxes(values, max_axes, block_bytes)
    factors = L2_VALUES[1:8:3]
    path = fit_path(design, labels, 4, factors, train_mask=train_mask, tolerance=1e-9)
    for solution, l2 in zip(path, factors, strict=True):
        theirs = sklearn_fit(design, labels, l2, train_mask)
        assert solution.l2 == l2 and solution.converged
        ours = predict(unseen, *design.linear_map(solution.weights, solution.bias), block_bytes=5000)
        standardized = (unseen - design.mean) * design.inverse_scale
        assert np.mean(ours == theirs.predict(standardized)) >= 0.995
        assert np.mean(solution.predicted == theirs.predict(design.standardized(slice(None)))) >= 0.98
        penalty = l2 / 2 * np.sum(theirs.coef_**2)
        chances = theirs.predict_proba(design.standardized(slice(None)))[np.flatnonzero(train_mask), labels[train_mask]]
        assert solution.loss == pytest.approx(penalty - np.mean(np.log(chances)), abs=1e-4)


def test_gradient_is_that_of_the_loss() -> None:
    values, labels = drawn(30, 6)
    design = PrincipalAxes(values, block_bytes=200)
    weights = np.full(30, 1 / 30, np.float32)
    shape = (len(design.variances) + 1, 4)
    penalty = np.append(np.full(shape[0] - 1, 0.1), 0)[:, None]

    def loss(flat: np.ndarray) -> float:
        return module._loss(design, labels, weights, penalty, flat.reshape(shape))[0]

    def gradient(flat: np.ndarray) -> np.ndarray:
        return module._loss(design, labels, weights, penalty, flat.reshape(shape))[1].ravel()

    point = np.random.default_rng(0).normal(size=np.prod(shape))
    assert check_grad(loss, gradient, point, epsilon=1e-2) < 5e-3


def test_a_path_ends_where_single_fits_end_and_needs_fewer_steps() -> None:
    values, labels = drawn(300, 40)
    design = PrincipalAxes(values)
    path = fit_path(design, labels, 4, tolerance=1e-6)
    single = [fit_path(design, labels, 4, [l2], tolerance=1e-6)[0] for l2 in L2_VALUES]
    for ours, theirs in zip(path, single, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, abs=2e-4)
    assert sum(s.evaluations for s in path) < 0.6 * sum(s.evaluations for s in single)
    again = fit_path(design, labels, 4, [L2_VALUES[5]], init=path[5], tolerance=1e-6)[0]
    assert again.evaluations < single[5].evaluations / 2


def test_images_that_are_not_trained_on_do_not_matter() -> None:
    values, labels = drawn(80, 10)
    train_mask = np.arange(80) % 3 > 0
    other = np.where(train_mask, labels, (labels + 1) % 4)
    design = PrincipalAxes(values)
    first, second = (fit_path(design, y, 4, [1e-3], train_mask=train_mask)[0] for y in (labels, other))
    assert np.array_equal(first.weights, second.weights) and np.array_equal(first.predicted, second.predicted)


def test_limits_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    values, labels = drawn(40, 10)
    design = PrincipalAxes(values)
    assert not fit_path(design, labels, 4, [1e-6], max_steps=2)[0].converged
    for l2 in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="not positive"):
            fit_path(design, labels, 4, [1e-3, l2])
    called: list[int] = []
    fit_path(design, labels, 4, [1e-2, 1e-3], progress=lambda: called.append(1))
    assert len(called) == 2


def test_usual_factors_are_twelve_and_fall() -> None:
    assert len(L2_VALUES) == 12 and list(L2_VALUES) == sorted(L2_VALUES, reverse=True)
