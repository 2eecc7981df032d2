"""Registries of mmdetpre: scope ``mmdetpre``, children of mmengine's roots.

Types in configs read ``type='mmdetpre.ChipMiningSampler'`` in any of mmdet, mmsegmentation and mmpretrain.
"""

from importlib import import_module

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import FUNCTIONS as ROOT_FUNCTIONS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOG_PROCESSORS as ROOT_LOG_PROCESSORS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as ROOT_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import RUNNERS as ROOT_RUNNERS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as ROOT_WEIGHT_INITIALIZERS
from mmengine.registry import Registry


class OnDemandRegistry(Registry):
    """Registry that imports a type when it is first asked for: its ``locations`` are packages that offer it by name.

    So a run waits for the types that its config names only, and for no toolbox that these do not build on.
    """

    def get(self, key: str) -> type | None:
        """The type, or ``None``."""
        self.offer(key.removeprefix(f"{self.scope}."))
        return super().get(key)

    def offer(self, name: str) -> None:
        """Import the type of this name, if there is one: then it is in ``module_dict``."""
        for package in map(import_module, self._locations):
            if name in package.__all__:
                getattr(package, name)


def _registry(name: str, parent: Registry, *locations: str) -> OnDemandRegistry:
    return OnDemandRegistry(name, parent=parent, scope="mmdetpre", locations=list(locations))


DATASETS = _registry("dataset", ROOT_DATASETS, "mmdetpre.datasets")
DATA_SAMPLERS = _registry("data sampler", ROOT_DATA_SAMPLERS, "mmdetpre.datasets")
TRANSFORMS = _registry("transform", ROOT_TRANSFORMS, "mmdetpre.datasets")
FUNCTIONS = _registry("function", ROOT_FUNCTIONS, "mmdetpre.datasets")
MODELS = _registry("model", ROOT_MODELS, "mmdetpre.models")
TASK_UTILS = _registry("task util", ROOT_TASK_UTILS, "mmdetpre.models")
OPTIM_WRAPPER_CONSTRUCTORS = _registry(
    "optimizer wrapper constructor", ROOT_OPTIM_WRAPPER_CONSTRUCTORS, "mmdetpre.models"
)
HOOKS = _registry("hook", ROOT_HOOKS, "mmdetpre.hooks", "mmdetpre.console")
LOG_PROCESSORS = _registry("log processor", ROOT_LOG_PROCESSORS, "mmdetpre.console")
METRICS = _registry("metric", ROOT_METRICS, "mmdetpre.evaluation")
WEIGHT_INITIALIZERS = _registry("weight initializer", ROOT_WEIGHT_INITIALIZERS, "mmdetpre.transfer")
RUNNERS = _registry("runner", ROOT_RUNNERS, "mmdetpre.backbones")
