"""Published weights by name, ``zoo:efficientnet-lite0/imagenet``: which file they are, and how their images look."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.zoo.entry import NotInZoo, ZooEntry
    from mmdetpre.zoo.names import ZOO, zoo_entry, zoo_names
    from mmdetpre.zoo.packaged import PackagedWeights
    from mmdetpre.zoo.published import PublishedWeights

__all__ = ["ZOO", "NotInZoo", "PackagedWeights", "PublishedWeights", "ZooEntry", "zoo_entry", "zoo_names"]
__getattr__, __dir__ = on_demand(__name__)
