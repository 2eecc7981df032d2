"""Detection pre-training for OpenMMLab: does it help your task?

Importing the package checks the host libraries once, has mmengine read checkpoints as data and nothing else, and
declares the registries of scope ``mmdetpre``; mmengine imports the registered modules when a config first names one.
Under the toolboxes' ``train.py`` and ``test.py`` faults of disks and workers end with one message.
One line in a config does all of it::

    custom_imports = dict(imports=["mmdetpre"])

``mmdetpre.MultiScaleDetector`` detects in images; it and what it needs are imported when it is first named.
"""

from typing import TYPE_CHECKING

from mmdetpre.host_versions import check_host_versions
from mmdetpre.version import __version__

check_host_versions()

from mmdetpre import registry  # noqa: E402
from mmdetpre.checkpoint_loaders import guard_mmengine  # noqa: E402
from mmdetpre.on_demand import on_demand  # noqa: E402
from mmdetpre.training_faults import tell_faults  # noqa: E402

guard_mmengine()
tell_faults()

if TYPE_CHECKING:
    from mmdetpre.inference import MultiScaleDetector

__all__ = ["MultiScaleDetector", "__version__", "registry"]
__getattr__, __dir__ = on_demand(__name__)
