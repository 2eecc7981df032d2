"""Which super-class each fine class of R-FCN-3000 belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmdetpre.utils import bounded_files
from mmdetpre.utils.class_list import read_class_list

SuperClasses = str | Path | Mapping[str, int] | Sequence[int] | None


def read_super_classes(
    super_classes: SuperClasses, num_classes: int, classes: str | Path | Sequence[str] | None = None
) -> Tensor:
    """Cluster (F,) int64 of each fine class, numbered from 0 without gaps.

    Args:
        super_classes: ``None`` for one super-class, which is objectness; a list with the cluster of each fine class; a
            mapping from WordNet ids to clusters; or the JSON file of ``tools/analysis_tools/cluster_classes.py`` (or
            any JSON file with such a mapping, alone or as ``"clusters"``).
        num_classes: Number of fine classes F.
        classes: WordNet ids of the fine classes in label order, or a text file with one at the start of each line;
            needed for a mapping or a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the clustering is not one of these F classes.

    Example:
        >>> read_super_classes({"n02084071": 0, "n02958343": 1}, 2, ["n02958343", "n02084071"])
        tensor([1, 0])
    """
    if super_classes is None:
        return torch.zeros(num_classes, dtype=torch.long)
    source = f"super_classes={str(super_classes)!r}" if isinstance(super_classes, str | Path) else "super_classes"
    if isinstance(super_classes, str | Path):
        super_classes = _read_json(super_classes)
    if isinstance(super_classes, Mapping):
        super_classes = _in_label_order(super_classes, source, num_classes, classes)
    if len(super_classes) != num_classes:
        raise ValueError(
            f"{source} has {len(super_classes)} entries, but the model has num_classes={num_classes}: give one cluster"
            " per fine class, in label order."
        )
    clusters = torch.as_tensor(list(super_classes))
    if clusters.dtype != torch.long or set(clusters.tolist()) != set(range(int(clusters.max()) + 1)):
        raise ValueError(
            f"{source} must number its clusters 0 to K - 1, each with at least one class, found"
            f" {sorted(set(clusters.tolist()))[:10]}."
        )
    return clusters


def _in_label_order(
    clusters: Mapping[str, int], source: str, num_classes: int, classes: str | Path | Sequence[str] | None
) -> list[int]:
    if classes is None:
        raise ValueError(
            f"{source} names classes: set roi_head.classes to the WordNet ids of the {num_classes} fine classes in"
            " label order (the `classes` of the data set)."
        )
    classes = read_class_list(classes)
    unknown = [c for c in clusters if c not in set(classes)]
    missing = [c for c in classes if c not in clusters]
    if unknown or missing:
        raise ValueError(
            f"{source} is a clustering of other classes: {len(unknown)} of its {len(clusters)} are not in"
            f" roi_head.classes ({', '.join(unknown[:5]) or 'none'}), {len(missing)} of these {len(classes)} are not in"
            f" it ({', '.join(missing[:5]) or 'none'}). Cluster the model's classes with"
            " tools/analysis_tools/cluster_classes.py."
        )
    return [clusters[c] for c in classes]


def _read_json(path: str | Path) -> Mapping[str, int] | Sequence[int]:
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"super_classes={str(path)!r} is not a file: write it with tools/analysis_tools/cluster_classes.py, or set"
            " super_classes=None for one super-class."
        )
    try:
        content = bounded_files.read_json(path)
    except ValueError as error:
        raise ValueError(f"super_classes={str(path)!r} is not JSON ({error}).") from error
    if isinstance(content, dict):
        content = content.get("clusters", content)
    if not isinstance(content, dict | list):
        raise ValueError(f"super_classes={str(path)!r} holds neither clusters by WordNet id nor a list of clusters.")
    return content
