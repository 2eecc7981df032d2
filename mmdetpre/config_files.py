"""Where the configs are: in the checkout, or carried by the installed wheel.

mim train mmdet "$(python -m mmdetpre.config_files sniper_openimages)"
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

CONFIG_ROOT = Path(__file__).resolve().parent / ".mim" / "configs"


def find_config(name: str, root: Path = CONFIG_ROOT) -> Path:
    """Path of one config.

    Args:
        name: File name with or without ``.py``, or a path below ``configs``.
        root: Directory to look in.

    Raises:
        FileNotFoundError: If there is none of this name; the message lists all.

    Example:
        >>> find_config("sniper_openimages").name
        'sniper_openimages.py'
    """
    configs = config_names(root)
    wanted = name.removesuffix(".py")
    matches = [config for config in configs if wanted in (config.removesuffix(".py"), Path(config).stem)]
    if len(matches) != 1:
        found = ", ".join(configs) or f"none: {root} is missing; install with `pip install .` or `make setup`"
        raise FileNotFoundError(f"No config {name!r}. The configs of mmdetpre are {found}.")
    return (root / matches[0]).resolve()


def config_names(root: Path = CONFIG_ROOT) -> list[str]:
    """All configs that can be run, as paths below ``configs``."""
    paths = (path.relative_to(root) for path in root.rglob("*.py"))
    return sorted(path.as_posix() for path in paths if "_base_" not in path.parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: print the path of a config, or the names of all. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Print the path of a config of mmdetpre, or the names of all.")
    parser.add_argument("name", nargs="?", help="file name, with or without .py")
    name = parser.parse_args(arguments).name
    if name is None:
        print("\n".join(config_names()))
        return 0
    try:
        print(find_config(name))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
