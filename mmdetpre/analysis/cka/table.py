"""Similarity of layers as a table, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.analysis.cka.cka import LayerSimilarity
from mmdetpre.utils.tables import text_table
from mmdetpre.utils.whole_file import write_rows

FORMAT = "mmdetpre layer similarity"


def to_dict(
    found: LayerSimilarity, names: Sequence[str], layers: Sequence[Sequence[str]], *, epochs: int, seed: int
) -> dict[str, Any]:
    """CKA as plain values, ready for JSON.

    Args:
        found: What :func:`~mmdetpre.analysis.cka.cka.layer_cka` returns.
        names: Names of the two networks.
        layers: Names of the layers of both.
        epochs: How often the images were dealt out.
        seed: Of the deal.

    Returns:
        ``runs`` with ``name`` and ``layers``; ``cka`` [layer of the first][layer of the second]; and the settings.
    """
    return {
        "format": FORMAT,
        "runs": [{"name": name, "layers": list(of_run)} for name, of_run in zip(names, layers, strict=True)],
        "cka": found.cka.tolist(),
        "batch_size": found.batch_size,
        "batches": found.batches,
        "epochs": epochs,
        "seed": seed,
    }


def format_cka(result: Mapping[str, Any]) -> str:
    """Layers of the first network x layers of the second."""
    first, second = result["runs"]
    rows = [
        [layer, *(f"{value:.3f}" for value in values)]
        for layer, values in zip(first["layers"], result["cka"], strict=True)
    ]
    return text_table([f"{first['name']} / {second['name']}", *second["layers"]], rows)


def write_csv(path: Path, result: Mapping[str, Any]) -> None:
    """One line per pair of layers."""
    first, second = result["runs"]
    rows = [[first["name"], second["name"], "cka"]]
    for layer, values in zip(first["layers"], result["cka"], strict=True):
        rows += [[layer, other, value] for other, value in zip(second["layers"], values, strict=True)]
    write_rows(path, rows)
