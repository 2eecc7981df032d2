"""Python examples of the pages give what their comments say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def examples(name: str) -> list[str]:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("name", "results"), [("metrics.md", 6), ("sniper.md", 0)])
def test_examples(name: str, results: int) -> None:
    compared = 0
    for source in examples(name):
        scope: dict = {}
        exec(compile(source, name, "exec"), scope)
        for line in source.splitlines():
            said = re.search(r"^(\S.*?)  # .*?(\[.*\])", line)
            if said and " = " not in said[1]:
                value = np.asarray(eval(said[1], scope))
                assert value == pytest.approx(np.array(ast.literal_eval(said[2])), abs=0.005), line
                compared += 1
    assert compared == results


def test_the_chips_of_the_example() -> None:
    (source,) = examples("sniper.md")
    scope: dict = {}
    exec(source, scope)
    assert scope["table"].scale.tolist() == [0, 1] and scope["table"].valid_of(0).tolist() == [0]
