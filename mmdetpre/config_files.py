"""Where configs and tools are: in the checkout, or carried by the installed wheel.

mim train mmdet $(mmdetpre config sniper_openimages)
"""

from __future__ import annotations

import difflib
from pathlib import Path

CONFIG_ROOT = Path(__file__).resolve().parent / ".mim" / "configs"
TOOL_ROOT = CONFIG_ROOT.with_name("tools")


def find_config(name: str, root: Path = CONFIG_ROOT) -> Path:
    """Path of one config.

    Args:
        name: File name with or without ``.py``, or a path below ``configs``.
        root: Directory to look in.

    Raises:
        FileNotFoundError: If there is none of this name; the message has the nearest ones.

    Example:
        >>> find_config("sniper_openimages").name
        'sniper_openimages.py'
    """
    configs = config_names(root)
    if not configs:
        raise FileNotFoundError(f"There are no configs in {root}: run `make setup`, or `pip install mmdetpre`.")
    wanted = name.removesuffix(".py").removeprefix("configs/")
    matches = [config for config in configs if wanted in (config.removesuffix(".py"), Path(config).stem)]
    if len(matches) != 1:
        stems = [Path(config).stem for config in configs]
        near = difflib.get_close_matches(Path(wanted).name, stems, n=3)
        hint = f"the nearest are {', '.join(near)}; " if near else ""
        raise FileNotFoundError(f"No config {name!r}: {hint}`mmdetpre config` lists all {len(configs)}.")
    return (root / matches[0]).resolve()


def config_names(root: Path = CONFIG_ROOT) -> list[str]:
    """All configs that can be run, as paths below ``configs``."""
    paths = (path.relative_to(root) for path in root.rglob("*.py"))
    return sorted(path.as_posix() for path in paths if "_base_" not in path.parts)
