"""The text of a config, laid out once: mmengine has yapf do it thrice as a run starts, and for every checkpoint."""

from __future__ import annotations

import json
from functools import lru_cache
from types import ModuleType
from typing import Any

from mmdetpre.utils.when_imported import when_imported

_TEXTS = 4  # that are kept: a run has one


def lay_out_once() -> None:
    """Have mmengine keep what yapf made of a text: half a second of work for a detector's config."""
    from mmengine.config import config

    if hasattr(config, "FormatCode"):
        keep_results(config)
    else:  # newer versions import it where they need it
        when_imported("yapf.yapflib.yapf_api", keep_results)


def keep_results(module: ModuleType) -> None:
    """Have a module's ``FormatCode``, which depends on nothing but its arguments, keep what it returned.

    Example:
        >>> from types import ModuleType
        >>> module = ModuleType("example")
        >>> module.FormatCode = lambda text, **options: print("works") or (text.strip(), True)
        >>> keep_results(module)
        >>> [module.FormatCode("a = 1 ", style_config={"based_on_style": "pep8"})[0] for _ in range(2)]
        works
        ['a = 1', 'a = 1']
    """
    format_code = module.FormatCode

    @lru_cache(maxsize=_TEXTS)
    def kept(text: str, options: str) -> Any:
        return format_code(text, **json.loads(options))

    def once(text: str, **options: Any) -> Any:
        return kept(text, json.dumps(options))

    module.FormatCode = once  # type: ignore[attr-defined]
