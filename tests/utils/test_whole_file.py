"""A file is there whole or not at all, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from mmdetpre.utils.whole_file import PART, whole_file, write_figure, write_json, write_picture, write_rows, write_text


@pytest.fixture
def small_disk() -> Iterator[int]:
    """No file may grow above this many bytes: to a writer it is as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield 10_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_written_with_its_folders_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.json"
    write_json(path, {"ä": [1, 2]}, indent=None)
    assert path.read_bytes() == '{"ä": [1, 2]}\n'.encode()
    write_text(path, "one\r\ntwo\n")
    assert path.read_bytes() == b"one\r\ntwo\n" and os.listdir(path.parent) == ["a.json"]


def test_a_file_is_replaced_only_where_that_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "mine", overwrite=False)
    with pytest.raises(FileExistsError, match=r"a\.txt exists"):
        write_text(path, "other", overwrite=False)
    assert path.read_text() == "mine"


def test_a_file_that_came_in_the_meantime_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    path = tmp_path / "a.txt"
    for link in (os.link, no_links):
        monkeypatch.setattr(os, "link", link)
        with pytest.raises(FileExistsError, match="exists: choose"), whole_file(path, overwrite=False) as part:
            part.write_text("late")
            path.write_text("early")
        assert path.read_text() == "early" and os.listdir(tmp_path) == ["a.txt"]
        path.unlink()
        write_text(path, "new", overwrite=False)
        assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]
        path.unlink()


def test_an_error_in_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as part:
        part.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path: Path, small_disk: int) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match=r"a\.txt cannot be written: File too large. What stood there stands") as caught:
        write_text(path, "x" * 2 * small_disk)
    assert caught.value.errno == errno.EFBIG
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_places_that_take_no_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"file is a file, not a folder"):
        write_text(tmp_path / "file" / "a.txt", "")
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_text(tmp_path, "")


def test_pictures_and_figures_by_their_ending(tmp_path: Path) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0] = 200
    write_picture(tmp_path / "a.png", image)
    with Image.open(tmp_path / "a.png") as found:
        assert found.format == "PNG" and np.array_equal(np.asarray(found), image)
    with pytest.raises(ValueError, match="not a picture format"):
        write_picture(tmp_path / "a.txt", image)
    write_figure(tmp_path / "b.pdf", Figure())
    assert (tmp_path / "b.pdf").read_bytes().startswith(b"%PDF")
    write_rows(tmp_path / "c.csv", [["a", "b,c"], [1, None]])
    assert (tmp_path / "c.csv").read_text() == 'a,"b,c"\n1,\n'
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.pdf", "c.csv"]


def test_a_symbolic_link_stays_and_permissions_too(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "a.txt", tmp_path / "link.txt"
    write_text(target, "old")
    target.chmod(0o640)
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink() and target.read_text() == "new" and target.stat().st_mode & 0o777 == 0o640
    new = tmp_path / "new.txt"
    before = os.umask(0o027)
    write_text(new, "")
    os.umask(before)
    assert new.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    read, write = os.pipe()
    write_text(f"/dev/fd/{write}", "through")
    os.close(write)
    assert os.read(read, 100) == b"through"
    os.close(read)


def test_a_long_name_and_one_that_is_not_utf8(tmp_path: Path) -> None:
    for name in ("ä" * 120 + ".json", os.fsdecode(b"\xff\xfe.json")):
        write_text(tmp_path / name, "here")
        assert (tmp_path / name).read_text() == "here"


def test_a_process_that_is_killed_while_it_writes_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    program = textwrap.dedent(
        """
        import os, signal, sys
        from mmdetpre.utils.whole_file import whole_file
        with whole_file(sys.argv[1]) as part, part.open("w") as file:
            file.write("half"); file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)])
    assert done.returncode == -signal.SIGKILL and path.read_text() == "old"
    left = [file for file in tmp_path.iterdir() if file != path]
    assert [file.suffix for file in left] == [PART] and left[0].read_text() == "half"
