"""Configs that are written as data: values become Python literals, and nothing in them can become code.

mmengine reads a config as text before it reads it as Python: ``{{ fileDirname }}`` and ``{{ $NAME:default }}`` are
replaced wherever they stand, also within strings. So no ``{{`` is ever written (an opening brace in a string is
``\\x7b``), what was written is parsed and must hold literals only, and mmengine has to read back what was meant
before the file is kept.
"""

from __future__ import annotations

import ast
import keyword
import math
import os
import pprint
import re
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdetpre.utils.whole_file import write_text

_WIDTH = 110
_RESERVED = {"filename", "text", "pretty_text", "env_variables", "_base_", "_deprecation_"}  # mmengine's own
_FOLDER = "os.path.dirname(sys._getframe().f_code.co_filename)"  # mmengine compiles a config under its file's name


@dataclass(frozen=True)
class Beside:
    """A path below the folder that the config lies in, wherever that is: a study can be moved as a whole.

    Attributes:
        steps: Names of folders, ``..`` for the one above; the path ends in a slash.
    """

    steps: tuple[str, ...]

    def __repr__(self) -> str:
        return f"os.path.join({_FOLDER}, {', '.join(repr(step) for step in (*self.steps, ''))})"


@dataclass(frozen=True)
class Named:
    """The value of an earlier key of the config, or of its bases (``_base_.name``), and what is added to a text.

    Attributes:
        name: The key.
        suffix: Added behind it.
    """

    name: str
    suffix: str = ""

    def __repr__(self) -> str:
        return f"{self.name} + {_Text(self.suffix)!r}" if self.suffix else self.name


@dataclass(frozen=True)
class ConfigFile:
    """A config to be written.

    Attributes:
        values: Its keys, in order. Plain values, `Beside` and `Named`.
        bases: Files of ``_base_``.
        comments: Lines above a key, and above all (key ``""``). Texts of this package only: nothing that a user named.
    """

    values: Mapping[str, Any]
    bases: Sequence[str] = ()
    comments: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The file.

        Raises:
            ValueError: If a value is not a plain one; names where it stands.

        Example:
            >>> print(ConfigFile({"model": {"type": "A", "names": ["{{ x }}"]}}, ["b.py"]).text(), end="")
            _base_ = ['b.py']
            model = dict(type='A', names=['\\x7b\\x7b x }}'])
        """
        values = {key: plain_values(value, key) for key, value in self.values.items()}
        lines = _comment(self.comments.get("", ""))
        if self.bases:
            lines.append(f"_base_ = {_code(plain_values(list(self.bases), '_base_'), 8)}")
        if "_getframe" in repr([value for value in values.values() if not isinstance(value, str)]):
            if not self.bases:  # mmengine takes an import for its other style of configs, unless it saw _base_ before
                raise ValueError("A config with paths beside it needs a file in _base_.")
            lines += ["import os", "import sys", ""]
        for key, value in values.items():
            _require_key(key)
            lines += [*_comment(self.comments.get(key, "")), f"{key} = {_code(value, len(key) + 3)}"]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Write the file, see `write_config`.

        Raises:
            ValueError: If mmengine reads another config from it.
        """
        write_config(path, self.text(), self.values)


def resolved_text(values: Mapping[str, Any], comment: str) -> str:
    """A config without bases, the same text for the same values, as a study trains it.

    Raises:
        ValueError: If a value is not a plain one; names where it stands.
    """
    lines = _comment(comment)
    for key, value in values.items():
        _require_key(key)
        lines.append(f"{key} = {pprint.pformat(plain_values(value, key), width=_WIDTH, sort_dicts=False)}")
    return "\n".join(lines) + "\n"


def write_config(path: Path, text: str, values: Mapping[str, Any]) -> None:
    """Keep the text of a config, once mmengine reads the values from it.

    Files of ``_base_`` must be there already. Nothing is left under the name if something is wrong.

    Args:
        path: File to write.
        text: What `ConfigFile.text` or `resolved_text` gave.
        values: What it was made from.

    Raises:
        ValueError: If the text holds more than literals, or other values are read from it.
    """
    from mmengine.config import Config

    require_literals(text, path)

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".py", prefix=".", dir=path.parent, encoding="utf-8") as part:
        part.write(text)
        part.flush()
        read = Config.fromfile(part.name, import_custom_modules=False).to_dict()
    bases = [Config.fromfile(path.parent / base, import_custom_modules=False).to_dict() for base in _bases(text)]
    inherited = {key: value for base in bases for key, value in base.items()}
    wanted = _resolved(values, path.parent, inherited)
    if where := _difference(wanted, read) or next(iter(set(read) - set(wanted) - set(inherited)), None):
        raise ValueError(f"{path}: mmengine reads another value of {where} than was written; nothing is kept.")
    write_text(path, text)


def require_literals(text: str, path: Path) -> None:
    """Refuse a config that holds anything but literals, earlier names and the folder it lies in.

    Raises:
        ValueError: Names the line.
    """
    places = [
        i for i, line in enumerate(text.splitlines(), 1) if "{{" in line or re.search(r"[^\n\x20-\U0010ffff]", line)
    ]
    bad = [node for node in ast.parse(text).body if not _is_plain_statement(node)]
    if places or bad:
        raise ValueError(
            f"{path}: line {places[0] if places else bad[0].lineno} is more than a value; nothing is kept."
        )


