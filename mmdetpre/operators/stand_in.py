"""Which operators run: those of a compiled mmcv, or those of torchvision in their place.

``mmcv.ops`` is Python over one binary module, ``mmcv._ext``. ``mmcv-lite`` has the Python and not the binary, needs no
compiler, and fits every torch. `mmdetpre.operators.startup` makes Python find the stand-in; ``import mmdetpre`` imports
it where the environment has not.
"""

from __future__ import annotations

from importlib import import_module

from mmdetpre.operators import startup


def operators_in_use() -> str:
    """Who computes ``mmcv.ops`` in this process, for logs and records.

    Example:
        >>> operators_in_use().split()[0].strip(",") in ("mmcv", "torchvision")
        True
    """
    operators = import_module(startup.BINARY)
    if getattr(operators, "STANDS_IN_FOR_MMCV", False):
        return f"{operators.get_compiler_version()} (mmcv-lite, no compiled mmcv)"
    return f"mmcv, compiled with {operators.get_compiler_version()}, CUDA {operators.get_compiling_cuda_version()}"
