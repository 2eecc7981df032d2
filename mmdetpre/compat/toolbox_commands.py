"""The commands that train and test with a toolbox: by ``mim``, or by the toolbox's own script where mim is not.

``mim`` knows a toolbox by the name of its distribution, which is another one in OpenMMLab's fork. For shells, that
name, and the script, for launchers that mim does not know::

    mim train "$(python -m mmdetpre.compat.toolbox_commands mmdet)" configs/det/sniper_voc.py
    torchrun --nnodes 2 "$(python -m mmdetpre.compat.toolbox_commands mmdet train)" configs/det/sniper_voc.py
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from mmdetpre.compat.host_packages import FORK_OF, TESTED, TESTED_FORK, distribution_name, module_folder


def training_command(toolbox: str, config: str | Path, *arguments: object) -> list[str]:
    """What trains a config.

    Args:
        toolbox: OpenMMLab's name of it: ``mmdet``, ``mmsegmentation`` or ``mmpretrain``.
        config: Config file.
        arguments: Further arguments of ``mim train``, written as texts.

    Raises:
        FileNotFoundError: If the toolbox is not installed.
        ValueError: If an argument needs mim, which is not installed, or mim a home that can be written to.

    Example:
        >>> training_command("mmdet", "configs/det/sniper_coco.py", "--resume")[-2:]
        ['configs/det/sniper_coco.py', '--resume']
    """
    return _command("train", toolbox, [config], arguments)


def testing_command(toolbox: str, config: str | Path, checkpoint: str | Path, *arguments: object) -> list[str]:
    """What tests a checkpoint; errors as of `training_command`.

    Args:
        toolbox: "mmdet", "mmseg" or "mmpretrain".
        config: The config.
        checkpoint: The checkpoint.
        *arguments: Further arguments of the command.

    Example:
        >>> "epoch_7.pth" in testing_command("mmdet", "configs/det/sniper_coco.py", "epoch_7.pth", "--tta")
        True
    """
    return _command("test", toolbox, [config, checkpoint], arguments)


def toolbox_name(toolbox: str) -> str:
    """The name of a toolbox in a command of ``mim``, for messages: ``mmdet`` or ``onedl-mmdetection``.

    Example:
        >>> toolbox_name("mmdet") in ("mmdet", "onedl-mmdetection")
        True
    """
    return distribution_name(toolbox) or toolbox


def script_of_mim(words: Sequence[str]) -> list[str] | None:
    """The toolbox's script that a command of ``mim`` runs, and its arguments; None if mim launches it in another way.

    Args:
        words: ``mim train`` or ``mim test``, a name of a toolbox, and arguments.

    Example:
        >>> script_of_mim(["mim", "train", "mmdet", "configs/det/sniper_coco.py", "--launcher", "slurm"]) is None
        True
    """
    if len(words) < 4 or not Path(words[3]).is_file():
        return None
    _, script, name, config, *rest = words
    toolbox = next((known for known in _TOOLBOXES if name in (known, distribution_name(known))), None)
    arguments, checkpoint, given = [], [], iter(rest)
    for word in given:
        key, _, value = word.partition("=")
        if key in ("--checkpoint", "-C"):
            checkpoint = [value or next(given, "")]
        elif key in _OF_MIM and (key not in ("--launcher", "-l") or (value or next(given, "")) != "none"):
            return None
        elif key not in _OF_MIM:
            arguments.append(word)
    return None if toolbox is None else [str(_script(script, toolbox)), config, *checkpoint, *arguments]


def _command(script: str, toolbox: str, given: list[str | Path], arguments: tuple[object, ...]) -> list[str]:
    name = distribution_name(toolbox)
    if name and importlib.util.find_spec("mim"):
        _require_home()
        given = [given[0], *(word for checkpoint in given[1:] for word in ("--checkpoint", checkpoint))]
        return [str(word) for word in ("mim", script, name, *given, *arguments)]
    if needing := [word for word in map(str, arguments) if word.split("=")[0] in _OF_MIM]:
        raise ValueError(f"{needing[0]} is an argument of mim, which is not installed. Run `pip install openmim`.")
    return [str(word) for word in (sys.executable, _script(script, toolbox), *given, *arguments)]


def _require_home() -> None:
    """``mim`` makes a folder below the home as soon as it is imported, and ends with a traceback where it cannot."""
    folder = Path("~/.cache/mim").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"mim needs the folder {folder}, which cannot be made: {error.strerror}. Set HOME to a folder that can be"
            ' written to: export HOME="$(mktemp -d)"'
        ) from error


_TOOLBOXES = ("mmdet", "mmsegmentation", "mmpretrain")
_OF_MIM = (
    "--launcher",
    "-l",
    "--gpus",
    "-G",
    "--gpus-per-node",
    "--cpus-per-task",
    "--partition",
    "--srun-args",
    "--port",
)


def _script(script: str, toolbox: str) -> Path:
    folder = module_folder(toolbox)
    if folder is None:
        fork = FORK_OF[toolbox]
        raise FileNotFoundError(
            f"Neither {toolbox} nor {fork} is installed, and this needs one. Run `pip install"
            f' "{toolbox}{TESTED[toolbox]}"`, or `pip install "{fork}{TESTED_FORK[fork]}"` beside the fork.'
        )
    for tools in (folder / ".mim" / "tools", folder.parent / "tools"):  # of a wheel, and of a source tree
        if (tools / f"{script}.py").is_file():
            return tools / f"{script}.py"
    raise FileNotFoundError(f"{folder} came without its tools: there is no .mim/tools/{script}.py. Install it again.")


if __name__ == "__main__":
    print(_script(sys.argv[2], sys.argv[1]) if sys.argv[2:] else toolbox_name(sys.argv[1]))
