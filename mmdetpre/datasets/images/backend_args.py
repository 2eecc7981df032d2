"""What the images of a data set are read by."""

from __future__ import annotations

from typing import Any


def image_backend_args(dataset: Any) -> dict[str, Any] | None:
    """Arguments of the backend that reads a data set's images; ``None``: files of this machine.

    Those of the data set for its images alone, else for all its files, else those of its pipeline's first step.
    """
    if hasattr(dataset, "img_backend_args"):
        return dataset.img_backend_args
    for owner in (dataset, *getattr(getattr(dataset, "pipeline", None), "transforms", ())[:1]):
        if (args := dict(getattr(owner, "backend_args", None) or {})) and args != {"backend": "local"}:
            return args
    return None
