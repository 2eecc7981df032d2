"""Detection pre-training for OpenMMLab: does it help your task?

In a process that imports mmengine, before or after this package, the host libraries are checked once, mmengine reads
checkpoints as data and nothing else, and the registries of scope ``mmdetpre`` are declared; mmengine imports the
registered modules when a config first names one. Under the toolboxes' ``train.py`` and ``test.py`` faults of disks and
workers end with one message. One line in a config does all of it::

    custom_imports = dict(imports=["mmdetpre"])

``mmdetpre.MultiScaleDetector`` detects in images; it and what it needs are imported when it is first named.
"""

from types import ModuleType
from typing import TYPE_CHECKING

from mmdetpre.operators import startup  # noqa: F401  operators for an mmcv without its binary
from mmdetpre.utils.lazy_imports import on_demand
from mmdetpre.utils.when_imported import when_imported
from mmdetpre.version import __version__

if TYPE_CHECKING:
    from mmdetpre import registry
    from mmdetpre.inference.detector import MultiScaleDetector

__all__ = ["MultiScaleDetector", "__version__", "registry"]
__getattr__, __dir__ = on_demand(__name__)


def _meet_hosts(mmengine: ModuleType) -> None:
    """Nothing here waits for torch and mmengine before a process asks for them: not ``mmdetpre --help``."""
    from mmdetpre.compat.host_versions import check_host_versions

    check_host_versions()

    from mmdetpre import registry  # noqa: F401  declares the registries
    from mmdetpre.compat.config_text import lay_out_once
    from mmdetpre.compat.cpu_ranks import join_ranks
    from mmdetpre.compat.runner_type import take_named_runner
    from mmdetpre.compat.training_faults import tell_faults
    from mmdetpre.storage.register import register_backends

    when_imported("mmengine.runner.checkpoint", _guard_checkpoints)
    when_imported("mmengine.fileio", lambda module: register_backends())
    take_named_runner()
    lay_out_once()
    tell_faults()
    join_ranks()


def _guard_checkpoints(module: ModuleType) -> None:
    """Not before: the readers need mmengine themselves, and one of them may be what imports it."""
    from mmdetpre.checkpoints.loaders import guard_mmengine

    guard_mmengine()


when_imported("mmengine", _meet_hosts)
