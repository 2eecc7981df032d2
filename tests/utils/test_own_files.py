"""Files of a user's own are never replaced: not in the folder of a report, of figures, of a study."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmdetpre.utils import own_files
from mmdetpre.utils.own_files import record_of, require_inside, require_own, write_own


def test_ours_are_replaced_and_others_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_own(folder, {"index.html": "one", "tables.md": "one"})
    (folder / "notes.txt").write_text("mine")
    write_own(folder, {"index.html": "two"})
    write_own(folder, {"tables.md": "two"})
    assert (folder / "index.html").read_text() == (folder / "tables.md").read_text() == "two"
    (folder / "tables.md").write_text("changed by hand")
    with pytest.raises(FileExistsError, match=r"tables.md is not as mmdetpre wrote it.*move it away"):
        write_own(folder, {"index.html": "three", "tables.md": "three"})
    assert (folder / "index.html").read_text() == "two" and (folder / "tables.md").read_text() == "changed by hand"
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "record", [None, "", "[]", "{", '{"format": "x"}', '{"format": "mmdetpre.written/1", "files": 3}']
)
def test_a_file_of_somebody_else_stays(record: str | None, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    if record is not None:
        record_of(tmp_path).write_text(record)
    with pytest.raises(FileExistsError, match="it is your own"):
        write_own(tmp_path, {"index.html": "ours"})
    assert (tmp_path / "index.html").read_text() == "mine"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    (tmp_path / "study" / "report").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="leads out of .*study"):
        write_own(tmp_path / "study" / "report", {"index.html": "ours"})
    (tmp_path / "study" / "figures").mkdir()
    (tmp_path / "study" / "figures" / "1.png").symlink_to(tmp_path / "mine" / "file")
    with pytest.raises(FileExistsError, match="left as it is"):
        write_own(tmp_path / "study" / "figures", {"1.png": b"ours"})
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]
    assert (tmp_path / "mine" / "file").read_text() == "mine"
    require_inside(tmp_path / "study" / "runs" / "a", tmp_path / "study")


def test_a_study_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "study").symlink_to(tmp_path / "disk")
    write_own(tmp_path / "study" / "report", {"index.html": "ours"})
    assert (tmp_path / "disk" / "report" / "index.html").read_text() == "ours"


@pytest.mark.parametrize("killed_at", ["a", "b"])
def test_a_process_that_is_killed_in_between_can_be_started_again(
    killed_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_own(tmp_path, {"a": "one", "b": "one"})
    real = own_files.whole_file

    def killed(path: Path, **options: bool):
        if path.name == killed_at:
            raise KeyboardInterrupt
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(own_files, "whole_file", killed)
        with pytest.raises(KeyboardInterrupt):
            write_own(tmp_path, {"a": "two", "b": "two"})
    require_own(tmp_path, ("a", "b"))
    write_own(tmp_path, {"a": "three", "b": "three"})
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "three"
    assert all(len(digests) == 1 for digests in json.loads(record_of(tmp_path).read_text())["files"].values())
