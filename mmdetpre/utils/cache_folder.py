"""Where this package keeps on a machine what can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``MMDETPRE_CACHE``, else ``mmdetpre`` in the user's folder of caches."""
    given = os.environ.get("MMDETPRE_CACHE")
    return Path(given or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mmdetpre"))
