"""Detection pre-training for OpenMMLab: does it help your task?

Importing the package checks the host libraries once, lets mmengine's checkpoints load with ``weights_only`` on, and
declares the registries of scope ``mmdetpre``; mmengine imports the registered modules when a config first names one.
One line in a config does all of it::

    custom_imports = dict(imports=["mmdetpre"])

``mmdetpre.MultiScaleDetector`` detects in images; it and what it needs are imported when it is first named.
"""

from typing import Any

from mmdetpre.host_versions import check_host_versions
from mmdetpre.version import __version__

check_host_versions()

from mmdetpre import registry  # noqa: E402
from mmdetpre.checkpoint_safety import allow_mmengine_checkpoints  # noqa: E402

allow_mmengine_checkpoints()

__all__ = ["MultiScaleDetector", "__version__", "registry"]


def __getattr__(name: str) -> Any:
    if name == "MultiScaleDetector":
        from mmdetpre.inference import MultiScaleDetector

        return MultiScaleDetector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
