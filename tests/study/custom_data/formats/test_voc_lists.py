"""The lists of a VOC root: both parts or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdetpre.study.custom_data.formats.voc_lists import voc_lists


def test_lists_of_annotated_images_are_parts(tmp_path: Path) -> None:
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("1\n2\n")
    assert voc_lists(tmp_path, "Main", "123") == {}, "a training part alone is no split"
    (lists / "test.txt").write_text("8\n9\n")
    assert voc_lists(tmp_path, "Main", "123") == {}, "as VOC's test images, which nobody has annotations of"
    (lists / "val.txt").write_text("3\n4\n")
    for folder in (tmp_path, tmp_path / "Annotations"):
        assert voc_lists(folder, "Main", "123") == {"train": ["1", "2"], "val": ["3", "4"]}
    assert voc_lists(tmp_path, "Segmentation", "123") == {}
    (lists / "val.txt").write_text("3\n2\n")
    with pytest.raises(ValueError, match=r"train.txt and .*val.txt both name 2: .* Take it out of one"):
        voc_lists(tmp_path, "Main", "123")
