"""Linear probes: our sweep of twelve regularisations against one fit of ours, and against scikit-learn's.

    python benchmarks/regularisation_sweep.py             # 2,000 x 512 and 500 x 12,544, 20 classes
    python benchmarks/regularisation_sweep.py --sizes 2000x512x20 5000x2048x257
    python benchmarks/regularisation_sweep.py --features work_dirs/features/train work_dirs/features/test --layer fc1

Features are generated (half for learning, half for testing) or taken from feature files. All programs get the same
standardised features and minimise the same sum: mean cross-entropy plus strength / 2 times the squared weights. Our
times hold the principal axes. The one fit is that of the strength that the sweep finds best on a validation part;
scikit-learn fits it with the tolerance that lets it reach our loss, and then makes its own choice: all twelve on the
same learning part, the best on the same validation part, fitted again to all images. It runs once: it takes long.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from side_by_side import Row, in_turn, run
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.probes.data import ProbeData, probe_data, stratified_part
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes
from mmdetpre.analysis.probes.softmax_regression import L2_VALUES, SWEEP_TOLERANCE, Solution, fit_path, predict

TIMES_ONE_FIT = 3
"""A sweep may take so many times the time of one fit."""
FEW_IMAGES = (
    "one fit takes a tenth of a second or less: the principal axes and the first, strongly regularised fits, whose cost"
    " hardly depends on the strength, weigh as much as the fit itself"
)


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


def compare(data: ProbeData, repeats: int) -> Iterator[Row]:
    images, size = data.train.shape
    classes = len(data.classes)
    held = stratified_part(data.train_labels, 0.2, seed=0)

    def sweep() -> list[Solution]:
        design = PrincipalAxes(data.train)
        return fit_path(design, data.train_labels, classes, train_mask=~held, tolerance=SWEEP_TOLERANCE)

    right = [float(np.mean(one.predicted[held] == data.train_labels[held])) for one in sweep()]
    chosen = L2_VALUES[int(np.argmax(right))]

    def one_fit() -> tuple[PrincipalAxes, Solution]:
        design = PrincipalAxes(data.train)
        (solution,) = fit_path(design, data.train_labels, classes, [chosen])
        return design, solution

    times = in_turn({"fit": one_fit, "sweep": sweep}, repeats)
    design, solution = times["fit"].result
    train, test = design.standardized(slice(None)), (data.test - design.mean) * design.inverse_scale

    def their_fit(strength: float) -> LogisticRegression:
        model = LogisticRegression(C=1 / (images * strength), tol=1e-6, max_iter=5000)
        return model.fit(train, data.train_labels)

    def their_sweep() -> LogisticRegression:
        """The fit to all images with the strength that scikit-learn's own fits choose, ties go to the strongest."""
        right = []
        for strength in L2_VALUES:
            model = LogisticRegression(C=1 / (np.count_nonzero(~held) * strength), tol=1e-6, max_iter=5000)
            right.append(model.fit(train[~held], data.train_labels[~held]).score(train[held], data.train_labels[held]))
        return their_fit(L2_VALUES[int(np.argmax(right))])

    times |= in_turn({"their fit": partial(their_fit, chosen), "their sweep": their_sweep}, 1, warm_up=False)
    guesses = predict(data.test, *design.linear_map(solution.weights, solution.bias))
    score = 100 * float(np.mean(guesses == data.test_labels))
    scores = [100 * float(times[name].result.score(test, data.test_labels)) for name in ("their fit", "their sweep")]
    what = f"linear probe, {images:,} x {size:,}, {classes} classes"
    yield Row(
        what=f"{what}, {len(L2_VALUES)} regularisations", unit="s", ours=times["sweep"].median,
        theirs=times["fit"].median, against="one fit of ours", gain=1 / TIMES_ONE_FIT,
        reason=FEW_IMAGES if times["fit"].median < 0.15 else "",
    )  # fmt: skip
    for ours, other, name, theirs in (
        ("fit", "their fit", "one fit", scores[0]),
        ("sweep", "their sweep", f"{len(L2_VALUES)} regularisations", scores[1]),
    ):
        yield Row(
            what=f"{what}, {name}", unit="s", ours=times[ours].median, theirs=times[other].median,
            against=f"scikit-learn's LogisticRegression (accuracy {score:.2f} and {theirs:.2f} %)",
        )  # fmt: skip


def rows(args: argparse.Namespace) -> Iterator[Row]:
    warnings.simplefilter("ignore", ConvergenceWarning)
    if args.features:
        train, test = (read_features(path) for path in args.features)
        yield from compare(probe_data(train, test, args.layer), args.repeats)
        return
    for text in args.sizes:
        images, size, classes = map(int, text.split("x"))
        yield from compare(drawn(images, size, classes), args.repeats)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", nargs="+", default=["2000x512x20", "500x12544x20"], metavar="IMAGESxVALUESxCLASSES")
    parser.add_argument("--features", nargs=2, type=Path, metavar=("TRAIN", "TEST"), help="feature files instead")
    parser.add_argument("--layer", help="of --features")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours, of which the median counts (%(default)s)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