def plain_values(value: Any, where: str) -> Any:
    """A value whose ``repr`` is safe in a config.

    Raises:
        ValueError: If it is neither None, a number, a text, nor made of these.
    """
    if value is None or isinstance(value, bool | Beside | Named):
        return value
    if isinstance(value, str):
        return _Text(value) if "{" in value else str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _Float(value)
    if isinstance(value, Mapping):
        return {plain_values(key, where): plain_values(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [plain_values(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise ValueError(
        f"{where} is of type {type(value).__name__}, which a written config cannot hold: use plain values."
    )


class _Text(str):
    def __repr__(self) -> str:
        return repr(str(self)).replace("{", r"\x7b")


class _Float(float):
    def __repr__(self) -> str:
        return f"float('{float(self)}')"


def _code(value: Any, used: int, depth: int = 0) -> str:
    """A value in one line where it fits, else one item a line."""
    if isinstance(value, dict) and value and all(isinstance(key, str) and _is_name(key) for key in value):
        opened, closed = "dict(", ")"
        items = [(f"{key}=", item) for key, item in value.items()]
    elif isinstance(value, dict):
        opened, closed = "{", "}"
        items = [(f"{key!r}: ", item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        opened, closed = "[]" if isinstance(value, list) else "()"
        items = [("", item) for item in value]
    else:
        return repr(value)
    comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
    line = opened + ", ".join(head + _code(item, -(10**9)) for head, item in items) + comma + closed
    if used + len(line) <= _WIDTH or not items:
        return line
    inner, outer = "    " * (depth + 1), "    " * depth
    lines = [f"{inner}{head}{_code(item, len(inner + head) + 1, depth + 1)},\n" for head, item in items]
    return f"{opened}\n{''.join(lines)}{outer}{closed}"


def _require_key(key: Any) -> None:
    if not _is_name(key) or key in _RESERVED or key.startswith("__"):
        raise ValueError(f"A config cannot have the key {key!r}.")


def _comment(text: str) -> list[str]:
    return [f"# {line}".rstrip() for line in text.splitlines()]


def _is_name(key: Any) -> bool:
    """Whether Python keeps a name as it is."""
    plain = isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
    return plain and unicodedata.normalize("NFKC", key) == key


def _is_plain_statement(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(name.name in ("os", "sys") and name.asname is None for name in node.names)
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return False
    return _is_plain(node.value)


def _is_plain(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant | ast.Name):
        return True
    if isinstance(node, ast.List | ast.Tuple):
        return all(map(_is_plain, node.elts))
    if isinstance(node, ast.Dict):
        return all(key is not None and _is_plain(key) for key in node.keys) and all(map(_is_plain, node.values))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "_base_"
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and _is_plain(node.left) and isinstance(node.right, ast.Constant)
    if not isinstance(node, ast.Call):
        return False
    called, rest = ast.unparse(node.func), [*node.args, *(word.value for word in node.keywords)]
    if called == "os.path.join" and ast.unparse(node.args[0]) == _FOLDER:
        return all(isinstance(item, ast.Constant) for item in rest[1:])
    return called in ("dict", "float") and all(map(_is_plain, rest)) and all(word.arg for word in node.keywords)


def _bases(text: str) -> list[str]:
    found = [node.value for node in ast.parse(text).body if isinstance(node, ast.Assign)
             and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_base_"]  # fmt: skip
    return list(ast.literal_eval(found[0])) if found else []


def _resolved(values: Mapping[str, Any], folder: Path, inherited: Mapping[str, Any]) -> dict[str, Any]:
    """What the values come to in a config that lies in a folder."""
    found: dict[str, Any] = {}

    def resolve(value: Any) -> Any:
        if isinstance(value, Beside):
            return os.path.join(folder.absolute(), *value.steps, "")
        if isinstance(value, Named):
            target = inherited[value.name.removeprefix("_base_.")] if "." in value.name else found[value.name]
            return target + value.suffix if value.suffix else target
        if isinstance(value, Mapping):
            return {key: resolve(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(resolve, value)) if type(value) in (list, tuple) else list(map(resolve, value))
        return value

    for key, value in values.items():
        found[key] = resolve(value)
    return found


def _difference(wanted: Any, read: Any, where: str = "") -> str | None:
    """Where a config lacks what it was to hold; what it inherits beside that is left alone."""
    if isinstance(wanted, Mapping):
        if not isinstance(read, Mapping):
            return where
        items = {key: value for key, value in wanted.items() if key != "_delete_"}
        if wanted.get("_delete_") and set(read) - {"_delete_", "_scope_"} != set(items):
            return where
        places = (f"{where}.{key}" if key not in read else _difference(value, read[key], f"{where}.{key}")
                  for key, value in items.items())  # fmt: skip
        return next((place for place in places if place), None)
    if isinstance(wanted, list | tuple):
        if (
            not isinstance(read, list | tuple)
            or len(read) != len(wanted)
            or isinstance(read, list) != isinstance(wanted, list)
        ):
            return where
        return next(
            (p for i, pair in enumerate(zip(wanted, read, strict=True)) if (p := _difference(*pair, f"{where}[{i}]"))),
            None,
        )
    same = type(wanted) is type(read) and (wanted == read or wanted != wanted and read != read)
    return None if same else where
