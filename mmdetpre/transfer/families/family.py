"""What a family of backbones is to the transfer: names in each library, what its form is read from, what may be
missing.

A *canonical* name is the one that all libraries' names of a tensor are brought to; it is that of OpenMMLab's backbone
where its toolboxes agree. A rule of renaming may end in ``|0``, ``|1`` ...: such names are parts, in this order, of one
canonical tensor, as the three projections of an attention that others keep in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mmdetpre.utils.plain_config import PlainConfig

Shapes = Mapping[str, tuple[int, ...]]
Rules = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Patterns and what stands for them."""
OUTPUT_NORM = "norms of the stages' outputs, which a classification network lacks: they begin as new"
UNUSED_NORM = "norms of outputs that the model does not have"
COMPUTED = "computed from the size of the window, not learned"


class KeyMapError(ValueError):
    """The names of a file allow no one reading."""


@dataclass(frozen=True)
class Layout:
    """Another order or shape of the same numbers.

    Attributes:
        read: From the library's tensor to the canonical one.
        write: From the canonical tensor, and the shape that the library has, to the library's.
    """

    read: Callable[[Tensor], Tensor]
    write: Callable[[Tensor, tuple[int, ...]], Tensor]


MATRIX = Layout(lambda own: own.flatten(1), lambda tensor, shape: tensor.reshape(shape))
"""A convolution of 1x1 for a matrix."""
VECTOR = Layout(lambda own: own.flatten(), lambda tensor, shape: tensor.reshape(shape))
"""A vector with further sides of length 1."""


@dataclass(frozen=True)
class Naming:
    """How one library names the parameters of a family.

    Attributes:
        library: What messages call it.
        anchors: Names that stand behind the prefix in every such file; the prefix is found by the first.
        rename: Patterns and replacements, applied in order; or a function from all names to as many canonical ones.
        layouts: Pattern of canonical names -> how these tensors differ from the canonical ones.
        whole: What turns all tensors, by canonical name, into the canonical ones, where one depends on others.
    """

    library: str
    anchors: tuple[str, ...]
    rename: Rules | Callable[[Sequence[str]], list[str]] = ()
    layouts: tuple[tuple[str, Layout], ...] = ()
    whole: Callable[[dict[str, Tensor]], dict[str, Tensor]] = lambda tensors: tensors

    def canonical(self, names: Sequence[str]) -> list[str]:
        """Canonical name of each name, without prefix."""
        return list(self.rename(names)) if callable(self.rename) else renamed(names, self.rename)


@dataclass(frozen=True)
class Option:
    """One property of a form.

    Attributes:
        word: What it is called, such as ``depth``.
        value: Of any type that compares and prints.
        setting: What to write in a config to have this value.
    """

    word: str
    value: Any
    setting: str


@dataclass(frozen=True)
class Form:
    """What names and shapes tell of a backbone.

    Attributes:
        family: Name of the family.
        variant: Usual name of this size, such as ``tiny``; empty for others.
        options: What was read.
    """

    family: str
    variant: str
    options: tuple[Option, ...]

    def __str__(self) -> str:
        if self.variant:
            return f"{self.family}-{self.variant}"
        return f"{self.family} ({', '.join(_shown(option) for option in self.options if option.value)})"

    def __getitem__(self, word: str) -> Any:
        return next(option.value for option in self.options if option.word == word)


@dataclass(frozen=True)
class Family:
    """One row of the table of families.

    Attributes:
        name: As in messages.
        type: Type of the backbone in a config.
        anchor: Canonical name that every member has.
        namings: Of all libraries.
        form: Reads the form from canonical names and shapes; None if they are not of this family.
        missing: Pattern of canonical names -> why a file need not have them.
        unexpected: Pattern of canonical names -> why a model need not take them.
        configs: Configs of the backbone for a form, by toolbox; empty where no toolbox builds it.
        behavior: What no tensor tells and yet differs between a library's file and a module, as ``LoadReport.stages``.
    """

    name: str
    type: str
    anchor: str
    namings: tuple[Naming, ...]
    form: Callable[[Shapes], Any]
    missing: Sequence[tuple[str, str]] = ()
    unexpected: Sequence[tuple[str, str]] = ()
    configs: Callable[[Any], dict[str, PlainConfig]] = lambda form: {}
    behavior: Callable[[str, nn.Module], dict[str, str]] = lambda library, module: {}


