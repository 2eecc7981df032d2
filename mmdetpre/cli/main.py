"""``mmdetpre COMMAND``: hands the rest of the line to a tool of the package, in this process.

The tools stay where OpenMMLab users look for them, in ``tools/`` of a checkout and ``mmdetpre/.mim/tools`` of an
installed package; ``mim run mmdetpre TOOL`` runs any of them.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from mmdetpre.cli.config import HELP as CONFIG_HELP
from mmdetpre.cli.config import config
from mmdetpre.config_files import TOOL_ROOT
from mmdetpre.version import __version__

TOOLS = {
    "demo": ("misc/demo.py", "draw a sample, train SNIPER, test it, draw chips and detections"),
    "study": ("study/study.py", "init, plan, check, run, report: which pre-training helps, and by how much"),
    "detect": ("visualization/detect.py", "detect in images or a video, at several scales"),
    "pack": ("dataset_converters/pack.py", "write the images of a data set as tar shards"),
    "chips": ("analysis_tools/browse_chips.py", "draw the chips that a config trains on"),
    "inspect": ("model_converters/inspect_backbone.py", "what backbone a file holds, and whether a model takes it"),
    "verify": ("model_converters/verify_transfer.py", "whether a backbone loads unchanged in several models"),
    "export": ("model_converters/export_backbone.py", "write the backbone of a checkpoint to a file of its own"),
}
"""Command -> file below ``tools`` and what it does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the console script of the package.

    Args:
        arguments: The command and its arguments; those of the process by default.

    Returns:
        Exit code: that of the tool; 1 with one message where there is no such command or a package is missing.

    Example:
        >>> main(["--version"])
        0.1.0
        0
    """
    name, *rest = (sys.argv[1:] if arguments is None else list(arguments)) or ["--help"]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(__version__)
        return 0
    if name == "config":
        return config(rest)
    if name not in TOOLS:
        return _fail("", f"there is no command '{name}'{_nearest(name)}: it is one of {', '.join([*TOOLS, 'config'])}.")
    return _run(name, rest)


def _run(name: str, arguments: Sequence[str]) -> int:
    tool = TOOL_ROOT / TOOLS[name][0]
    if not tool.is_file():
        return _fail(name, f"{tool} is missing: install the package with `pip install mmdetpre`, or run `make setup`.")
    sys.argv = [f"mmdetpre {name}", *arguments]  # argparse tells it as the name of the program
    try:
        _execute(tool)
    except SystemExit as end:
        if isinstance(end.code, str):
            return _fail(name, end.code)
        return end.code or 0
    except KeyboardInterrupt:
        print(f"mmdetpre {name}: stopped", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == "mmdetpre":
            raise
        package = error.name.partition(".")[0]
        return _fail(name, f"the package '{package}' is not installed: pip install 'mmdetpre[all]' brings all of them.")
    except ImportError as error:
        if not str(error).startswith("mmdetpre: "):  # the versions of the hosts, which say what to do
            raise
        return _fail(name, str(error).removeprefix("mmdetpre: "))
    return 0


def _execute(tool: Path) -> None:
    """As Python runs a script, but that ``sys.argv`` stays ours, which `runpy` does not grant."""
    script = ModuleType("__main__")
    script.__file__ = str(tool)
    sys.modules["__main__"] = script
    exec(compile(tool.read_bytes(), tool, "exec"), vars(script))


def _help() -> str:
    lines = [f"  {name:<8} {what}" for name, (_, what) in TOOLS.items()]
    return "\n".join(
        [
            "usage: mmdetpre COMMAND ...",
            "",
            "Does pre-training a backbone on object detection help your task?",
            "",
            *lines,
            f"  config   {CONFIG_HELP}",
            "",
            "mmdetpre COMMAND --help tells more; --version, the version. Train and test as ever, by mim:",
            "  mim train mmdet $(mmdetpre config sniper_openimages_sample)",
            "and `mim run mmdetpre TOOL` runs any other tool of the package, such as closest_pairs.",
        ]
    )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, [*TOOLS, "config"], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _fail(name: str, message: str) -> int:
    print(f"{' '.join(['mmdetpre', name]).strip()}: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
