"""A linear classifier on stored features: what a layer knows, section 4.3 of the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mmdetpre.analysis.probes.data import ProbeData, stratified_part
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes
from mmdetpre.analysis.probes.scores import scores
from mmdetpre.analysis.probes.softmax_regression import STRENGTHS, SWEEP_TOLERANCE, Solution, fit_path, predict
from mmdetpre.utils.progress_bar import progress_bar


def linear_probe(
    data: ProbeData,
    strengths: Sequence[float] = STRENGTHS,
    seeds: Sequence[int] = (0, 1, 2),
    validation: float = 0.2,
    *,
    max_axes: int = 16384,
    progress: bool = True,
) -> dict[str, Any]:
    """Softmax regression with the regularisation that serves a validation part best, tested once.

    Per seed, a part of the training images of every class is set aside, classifiers of all regularisations learn from
    the others, and the one that is right most often on that part is chosen (ties go to the strongest); then a
    classifier of this regularisation learns from all training images. Seeds differ in the part only. Features are
    standardised by the training images; see :class:`mmdetpre.analysis.probes.principal_axes.PrincipalAxes`.

    Args:
        data: Features.
        strengths: Regularisations to choose from, see :func:`mmdetpre.analysis.probes.softmax_regression.fit_path`.
        seeds: One choice per seed.
        validation: Part of the training images to choose by.
        max_axes: See :class:`mmdetpre.analysis.probes.principal_axes.PrincipalAxes`.
        progress: Show a progress bar.

    Returns:
        ``accuracy`` and ``balanced_accuracy`` with ``..._interval`` (95 %, of the test images), all means over the
        seeds, and ``..._spread``, the standard deviation over the seeds; ``seeds``: per seed the chosen ``strength``
        and its scores; ``sweep``: validation accuracy of each strength and seed; ``notes``.

    Raises:
        ValueError: If settings or features are of no use.
    """
    if not len(strengths) or not len(seeds):
        raise ValueError("There is no regularisation, or no seed, to try: give at least one of each.")
    ordered = sorted(set(map(float, strengths)), reverse=True)
    with progress_bar(total=2 + len(seeds) * len(ordered), desc=data.layer, unit="fit", disable=not progress) as bar:
        design = PrincipalAxes(data.train, max_axes, name=data.layer)
        bar.update()
        sweep, chosen = [], []
        for seed in seeds:
            held = stratified_part(data.train_labels, validation, seed)
            path = fit_path(
                design, data.train_labels, len(data.classes), ordered, learned=~held, tolerance=SWEEP_TOLERANCE,
                progress=bar.update,
            )  # fmt: skip
            right = [float(np.mean(s.predicted[held] == data.train_labels[held])) for s in path]
            sweep.append(right)
            chosen.append(path[int(np.argmax(right))])
        tested = {}
        for solution in sorted(chosen, key=lambda s: -s.strength):
            if solution.strength not in tested:
                tested[solution.strength] = _fit_and_test(design, data, solution)
        bar.update()
    per_seed = [
        {"seed": int(seed), "strength": s.strength, "validation_accuracy": max(right), **tested[s.strength][1]}
        for seed, s, right in zip(seeds, chosen, sweep, strict=True)
    ]
    result: dict[str, Any] = {"probe": "linear", "values": data.train.shape[1]}
    for name in ("accuracy", "balanced_accuracy"):
        over_seeds = [entry[name] for entry in per_seed]
        result[name] = float(np.mean(over_seeds))
        result[f"{name}_interval"] = np.mean([entry[f"{name}_interval"] for entry in per_seed], axis=0).tolist()
        result[f"{name}_spread"] = float(np.std(over_seeds))
    result["seeds"] = per_seed
    result["sweep"] = {"strengths": ordered, "validation_accuracy": sweep, "validation": validation}
    result["notes"] = _notes(ordered, chosen, [solution for solution, _ in tested.values()])
    return result


def _fit_and_test(design: PrincipalAxes, data: ProbeData, start: Solution) -> tuple[Solution, dict[str, Any]]:
    (solution,) = fit_path(design, data.train_labels, len(data.classes), [start.strength], start=start)
    predicted = predict(data.test, *design.linear_map(solution.weights, solution.bias))
    trained = float(np.mean(solution.predicted == data.train_labels))
    found = scores(predicted, data.test_labels)
    return replace(solution, predicted=predicted), {"train_accuracy": trained, **found}


def _notes(strengths: Sequence[float], chosen: Sequence[Solution], final: Sequence[Solution]) -> list[str]:
    notes = []
    for edge, side in ((strengths[0], "stronger"), (strengths[-1], "weaker")):
        if len(strengths) > 1 and any(s.strength == edge for s in chosen):
            notes.append(f"the best regularisation is the last that was tried, {edge:g}: try {side} ones too")
    if any(not s.converged for s in (*chosen, *final)):
        notes.append("a fit stopped at the limit of steps: leave out the weakest regularisations")
    return notes
