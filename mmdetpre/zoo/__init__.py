"""Published weights by name, ``zoo:efficientnet-lite0/imagenet``: which file they are, and how their images look."""

from typing import TYPE_CHECKING

from mmdetpre.utils.lazy_imports import on_demand

if TYPE_CHECKING:
    from mmdetpre.zoo.packaged import ZOO, NotInZoo, PackagedWeights, zoo_entry, zoo_names

__all__ = ["ZOO", "NotInZoo", "PackagedWeights", "zoo_entry", "zoo_names"]
__getattr__, __dir__ = on_demand(__name__)
