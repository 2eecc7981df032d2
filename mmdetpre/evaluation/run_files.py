"""Runs as a command line names them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdetpre.evaluation.detections_file import Detections
from mmdetpre.evaluation.truth_from_config import annotations_of_config, with_annotations


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
        ValueError: If an argument has another form, two runs have one name, or a file is no file of detections.

    Example:
        >>> load_runs(["ImageNet=work_dirs/a/detections.npz"])  # doctest: +SKIP
    """
    runs = {name: Detections.load(file) for name, file in named_files(arguments, "scratch=detections.npz").items()}
    if config is not None:
        annotations = annotations_of_config(config, options)
        runs = {name: with_annotations(run, annotations, str(config)) for name, run in runs.items()}
    return runs


def named_files(arguments: Sequence[str], example: str) -> dict[str, Path]:
    """Names and files of ``NAME=FILE`` arguments, in their order.

    Raises:
        ValueError: If an argument has another form, then ``example`` shows one, or two runs have one name.

    Example:
        >>> list(named_files(["a=runs/a.json", "b=runs/b.json"], "scratch=iou.json"))
        ['a', 'b']
    """
    files: dict[str, Path] = {}
    for argument in arguments:
        name, _, file = argument.partition("=")
        if not (name and file):
            raise ValueError(f"The run '{argument}' has another form than NAME=FILE, such as {example}.")
        if name in files:
            raise ValueError(f"Two runs are called '{name}': give each a name of its own.")
        files[name] = Path(file)
    return files


def require_new_files(files: Iterable[tuple[Path | None, Sequence[str]]], *, force: bool = False) -> None:
    """Check files that are to be written, each with the suffixes it may have; None for files that are not wanted.

    Raises:
        FileExistsError: If one exists and ``force`` is not set.
        ValueError: If one has another suffix.

    Example:
        >>> require_new_files([(Path("errors.png"), (".png",)), (None, (".csv",))])
    """
    for path, suffixes in files:
        if path is None:
            continue
        if path.suffix not in suffixes:
            raise ValueError(f"{path} ends in '{path.suffix}': expected one of {', '.join(suffixes)}.")
        if path.exists() and not force:
            raise FileExistsError(f"{path} exists: choose another name, or add --force to overwrite it.")
