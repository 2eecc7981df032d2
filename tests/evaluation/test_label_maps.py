from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdetpre.evaluation.label_maps import read_label_map, write_prediction

LABELS = np.array([[0, 1, 2], [255, 20, 7]], np.uint8)


def test_grey_and_palette_files(tmp_path):
    write_prediction(tmp_path / "grey.png", LABELS.astype(np.int64))
    image = Image.fromarray(LABELS)
    image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / "palette.png")
    with Image.open(tmp_path / "palette.png") as saved:
        assert saved.mode == "P"
    for name in ("grey", "palette"):
        np.testing.assert_array_equal(read_label_map(tmp_path / f"{name}.png"), LABELS)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "1", "I;16"])
def test_other_pictures_are_refused(tmp_path, mode):
    image = Image.fromarray(LABELS.astype(np.uint16)) if mode == "I;16" else Image.fromarray(LABELS).convert(mode)
    image.save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=f"a.png is a picture of mode {mode}: a label map holds one class index"):
        read_label_map(tmp_path / "a.png")


def test_files_that_are_no_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no label map .*a.png"):
        read_label_map(tmp_path / "a.png")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match="a.png cannot be read as a label map"):
        read_label_map(tmp_path / "a.png")
    write_prediction(tmp_path / "b.png", LABELS.repeat(50, 0).repeat(50, 1))
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:150])
    with pytest.raises(ValueError, match="b.png cannot be read as a label map"):
        read_label_map(tmp_path / "b.png")
