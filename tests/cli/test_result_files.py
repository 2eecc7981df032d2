"""Outputs that tools share: checked before the work, numbers and picture written as asked."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mmdetpre.cli.result_files import add_outputs, check_outputs, write_outputs
from mmdetpre.plotting.style import new_figure
from mmdetpre.utils.results import Cell, Result


@dataclass(frozen=True)
class Number(Result):
    kind: ClassVar[str] = "number"
    alone: ClassVar[bool] = True
    value: int

    def rows(self) -> list[list[Cell]]:
        return [["value"], [self.value]]


def parsed(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_outputs(parser)
    return parser.parse_args(list(map(str, words)))


def test_numbers_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = parsed("--out", tmp_path / "new/a.json", "--plot", tmp_path / "new/a.png")
    check_outputs(args, required=True)
    write_outputs(args, Number(3), lambda: new_figure(1, 1))
    assert (tmp_path / "new/a.json").read_text() == '{"format": "mmdetpre number", "value": 3}\n'
    assert (tmp_path / "new/a.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines()[0] == "Number(value=3)"
    with pytest.raises(FileExistsError, match="--force"):
        check_outputs(args)
    table, other = tmp_path / "a.csv", tmp_path / "a.txt"
    write_outputs(parsed("--out", table), Number(3), lambda: pytest.fail("no picture is asked for"))
    assert table.read_text() == "value\n3\n"
    args = parsed("--out", other)
    check_outputs(args, ".txt")
    write_outputs(args, Number(3), lambda: new_figure(1, 1), lambda path: path.write_text("3") and None)
    assert other.read_text() == "3"


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Nothing is to be written: give --plot, --out or both"):
        check_outputs(parsed(), required=True)
    check_outputs(parsed())
    for words, message in ((["--out", "a.txt"], r"expected one of .json, .csv"), (["--plot", "a.json"], ".png, .jpg")):
        with pytest.raises(ValueError, match=message):
            check_outputs(parsed(*words))


def test_a_picture_given_as_numbers_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As some tools took it before version 0.1."""
    args = parsed("--out", tmp_path / "a.png")
    check_outputs(args)
    assert (args.plot, args.out) == (tmp_path / "a.png", None)
    assert "use --plot" in capsys.readouterr().err
