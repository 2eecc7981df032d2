"""Probes of every layer of two feature files, with results that are kept and used again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmdetpre.analysis.features.feature_file import FeatureFile
from mmdetpre.analysis.probes.data import probe_data
from mmdetpre.analysis.probes.knn import NEIGHBOURS, knn_probe
from mmdetpre.analysis.probes.linear import linear_probe
from mmdetpre.analysis.probes.scores import read_result, result_head, write_result
from mmdetpre.analysis.probes.softmax_regression import STRENGTHS
from mmdetpre.paper.tables import LAYERS

TABLE_7 = tuple(LAYERS)
"""Layers of Table 7."""


def probe_layers(
    train: FeatureFile,
    test: FeatureFile,
    layers: Sequence[str],
    out: str | Path,
    *,
    strengths: Sequence[float] = STRENGTHS,
    seeds: Sequence[int] = (0, 1, 2),
    neighbours: Sequence[int] | None = NEIGHBOURS,
    overwrite: bool = False,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Probe layers one after another; a result that lies in ``out`` and was made of the same is taken from there.

    Args:
        train, test: Features.
        layers: Layers to probe.
        out: Folder of the results, ``<layer>_linear.json`` and ``<layer>_knn.json``.
        strengths, seeds: See :func:`mmdetpre.analysis.probes.linear.linear_probe`.
        neighbours: See :func:`mmdetpre.analysis.probes.knn.knn_probe`; None: no k-NN.
        overwrite: Replace results that were made from other inputs.
        progress: Show progress bars.

    Returns:
        The results, by layer and probe.

    Raises:
        ValueError: If a result was made of other features or settings, or as the probes do.
    """
    settings: dict[str, Mapping[str, Any]] = {"linear": {"strengths": list(strengths), "seeds": list(seeds)}}
    if neighbours is not None:
        settings["knn"] = {"neighbours": list(neighbours)}
    results = []
    for layer in layers:
        data = probe_data(train, test, layer)
        probes: dict[str, Callable[[], dict[str, Any]]] = {
            "linear": partial(linear_probe, data, strengths, seeds, progress=progress),
            "knn": partial(knn_probe, data, neighbours or (), progress=progress),
        }
        for probe, setting in settings.items():
            head = {**result_head(train, test, layer, data.classes), "settings": dict(setting)}
            path = Path(out) / f"{layer}_{probe}.json"
            kept = read_result(path) if path.exists() else None
            differing = None if kept is None else _difference(kept, head)
            if kept is None or (overwrite and differing):
                write_result(path, {**head, **probes[probe]()}, overwrite=overwrite)
                kept = read_result(path)
            elif differing:
                raise ValueError(
                    f"{path} was made of other {differing}: choose another --out, or add --force to replace it."
                )
            results.append(kept)
    return results


def _difference(kept: Mapping[str, Any], head: Mapping[str, Any]) -> str | None:
    """What a result was made of that is different now; folders may have moved."""
    for part in ("train", "test"):
        if kept.get(part, {}).get("digest") != head[part]["digest"]:
            return f"features ({part})"
    if kept.get("settings") != head["settings"]:
        return f"settings ({kept.get('settings')}, now {head['settings']})"
    return None
