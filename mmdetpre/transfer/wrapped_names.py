"""Names of tensors without what training wraps modules in: compiled, sharded, recomputed, parallel."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ANYWHERE = re.compile(r"(?<![^.])(?:_orig_mod|_checkpoint_wrapped_module|_fsdp_wrapped_module|_fpw_module)\.")
_INSIDE = re.compile(r"(?<=\.)module\.")


def plain_name(name: str) -> str:
    """One name without the marks of torch.compile, checkpoint wrappers and FSDP, and without ``module.`` inside.

    A ``module.`` in front, of a model that was wrapped as a whole, stays: it is a prefix like any other.

    Example:
        >>> plain_name("module._orig_mod.backbone._fsdp_wrapped_module.layer1.0.module.conv1.weight")
        'module.backbone.layer1.0.conv1.weight'
    """
    return _INSIDE.sub("", _ANYWHERE.sub("", name))


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Plain name of each name. Where two would become one, as they are.

    Example:
        >>> plain_names(["_orig_mod.conv1.weight"])
        {'_orig_mod.conv1.weight': 'conv1.weight'}
        >>> plain_names(["a.module.b", "a.b"])
        {'a.module.b': 'a.module.b', 'a.b': 'a.b'}
    """
    names = list(names)
    plain = [plain_name(name) for name in names]
    return dict(zip(names, plain if len(set(plain)) == len(plain) else names, strict=True))
