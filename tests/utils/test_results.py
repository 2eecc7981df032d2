"""Typed results: what goes into a file comes back equal, and another file is refused with its reason."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from mmdetpre.utils.results import Cell, Result, read_results, write_results


@dataclass(frozen=True)
class Region:
    mean_iou: float | None = field(metadata={"key": "mIoU"})
    iou: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Scores(Result):
    kind: ClassVar[str] = "scores of a test"
    label: str
    images: int
    regions: dict[str, Region]
    whole: Region | None = None

    def rows(self) -> list[list[Cell]]:
        return [["run", "region", "mIoU"], *([self.label, name, r.mean_iou] for name, r in self.regions.items())]


RUN = Scores("=a", 3, {"edge": Region(None, ((0.5, 1.0, None), ()))})


def test_what_is_written_comes_back_equal(tmp_path: Path) -> None:
    write_results(tmp_path / "runs.json", [RUN, RUN])
    assert read_results(tmp_path / "runs.json", Scores, "a test") == [RUN, RUN]
    assert RUN.to_dict()["regions"] == {"edge": {"mIoU": None, "iou": [[0.5, 1.0, None], []]}}


def test_csv_has_its_titles_once_and_no_formula(tmp_path: Path) -> None:
    write_results(tmp_path / "runs.csv", [RUN, RUN])
    assert (tmp_path / "runs.csv").read_text().splitlines() == ["run,region,mIoU", *["'=a,edge,"] * 2]


def test_an_existing_file_stays(tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text("mine")
    with pytest.raises(FileExistsError):
        write_results(tmp_path / "runs.json", [RUN])
    write_results(tmp_path / "runs.json", [RUN], overwrite=True)
    assert read_results(tmp_path / "runs.json", Scores, "a test") == [RUN]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"label": 3}, "expected str @ Scores.label"),
        ({"images": "3"}, "expected int @ Scores.images"),
        ({"images": True}, "expected int @ Scores.images"),
        ({"images": 3.0}, "expected int @ Scores.images"),
        ({"regions": []}, "expected a mapping @ Scores.regions"),
        ({"regions": {"a": {"iou": []}}}, r"required field missing @ Scores.regions\['a'\].mean_iou"),
        ({"regions": {"a": {"mIoU": "1", "iou": []}}}, r"expected float \| None @ Scores.regions\['a'\]"),
        ({"whole": 1}, "Scores.whole"),
    ],
)
def test_values_of_another_type_are_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(json.dumps({"format": "mmdetpre scores of a test", "runs": [RUN.to_dict() | change]}))
    with pytest.raises(ValueError, match=reason):
        read_results(path, Scores, "a test")


@pytest.mark.parametrize("content", ["{}", "[]", "3", '{"format": "other", "runs": []}', "{", '{"runs": 1}'])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "runs.json").write_text(content)
    with pytest.raises(ValueError, match=r"holds no scores of a test .*\. Tool X writes such a file\."):
        read_results(tmp_path / "runs.json", Scores, "Tool X")


def test_a_missing_file_is_told_with_its_writer(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*runs\.json: Tool X writes it"):
        read_results(tmp_path / "runs.json", Scores, "Tool X")


def test_keys_of_a_later_version_are_no_fault() -> None:
    assert Scores.from_dict(RUN.to_dict() | {"new": 1}) == RUN


@dataclass(frozen=True, eq=False)
class Map(Result):
    kind: ClassVar[str] = "map"
    alone: ClassVar[bool] = True
    version: ClassVar[int] = 2
    values: np.ndarray
    pixels: np.ndarray | None = field(default=None, metadata={"key": None})
    lowest: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lowest", float(self.values.min()))


def test_a_file_of_one_result_holds_its_values_beside_the_mark(tmp_path: Path) -> None:
    path, one = tmp_path / "map.json", Map(np.array([[1, 0.5]]), np.zeros(3))
    write_results(path, [one])
    content = json.loads(path.read_text())
    assert content == {"format": "mmdetpre map", "version": 2, "values": [[1.0, 0.5]], "lowest": 0.5}
    (again,) = read_results(path, Map, "a test")
    assert again.to_dict() == one.to_dict() and again.pixels is None
    with pytest.raises(ValueError, match="2 results are given: a file of map holds one"):
        write_results(tmp_path / "two.json", [one, one])
    for change, reason in (
        ({"version": 1}, "its version is 1, expected 2"),
        ({"values": ["a"]}, "expected ndarray @ Map.values"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match=reason):
            read_results(path, Map, "a test")
