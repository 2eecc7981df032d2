from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from mmdetpre.datasets.label_maps.files import (
    check_label_map,
    count_labels,
    read_label_map,
    write_prediction,
    wrong_labels,
)

LABELS = np.array([[0, 1, 2], [255, 20, 7]], np.uint8)


def test_gray_and_palette_files(tmp_path):
    write_prediction(tmp_path / "grey.png", LABELS.astype(np.int64))
    image = Image.fromarray(LABELS)
    image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / "palette.png")
    with Image.open(tmp_path / "palette.png") as saved:
        assert saved.mode == "P"
    for name in ("grey", "palette"):
        np.testing.assert_array_equal(read_label_map(tmp_path / f"{name}.png"), LABELS)


@pytest.mark.parametrize(
    ("labels", "mode"),
    [
        (np.array([[0, 256], [65535, 1]], np.uint16), "I;16"),
        (np.array([[0, 70000], [65536, 1]], np.int32), "I"),
        (np.array([[0, 1], [1, 0]], bool), "1"),
    ],
)
def test_values_are_those_of_the_file_however_many_bits_it_has(tmp_path, labels, mode):
    image = Image.fromarray(labels)
    assert image.mode == mode
    image.save(tmp_path / "a.tiff")
    read = read_label_map(tmp_path / "a.tiff")
    np.testing.assert_array_equal(read, labels)
    if mode == "1":
        assert read.dtype == np.uint8
        return
    with pytest.raises(ValueError, match=r"it holds \d+ \(1 pixels\), \d+ \(1 pixels\): expected 0 to 1"):
        check_label_map(read, classes=2)


@given(arrays(np.uint16, (3, 4)), st.integers(1, 300))
def test_labels_that_are_no_class_are_counted(labels, classes):
    wrong = labels[(labels >= classes) & (labels != 255)]
    assert wrong_labels(count_labels(labels), classes) == dict(Counter(wrong.tolist()))
    if len(wrong):
        with pytest.raises(ValueError, match="pixels"):
            check_label_map(labels, classes=classes)
    else:
        check_label_map(labels, classes=classes)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colors_are_refused_with_what_was_found(tmp_path, mode):
    Image.fromarray(LABELS).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=rf"a.png: it is in color \(mode {mode}\), 6 colors such as \(0, "):
        read_label_map(tmp_path / "a.png")


def test_fractions_are_refused_with_what_was_found(tmp_path):
    Image.fromarray(LABELS.astype(np.float32) / 255).save(tmp_path / "a.tiff")
    with pytest.raises(ValueError, match=r"a.tiff: it holds fractions \(mode F\), such as 0\.0, 0\.0039"):
        read_label_map(tmp_path / "a.tiff")


def test_files_that_are_no_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no label map .*a.png"):
        read_label_map(tmp_path / "a.png")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match="Label map .*a.png: the file cannot be read: it is damaged"):
        read_label_map(tmp_path / "a.png")
    with pytest.raises(ValueError, match="cannot be read as a label map"):
        read_label_map(tmp_path)
    write_prediction(tmp_path / "b.png", LABELS.repeat(50, 0).repeat(50, 1))
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:150])
    with pytest.raises(ValueError, match="b.png: the file cannot be read: it is"):
        read_label_map(tmp_path / "b.png")
