"""``mmdetpre config NAME``: where a config of the package is, or what it says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmdetpre.config_files import config_names, find_config
from mmdetpre.utils.plain_text import printable

HELP = "the path of a config of the package, for mim and every tool; without a name: all of them"


def config(arguments: Sequence[str]) -> int:
    """Print a path, the text of a config with its bases read in, or the names of all.

    Args:
        arguments: What stands behind ``mmdetpre config``.

    Returns:
        Exit code: 1 with one message if there is no config of this name.

    Example:
        >>> config(["no_such_config"])
        1
    """
    parser = argparse.ArgumentParser(prog="mmdetpre config", description=f"Print {HELP}.")
    parser.add_argument("name", nargs="?", help="file name, with or without .py, or path below configs")
    parser.add_argument("--show", action="store_true", help="print the config itself, with what it inherits")
    args = parser.parse_args(arguments)
    if args.name is None:
        print("\n".join(config_names()))
        return 0
    try:
        path = find_config(args.name)
    except FileNotFoundError as error:
        print(f"mmdetpre config: {printable(error)}", file=sys.stderr)
        return 1
    if args.show:
        from mmengine.config import Config

        print(Config.fromfile(path).pretty_text)
    else:
        print(path)
    return 0
