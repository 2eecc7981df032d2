"""Models as a command line names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ModelFiles(NamedTuple):
    """Where a model comes from.

    Attributes:
        config: Path of its config.
        checkpoint: Path or address of its checkpoint.
    """

    config: str
    checkpoint: str


def named_models(arguments: Sequence[str]) -> dict[str, ModelFiles]:
    """Names and files of ``NAME=CONFIG,CHECKPOINT`` arguments, in their order.

    Raises:
        ValueError: If an argument has another form, or two models have one name.

    Example:
        >>> named_models(["scratch=configs/a.py,work_dirs/a/epoch_2.pth"])["scratch"].checkpoint
        'work_dirs/a/epoch_2.pth'
    """
    models: dict[str, ModelFiles] = {}
    for argument in arguments:
        name, _, files = argument.partition("=")
        config, _, checkpoint = files.partition(",")
        if not (name and config and checkpoint):
            raise ValueError(
                f"The model '{argument}' has another form than NAME=CONFIG,CHECKPOINT, such as"
                " scratch=configs/cls/imagenet_cls_sample.py,work_dirs/imagenet_cls_sample/epoch_2.pth."
            )
        if name in models:
            raise ValueError(f"Two models are called '{name}': give each a name of its own.")
        models[name] = ModelFiles(config, checkpoint)
    return models
