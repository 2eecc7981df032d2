"""Commands of the pages name tools, configs, options and targets that exist. Nothing is run."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mmdetpre.cli.main import TOOLS as COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"python", "mim", "make", "torchrun", "mmdetpre"}
SCRIPT_OF = "$(python -m mmdetpre.compat.toolbox_commands"
TOOLBOXES = {"mmdet": "mmdet", "mmsegmentation": "mmseg", "mmpretrain": "mmpretrain"}


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command in fenced shell blocks and in inline code."""
    blocks = re.findall(r"^ *```(?:shell|bash|console)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += [code.replace("\n", " ") for code in re.findall(r"`([^`]+)`", prose)]
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # prose in code, such as an apostrophe
            continue
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words = words[1:]
        if words and (words[0] in PROGRAMS or re.match(r"tools/.*\.(sh|py)$", words[0])):
            yield words


@cache
def module_path(name: str) -> Path | None:
    path = ROOT / Path(*name.split("."))
    return next((one for one in (path.with_suffix(".py"), path / "__init__.py") if one.exists()), None)


@cache
def options_of_source(path: Path) -> frozenset[str]:
    """Option strings in a tool and in the modules of mmdetpre that it imports, which may add some to its parser."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {"--help", "-h"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            names = [one.value for one in node.args if isinstance(one, ast.Constant)]
            found |= {name for name in names if name.startswith("-")}
            found |= {f"--no-{name[2:]}" for name in names if "BooleanOptionalAction" in ast.dump(node)}
    if ROOT / "tools" in path.parents:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmdetpre"):
                imported = [module_path(node.module)]
                imported += [module_path(f"{node.module}.{alias.name}") for alias in node.names]
                for module in imported:
                    found |= options_of_source(module) if module else set()
    return frozenset(found)


@cache
def options_of_mim(action: str, toolbox: str) -> frozenset[str]:
    """Options of `mim train` or `mim test`, and those it hands to the script of a toolbox."""
    import importlib
    from importlib.util import find_spec

    command = importlib.import_module(f"mim.commands.{action}").cli
    spec = find_spec(TOOLBOXES[toolbox])
    assert spec is not None and spec.origin is not None
    script = Path(spec.origin).parent / ".mim" / "tools" / f"{action}.py"
    own = {option for parameter in command.params for option in parameter.opts}
    return frozenset(own | options_of_source(script))


def configs_of(words: list[str]) -> Iterator[str]:
    for word in words:
        for part in re.split(r"[=,]", word):
            if re.match(r"configs/[\w/{},.*-]+\.py$", part):
                yield part


def given_options(words: list[str]) -> set[str]:
    """Options up to ``--``, behind which stand those of another program."""
    words = words[: words.index("--")] if "--" in words else words
    return {word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}


@cache
def keys_of(config: str) -> frozenset[str]:
    """First-level keys; a config without a start may be given one."""
    from mmengine.config import Config

    return frozenset({*Config.fromfile(ROOT / config, import_custom_modules=False), "backbone_init"})


def unknown_keys(words: list[str]) -> list[str]:
    """Keys behind ``--cfg-options`` whose first part the config of the command does not have."""
    config = next((name for name in configs_of(words) if (ROOT / name).exists()), None)
    if config is None or "--cfg-options" not in words:
        return []
    given = words[words.index("--cfg-options") + 1 :]
    keys = [word.split("=")[0] for word in given if re.match(r"[\w.]+=", word)]
    return [f"no key {key} in {config}" for key in keys if key.split(".")[0] not in keys_of(config)]


def unknown_options(tool: Path, rest: list[str]) -> list[str]:
    """Options that a tool does not have."""
    return sorted(given_options(rest) - options_of_source(tool))


def problems_of_command(rest: list[str]) -> list[str]:
    """What of `mmdetpre ...` does not exist."""
    command = rest[0] if rest else "COMMAND"
    if command == "COMMAND" or command.startswith("-"):
        return []
    if command == "config":
        names = [word for word in rest[1:] if not word.startswith("-") and word != "NAME"]
        return [f"no config {name}" for name in names if not any((ROOT / "configs").rglob(f"{name}.py"))]
    if command not in COMMANDS:
        return [f"no command {command}"]
    return unknown_options(ROOT / "tools" / COMMANDS[command][0], rest[1:])


def problems(words: list[str]) -> list[str]:
    """What of a command does not exist."""
    found = [f"no config {name}" for name in configs_of(words) if not (ROOT / name).exists() and "NAME" not in name]
    found += unknown_keys(words)
    program, rest = words[0], words[1:]
    if program == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        return [f"no target {word}" for word in rest if "=" not in word and word not in targets]
    if program == "mmdetpre":
        return found + problems_of_command(rest)
    if program == "mim" and rest[:2] == ["run", "mmdetpre"]:
        if rest[2] == "TOOL":
            return found
        tool = next((ROOT / "tools").rglob(f"{rest[2]}.py"), None)
        return found + (unknown_options(tool, rest[3:]) if tool else [f"no tool {rest[2]}"])
    if program == "mim":
        action, toolbox = [*rest, "", ""][:2]
        if action not in {"train", "test", ""} or toolbox not in {*TOOLBOXES, "", "..."}:
            return [*found, f"mim {action} {toolbox}"]
        toolbox = "mmdet" if toolbox in {"", "..."} else toolbox
        action = action or "train"
        return found + sorted(given_options(rest) - options_of_mim(action, toolbox))
    if program == "torchrun" and (script_of := next((word for word in rest if SCRIPT_OF in word), None)):
        *_, toolbox, action = script_of.rstrip(")").split()
        return found + sorted(given_options(rest[rest.index(script_of) :]) - options_of_mim(action, toolbox))
    if program == "torchrun":
        start = next((i for i, word in enumerate(rest) if word.endswith(".py")), None)
        rest = rest if start is None else rest[start:]
    if program.startswith("tools/"):
        rest = [program, *rest]
    if not rest or rest[0].startswith("-") or not rest[0].endswith((".py", ".sh")) or rest[0].startswith("$"):
        return found
    script = ROOT / rest[0]
    if not script.exists():
        return [*found, f"no file {rest[0]}"]
    if script.suffix == ".sh":  # hands what it does not know to mim
        toolbox, action = script.parent.name, script.stem.split("_")[-1]
        toolbox = {"mmdetection": "mmdet"}.get(toolbox, toolbox)
        return found + sorted(given_options(rest) - options_of_mim(action, toolbox))
    return found + unknown_options(script, rest[1:])


def test_every_command_can_be_typed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert {" ".join(words): found for words in commands(text) if (found := problems(words))} == {}


def test_commands_are_found_in_the_pages() -> None:
    """A change of the pages' form must not leave the test above without anything to look at."""
    text = (ROOT / "docs" / "detection.md").read_text(encoding="utf-8")
    programs = [words[1] for words in commands(text)]
    assert "tools/analysis_tools/iou_sweep.py" in programs and "train" in programs and len(programs) > 8


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("python tools/misc/make_sample.py --layout voc", None),
        ("python tools/misc/make_sample.py --no-such-option", "--no-such-option"),
        ("python tools/misc/make_sample.py --layout voc -- --option-of-another-program", None),
        ("python tools/misc/no_such_tool.py", "no file tools/misc/no_such_tool.py"),
        ("mim train mmdet configs/det/sniper_coco.py --resume --amp --gpus 8 --launcher pytorch", None),
        ("mim train mmdet configs/det/no_such_config.py", "no config configs/det/no_such_config.py"),
        ("mim test mmdet configs/det/sniper_coco.py --tat", "--tat"),
        (
            "mim train mmdet configs/det/rpn_voc.py --cfg-options train_cfg.max_epochs=1 backbone_init.policy=warn",
            None,
        ),
        (
            "mim train mmdet configs/det/sniper_coco.py --cfg-options trian_cfg.max_epochs=1",
            "no key trian_cfg.max_epochs in configs/det/sniper_coco.py",
        ),
        ("mim teach mmdet", "mim teach mmdet"),
        ("mim run mmdetpre make_sample --layout voc", None),
        ("mim run mmdetpre make_sample --layuot voc", "--layuot"),
        ("mim run mmdetpre no_such_tool", "no tool no_such_tool"),
        ("mmdetpre study init --det my_coco.json --out my_study", None),
        ("mmdetpre study init --dte my_coco.json --out my_study", "--dte"),
        ("mmdetpre sutdy run paper", "no command sutdy"),
        ("mmdetpre config sniper_openimages --show", None),
        ("mmdetpre config no_such_config", "no config no_such_config"),
        ("make no_such_target", "no target no_such_target"),
        ("GPUS=8 tools/benchmarks/mmdetection/mim_dist_train.sh configs/det/sniper_voc.py a.pth --amp", None),
        ("GPUS=8 tools/benchmarks/mmdetection/mim_dist_train.sh configs/det/sniper_voc.py a.pth --apm", "--apm"),
    ],
)
def test_what_does_not_exist_is_found(command: str, problem: str | None) -> None:
    ((words),) = commands(f"```shell\n{command}\n```\n")
    assert problems(words) == ([problem] if problem else [])
