"""Registries of mmdetpre: scope ``mmdetpre``, children of mmengine's roots.

Types in configs read ``type='mmdetpre.ChipMiningSampler'`` in any of mmdet, mmsegmentation and mmpretrain.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as ROOT_WEIGHT_INITIALIZERS
from mmengine.registry import Registry


class OnDemandRegistry(Registry):
    """Registry with types that are imported when they are first asked for, besides those of its ``locations``.

    These build on mmsegmentation or mmpretrain, and a detector should not wait for the import of either.

    Args:
        on_demand: Name of a type -> module that registers it.
        **kwargs: See ``mmengine.Registry``.
    """

    def __init__(self, name: str, *, on_demand: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.on_demand = dict(on_demand)

    def get(self, key: str) -> type | None:
        """The type, or ``None``."""
        if module := self.on_demand.get(key.removeprefix(f"{self.scope}.")):
            import_module(module)
        return super().get(key)


DATASETS = OnDemandRegistry(
    "dataset",
    parent=ROOT_DATASETS,
    scope="mmdetpre",
    locations=["mmdetpre.datasets"],
    on_demand={
        "Caltech256": "mmdetpre.datasets.caltech256",
        "ClassFolders": "mmdetpre.datasets.class_folder_dataset",
        "Flowers102": "mmdetpre.datasets.flowers102",
        "SUN397": "mmdetpre.datasets.sun397",
        "VOCSegmentationDataset": "mmdetpre.datasets.voc_segmentation",
    },
)
DATA_SAMPLERS = Registry("data sampler", parent=ROOT_DATA_SAMPLERS, scope="mmdetpre", locations=["mmdetpre.datasets"])
TRANSFORMS = OnDemandRegistry(
    "transform",
    parent=ROOT_TRANSFORMS,
    scope="mmdetpre",
    locations=["mmdetpre.datasets"],
    on_demand={"LoadLabelMap": "mmdetpre.datasets.transforms.load_label_map"},
)
MODELS = Registry("model", parent=ROOT_MODELS, scope="mmdetpre", locations=["mmdetpre.models"])
TASK_UTILS = Registry("task util", parent=ROOT_TASK_UTILS, scope="mmdetpre", locations=["mmdetpre.models"])
HOOKS = Registry("hook", parent=ROOT_HOOKS, scope="mmdetpre", locations=["mmdetpre.hooks"])
METRICS = Registry("metric", parent=ROOT_METRICS, scope="mmdetpre", locations=["mmdetpre.evaluation"])
WEIGHT_INITIALIZERS = Registry(
    "weight initializer", parent=ROOT_WEIGHT_INITIALIZERS, scope="mmdetpre", locations=["mmdetpre.transfer"]
)
