import pytest

from mmdetpre.datasets.images.lists import file_statuses, read_image_list


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a\nb\n\n", ["a", "b"]),
        ("a  1\nb -1\nc  0\n", ["a", "c"]),
        ("train/x 1\ntrain/y 2\n", ["train/x", "train/y"]),
        ("train\\x\r\n\rtrain\\y  \r", ["train/x", "train/y"]),
        ("my cat\nmy dog 2\n", ["my cat", "my dog 2"]),
        ("a.jpg\n./b.JPG\n", ["a", "b"]),
        ("a.jpg\nb\n", ["a.jpg", "b"]),
    ],
)
def test_lists_of_voc_and_ilsvrc(tmp_path, text, names):
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "list.txt").write_bytes(text.encode(encoding))
        assert read_image_list(tmp_path / "list.txt") == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n", "names no image"),
        ("a\nb\na\n", "an image twice: a"),
        ("cat 1\ncat 2", "flag"),
        ("/disk/a\n", "without the folder"),
        ("C:\\a\n", "without the folder"),
    ],
)
def test_bad_lists(tmp_path, text, message):
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_image_list(tmp_path / "list.txt")


def test_paths_that_cannot_be_are_missing(tmp_path):
    (tmp_path / "a.jpg").touch()
    for path in (tmp_path / "a.jpg" / "b.jpg", tmp_path / ("a" * 300)):
        with pytest.raises(FileNotFoundError, match="1 of the 1 files that the list names"):
            file_statuses([str(path)], "the list")


def test_missing_files_are_counted_and_the_first_named(tmp_path):
    paths = [str(tmp_path / f"{i:02d}") for i in range(30)]
    (tmp_path / "03").write_text("here")
    with pytest.raises(FileNotFoundError) as error:
        file_statuses(paths, "the list")
    message = str(error.value)
    assert "29 of the 30 files that the list names" in message and paths[0] in message and paths[3] not in message
    assert message.endswith("...")
    assert [path for path, _ in file_statuses(paths[3:4], "the list")] == [paths[3]]
