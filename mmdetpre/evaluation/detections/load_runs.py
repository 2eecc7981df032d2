"""Runs as a command line names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.from_config import annotations_of_config, with_annotations
from mmdetpre.utils.file_arguments import named_files


def load_runs(
    arguments: Sequence[str], config: str | Path | None = None, options: Mapping[str, Any] | None = None
) -> dict[str, Detections]:
    """Read the runs of ``NAME=FILE`` arguments.

    Args:
        arguments: One per run.
        config: Take ground truth and image paths from the test data of this config.
        options: Values of the config to override, by dotted key.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If an argument has another form, two runs have one name, or a file is not a file of detections.

    Example:
        >>> list(load_runs(["ImageNet=work_dirs/a/detections.npz"]))
        ['ImageNet']
    """
    runs = {name: Detections.load(file) for name, file in named_files(arguments, "scratch=detections.npz").items()}
    if config is not None:
        annotations = annotations_of_config(config, options)
        runs = {name: with_annotations(run, annotations, str(config)) for name, run in runs.items()}
    return runs
