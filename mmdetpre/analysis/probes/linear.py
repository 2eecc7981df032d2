"""A linear classifier on stored features: what a layer knows, section 4.3 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmdetpre.analysis.probes.data import ProbeData, stratified_part
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes
from mmdetpre.analysis.probes.scores import LinearProbe, LinearSweep, Scores, SeedScores, scores
from mmdetpre.analysis.probes.softmax_regression import L2_VALUES, SWEEP_TOLERANCE, Solution, fit_path, predict
from mmdetpre.utils.progress_bar import progress_bar


def linear_probe(
    data: ProbeData,
    l2: Sequence[float] = L2_VALUES,
    seeds: Sequence[int] = (0, 1, 2),
    validation: float = 0.2,
    *,
    max_axes: int = 16384,
    progress: bool = True,
) -> LinearProbe:
    """Softmax regression with the regularization that serves a validation part best, tested once.

    Per seed, a part of the training images of every class is set aside, classifiers of all regularizations are fitted
    to the others, and the one that is right most often on that part is chosen (ties go to the strongest); then a
    classifier of this regularization is fitted to all training images. Seeds differ in the part only. Features are
    standardized by the training images; see :class:`mmdetpre.analysis.probes.principal_axes.PrincipalAxes`.

    Args:
        data: Features.
        l2: Regularizations to choose from, see :func:`mmdetpre.analysis.probes.softmax_regression.fit_path`.
        seeds: One choice per seed.
        validation: Part of the training images to choose by.
        max_axes: See :class:`mmdetpre.analysis.probes.principal_axes.PrincipalAxes`.
        progress: Show a progress bar.

    Raises:
        ValueError: If settings or features are of no use.
    """
    if not len(l2) or not len(seeds):
        raise ValueError("There is no regularization, or no seed, to try: give at least one of each.")
    ordered = sorted(set(map(float, l2)), reverse=True)
    with progress_bar(total=2 + len(seeds) * len(ordered), desc=data.layer, unit="fit", disable=not progress) as bar:
        design = PrincipalAxes(data.train, max_axes, name=data.layer)
        bar.update()
        sweep, chosen = [], []
        for seed in seeds:
            val_mask = stratified_part(data.train_labels, validation, seed)
            path = fit_path(
                design, data.train_labels, len(data.classes), ordered, train_mask=~val_mask, tolerance=SWEEP_TOLERANCE,
                progress=bar.update,
            )  # fmt: skip
            right = [float(np.mean(s.predicted[val_mask] == data.train_labels[val_mask])) for s in path]
            sweep.append(right)
            chosen.append(path[int(np.argmax(right))])
        tested = {}
        for solution in sorted(chosen, key=lambda s: -s.l2):
            if solution.l2 not in tested:
                tested[solution.l2] = _fit_and_test(design, data, solution)
        bar.update()
    per_seed = tuple(
        SeedScores(
            **vars(tested[s.l2][2]),
            seed=int(seed),
            l2=s.l2,
            validation_accuracy=max(right),
            train_accuracy=tested[s.l2][1],
        )
        for seed, s, right in zip(seeds, chosen, sweep, strict=True)
    )

    def over_seeds(name: str) -> np.ndarray:
        return np.array([getattr(entry, name) for entry in per_seed])

    def interval(name: str) -> tuple[float, float]:
        low, high = over_seeds(f"{name}_interval").mean(axis=0).tolist()
        return low, high

    return LinearProbe(
        layer=data.layer,
        classes=data.classes,
        **vars(data.origin),
        probe="linear",
        values=data.train.shape[1],
        accuracy=float(over_seeds("accuracy").mean()),
        accuracy_interval=interval("accuracy"),
        accuracy_spread=float(over_seeds("accuracy").std()),
        balanced_accuracy=float(over_seeds("balanced_accuracy").mean()),
        balanced_accuracy_interval=interval("balanced_accuracy"),
        balanced_accuracy_spread=float(over_seeds("balanced_accuracy").std()),
        seeds=per_seed,
        sweep=LinearSweep(tuple(ordered), tuple(map(tuple, sweep)), validation),
        right=tuple(np.mean([tested[s.l2][0].predicted == data.test_labels for s in chosen], axis=0).tolist()),
        notes=tuple(_notes(ordered, chosen, [solution for solution, *_ in tested.values()])),
    )


def _fit_and_test(design: PrincipalAxes, data: ProbeData, init: Solution) -> tuple[Solution, float, Scores]:
    (solution,) = fit_path(design, data.train_labels, len(data.classes), [init.l2], init=init)
    predicted = predict(data.test, *design.linear_map(solution.weights, solution.bias))
    trained = float(np.mean(solution.predicted == data.train_labels))
    return replace(solution, predicted=predicted), trained, scores(predicted, data.test_labels)


def _notes(l2: Sequence[float], chosen: Sequence[Solution], final: Sequence[Solution]) -> list[str]:
    notes = []
    for edge, side in ((l2[0], "stronger"), (l2[-1], "weaker")):
        if len(l2) > 1 and any(s.l2 == edge for s in chosen):
            notes.append(f"the best regularization is the last that was tried, {edge:g}: try {side} ones too")
    if any(not s.converged for s in (*chosen, *final)):
        notes.append("a fit stopped at the limit of steps: leave out the weakest regularizations")
    return notes
