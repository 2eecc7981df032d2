"""Registries of mmdetpre: scope ``mmdetpre``, children of mmengine's roots.

Types in configs read ``type='mmdetpre.ChipMiningSampler'`` in any of mmdet, mmsegmentation and mmpretrain.
"""

from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import TASK_UTILS as ROOT_TASK_UTILS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as ROOT_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope="mmdetpre", locations=["mmdetpre.datasets"])
DATA_SAMPLERS = Registry("data sampler", parent=ROOT_DATA_SAMPLERS, scope="mmdetpre", locations=["mmdetpre.datasets"])
TRANSFORMS = Registry("transform", parent=ROOT_TRANSFORMS, scope="mmdetpre", locations=["mmdetpre.datasets"])
MODELS = Registry("model", parent=ROOT_MODELS, scope="mmdetpre", locations=["mmdetpre.models"])
TASK_UTILS = Registry("task util", parent=ROOT_TASK_UTILS, scope="mmdetpre", locations=["mmdetpre.models"])
HOOKS = Registry("hook", parent=ROOT_HOOKS, scope="mmdetpre", locations=["mmdetpre.hooks"])
METRICS = Registry("metric", parent=ROOT_METRICS, scope="mmdetpre", locations=["mmdetpre.evaluation"])
WEIGHT_INITIALIZERS = Registry(
    "weight initializer", parent=ROOT_WEIGHT_INITIALIZERS, scope="mmdetpre", locations=["mmdetpre.transfer"]
)
