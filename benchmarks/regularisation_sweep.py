"""Linear probes: our sweep of twelve regularisations against one fit of ours, and against scikit-learn's.

    python benchmarks/regularisation_sweep.py             # 2,000 x 512, 20 classes; 1,000 x 12,544, 50
    python benchmarks/regularisation_sweep.py --sizes 2000x512x20 5000x2048x257 --no-sklearn
    python benchmarks/regularisation_sweep.py --features work_dirs/features/train work_dirs/features/test --layer fc1

Features are generated (half for learning, half for testing) or taken from feature files. All programs get the same
standardised features and minimise the same sum: mean cross-entropy plus strength / 2 times the squared weights. Our
times hold the principal axes. The one fit is that of the strength that the sweep finds best on a validation part;
scikit-learn fits it with its default tolerance, with that which lets it reach our loss, and then makes its own choice:
all twelve on the same learning part, the best on the same validation part, fitted again to all images.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mmdetpre.analysis.feature_file import read_features
from mmdetpre.analysis.principal_axes import PrincipalAxes
from mmdetpre.analysis.probe_data import ProbeData, probe_data, stratified_part
from mmdetpre.analysis.softmax_regression import STRENGTHS, SWEEP_TOLERANCE, fit_path, predict


def drawn(images: int, size: int, classes: int) -> ProbeData:
    """Features as a network gives them: not negative, correlated, a falling spectrum; a tenth has a wrong class."""
    random = np.random.default_rng(0)
    axes = min(size, 256)
    labels = random.permutation(np.arange(2 * images) % classes)
    latent = random.normal(size=(classes, axes))[labels] + 2 * random.normal(size=(2 * images, axes))
    latent *= 10 / np.arange(1, axes + 1)
    values = latent @ random.normal(size=(axes, size)) + 0.3 * random.normal(size=(2 * images, size))
    values = np.maximum(values, 0).astype(np.float32)
    wrong = random.random(2 * images) < 0.1
    labels[wrong] = random.integers(0, classes, np.count_nonzero(wrong))
    names = tuple(map(str, range(classes)))
    return ProbeData("drawn", values[:images], labels[:images], values[images:], labels[images:], names)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def compare(data: ProbeData, with_sklearn: bool) -> None:
    images, size = data.train.shape
    classes = len(data.classes)
    print(f"\n{images:,} images x {size:,} values, {classes} classes, {len(data.test):,} images to test on")
    held = stratified_part(data.train_labels, 0.2, seed=0)

    def sweep() -> list:
        design = PrincipalAxes(data.train)
        return fit_path(design, data.train_labels, classes, learned=~held, tolerance=SWEEP_TOLERANCE)

    sweep_seconds, path = timed(sweep)
    right = [float(np.mean(s.predicted[held] == data.train_labels[held])) for s in path]
    strength = path[int(np.argmax(right))].strength

    def one_fit() -> tuple:
        design = PrincipalAxes(data.train)
        (solution,) = fit_path(design, data.train_labels, classes, [strength])
        return design, solution

    fit_seconds, (design, solution) = timed(one_fit)
    guesses = predict(data.test, *design.linear_map(solution.weights, solution.bias))
    accuracy = 100 * float(np.mean(guesses == data.test_labels))
    print(f"{'':42}{'seconds':>9}{'over one fit':>14}{'passes':>8}{'loss':>11}{'accuracy':>10}")

    def line(name: str, seconds: float, passes: int | None, loss: float | None, score: float | None) -> None:
        cells = [
            "" if value is None else form % value for form, value in (("%d", passes), ("%.6f", loss), ("%.2f", score))
        ]
        print(f"{name:42}{seconds:9.2f}{seconds / fit_seconds:14.2f}{cells[0]:>8}{cells[1]:>11}{cells[2]:>10}")

    line(f"ours, one fit, strength {strength:.2g}", fit_seconds, solution.evaluations, solution.loss, accuracy)
    line(f"ours, sweep of {len(path)}", sweep_seconds, sum(s.evaluations for s in path), None, None)
    if not with_sklearn:
        return
    train, test = design.standardised(slice(None)), (data.test - design.mean) * design.inverse_scale

    def their_fit(strength: float, tolerance: float) -> LogisticRegression:
        model = LogisticRegression(C=1 / (images * strength), tol=tolerance, max_iter=5000)
        return model.fit(train, data.train_labels)

    for tolerance in (1e-4, 1e-6):
        seconds, model = timed(partial(their_fit, strength, tolerance))
        chances = np.maximum(model.predict_proba(train)[np.arange(images), data.train_labels], 1e-30)
        loss = float(strength / 2 * np.sum(np.square(model.coef_, dtype=np.float64)) - np.mean(np.log(chances)))
        score = 100 * float(model.score(test, data.test_labels))
        line(f"scikit-learn, one fit, tol {tolerance:g}", seconds, int(model.n_iter_[0]), loss, score)

    def their_sweep() -> float:
        """The strength that scikit-learn's own fits choose, of equals the strongest."""
        learned = np.count_nonzero(~held)
        right = []
        for strength in STRENGTHS:
            model = LogisticRegression(C=1 / (learned * strength), tol=1e-6, max_iter=5000)
            right.append(model.fit(train[~held], data.train_labels[~held]).score(train[held], data.train_labels[held]))
        return STRENGTHS[int(np.argmax(right))]

    seconds, strength = timed(their_sweep)
    score = 100 * float(their_fit(strength, 1e-6).score(test, data.test_labels))
    line(f"scikit-learn, sweep of {len(STRENGTHS)}, chooses {strength:.2g}", seconds, None, None, score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["2000x512x20", "1000x12544x50"], metavar="IMAGESxVALUESxCLASSES")
    parser.add_argument("--features", nargs=2, type=Path, metavar=("TRAIN", "TEST"), help="feature files instead")
    parser.add_argument("--layer", help="of --features")
    parser.add_argument("--no-sklearn", action="store_true", help="ours only")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    if args.features:
        train, test = (read_features(path) for path in args.features)
        compare(probe_data(train, test, args.layer), not args.no_sklearn)
        return
    for text in args.sizes:
        images, size, classes = map(int, text.split("x"))
        compare(drawn(images, size, classes), not args.no_sklearn)


if __name__ == "__main__":
    main()