def renamed(names: Sequence[str], rules: Rules) -> list[str]:
    """Names after a list of patterns and replacements, applied in order.

    Example:
        >>> renamed(["stem.0.weight"], [(r"^stem\\.", "downsample_layers.0.")])
        ['downsample_layers.0.0.weight']
    """
    result = list(names)
    for pattern, replacement in rules:
        compiled = re.compile(pattern)
        result = [compiled.sub(replacement, name) for name in result]
    return result


def depths(shapes: Shapes, pattern: str) -> tuple[int, ...]:
    """Number of blocks per stage.

    Args:
        shapes: By canonical name.
        pattern: Of a name that each block has, with groups for the numbers of stage and block.

    Example:
        >>> depths({"stages.0.0.gamma": (4,), "stages.0.1.gamma": (4,)}, r"^stages\\.(\\d+)\\.(\\d+)\\.gamma$")
        (2,)
    """
    stages: dict[int, int] = {}
    for name in shapes:
        if match := re.match(pattern, name):
            stage, block = int(match[1]), int(match[2])
            stages[stage] = max(stages.get(stage, 0), block + 1)
    return tuple(stages[stage] for stage in sorted(stages))


def only(shapes: Shapes, within: str, known: str) -> bool:
    """Whether all names within the blocks are those of the family: others share some with it, and are not of it.

    Args:
        shapes: By canonical name.
        within: Pattern of the beginning of a block's names.
        known: Pattern of what may follow.

    Example:
        >>> only({"layers.0.attn.qkv.weight": (3, 1), "ln1.weight": (1,)}, r"layers\\.\\d+\\.", r"attn\\.")
        True
    """
    block, rest = re.compile(within), re.compile(known)
    return all(rest.match(name, match.end()) for name in shapes if (match := block.match(name)))


def form_differences(file: Form, model: Form, library: str = "") -> list[str]:
    """Why the weights of one form cannot fill another of the same family, one text per setting to change.

    Args:
        file: Form of the file.
        model: Form of the model.
        library: Whose names the model has: in timm the name of a network stands for depth and width.

    Example:
        >>> tiny = Form("ViT", "tiny", (Option("patch", 16, "patch_size=16"),))
        >>> form_differences(tiny, Form("ViT", "", (Option("patch", 8, "patch_size=8"),)))
        ['wrong patch: the file has 16, the model 8: set patch_size=16 in the model']
    """
    own = {option.word: option.value for option in model.options}
    settings: dict[str, list[Option]] = {}
    for option in file.options:
        if option.word in own and own[option.word] != option.value:
            settings.setdefault(option.setting, []).append(option)
    found = []
    for setting, options in settings.items():
        words = " and ".join(option.word for option in options)
        theirs = " and ".join(_value(option.value) for option in options)
        ours = " and ".join(_value(own[option.word]) for option in options)
        if library == "timm" and setting.startswith("arch"):
            setting = f"model_name to one of timm's networks of that {options[0].word}"
        if all(_begins_with(option.value, own[option.word]) for option in options):
            setting = "out_indices that reach the last stage, or policy='warn' if the rest is not used,"
        which = f" ({file} into {model})" if file.variant and model.variant else ""
        found.append(f"wrong {words}: the file has {theirs}, the model {ours}{which}: set {setting} in the model")
    return found


def _begins_with(file: Any, model: Any) -> bool:
    """Whether a model has the first of the stages that the file has."""
    return isinstance(file, tuple) and isinstance(model, tuple) and file[: len(model)] == model != file


def _shown(option: Option) -> str:
    return option.word if option.value is True else f"{option.word} {_value(option.value)}"


def _value(value: Any) -> str:
    if value is False or value == 0:
        return "none"
    return "it" if value is True else " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
