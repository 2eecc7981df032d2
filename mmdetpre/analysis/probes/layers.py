"""Probes of every layer of two feature files, with results that are kept and used again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mmdetpre.analysis.features.feature_file import FeatureFile
from mmdetpre.analysis.probes.data import ProbeData, probe_data
from mmdetpre.analysis.probes.knn import NEIGHBORS, knn_probe
from mmdetpre.analysis.probes.linear import linear_probe
from mmdetpre.analysis.probes.scores import KnnProbe, LinearProbe, read_probe
from mmdetpre.analysis.probes.softmax_regression import L2_VALUES
from mmdetpre.utils.results import write_results


def probe_layers(
    train: FeatureFile,
    test: FeatureFile,
    layers: Sequence[str],
    out: str | Path,
    *,
    l2: Sequence[float] = L2_VALUES,
    seeds: Sequence[int] = (0, 1, 2),
    neighbors: Sequence[int] | None = NEIGHBORS,
    overwrite: bool = False,
    progress: bool = True,
) -> list[LinearProbe | KnnProbe]:
    """Probe layers one after another; a result that lies in ``out`` and was made of the same is taken from there.

    Args:
        train, test: Features.
        layers: Layers to probe.
        out: Folder of the results, ``<layer>_linear.json`` and ``<layer>_knn.json``.
        l2, seeds: See :func:`mmdetpre.analysis.probes.linear.linear_probe`.
        neighbors: See :func:`mmdetpre.analysis.probes.knn.knn_probe`; None: no k-NN.
        overwrite: Replace results that were made from other inputs.
        progress: Show progress bars.

    Returns:
        The results, by layer and probe.

    Raises:
        ValueError: If a result was made of other features or settings, or as the probes do.
    """
    settings: dict[str, dict[str, list[float]]] = {"linear": {"strengths": [*l2], "seeds": [*seeds]}}
    if neighbors is not None:
        settings["knn"] = {"neighbours": [*neighbors]}
    results = []
    for layer in layers:
        data = probe_data(train, test, layer)
        probes: dict[str, Callable[[], LinearProbe | KnnProbe]] = {
            "linear": partial(linear_probe, data, l2, seeds, progress=progress),
            "knn": partial(knn_probe, data, neighbors or (), progress=progress),
        }
        for probe, setting in settings.items():
            path = Path(out) / f"{layer}_{probe}.json"
            kept = read_probe(path) if path.exists() else None
            differing = None if kept is None else _difference(kept, data, setting)
            if kept is None or (overwrite and differing):
                kept = replace(probes[probe](), settings=setting)
                write_results(path, [kept], overwrite=overwrite)
            elif differing:
                raise ValueError(
                    f"{path} was made of other {differing}: choose another --out, or add --force to replace it."
                )
            results.append(kept)
    return results


def _difference(kept: LinearProbe | KnnProbe, data: ProbeData, settings: Mapping[str, Sequence[float]]) -> str | None:
    """What a result was made of that is different now; folders may have moved."""
    for part, then, now in (("train", kept.train, data.origin.train), ("test", kept.test, data.origin.test)):
        if then.digest != now.digest:
            return f"features ({part})"
    return None if kept.settings == settings else f"settings ({kept.settings}, now {settings})"
