"""Reads values from the config that a checkpoint of mmengine carries as text, without running it."""

from __future__ import annotations

import ast
from typing import Any

from mmdetpre.utils.plain_config import PlainConfig

MOST_TEXT = 1 << 20
"""Characters of a config text; those of the toolboxes have some ten thousand."""


def literal_config(text: str) -> PlainConfig:
    """The top-level assignments of a config text.

    Literals, lists, tuples and ``dict(...)`` calls are read. Anything else, such as a call or a name, reads as None:
    the text may come from a stranger's file and is never executed.

    Args:
        text: Python source, as ``Config.pretty_text`` writes it. Text that is not valid Python, or far too long for a
            config, gives an empty dictionary.

    Example:
        >>> literal_config("model = dict(mean=[1, 2.5], norm=print('x'))")
        {'model': {'mean': [1, 2.5], 'norm': None}}
    """
    if len(text) > MOST_TEXT:
        return {}
    values = {}
    try:
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = statement.targets[0]
                if isinstance(target, ast.Name):
                    values[target.id] = _literal(statement.value)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return values


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _literal(node.operand)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, ast.List | ast.Tuple):
        items = [_literal(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _literal(value) for key, value in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    return None
