from __future__ import annotations

import numpy as np
import pytest

from mmdetpre.analysis.mask_out.mask_out import MaskOut, mask_positions
from mmdetpre.analysis.mask_out.plot import draw_masked_images
from mmdetpre.analysis.mask_out.report import MaskedImage, MaskOutReport


def image(models: int = 2) -> MaskedImage:
    ys, xs = mask_positions(20, 6, 5), mask_positions(30, 6, 4)
    found = {}
    for k in range(models):
        values = np.random.default_rng(k).uniform(0.2, 0.6, (len(ys), len(xs))).astype(np.float32)
        values[1, 2] = 0.1
        found[f"model{k}"] = MaskOut(0.55, 6, (20, 30), xs, ys, values)
    return MaskedImage("dog/a.jpg", "dog", found, np.zeros((20, 30, 3), np.uint8))


@pytest.mark.parametrize("own_scale", [False, True])
def test_map_and_frame_lie_where_the_masks_are(own_scale: bool) -> None:
    one = image()
    figure = draw_masked_images(MaskOutReport({}, (one, one)), own_scale=own_scale)
    figure.draw_without_rendering()
    axes = [axis for axis in figure.axes if axis.get_xlim() == (0, 30)]
    assert len(axes) == 6 and axes[0].get_title() == "dog\na.jpg" and not axes[0].patches
    for axis, found in zip(axes[1:3], one.found.values(), strict=True):
        (mesh,), (frame,) = axis.collections, axis.patches
        assert np.array_equal(np.asarray(mesh.get_array()), found.probability)
        assert mesh.get_clim() == ((found.probability.min(), found.probability.max()) if own_scale else (0, 1))
        corners = mesh.get_coordinates()
        for (i, y), (j, x) in ((a, b) for a in enumerate(found.ys) for b in enumerate(found.xs)):
            center_x, center_y = x + 3, y + 3
            assert corners[i, j, 0] < center_x < corners[i, j + 1, 0]
            assert corners[i, j, 1] < center_y < corners[i + 1, j, 1]
        assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (8, 5, 6, 6)
        assert "unmasked 0.550" in axis.get_title() and "0.100" in axis.get_title()


def test_one_classifier_frames_the_image_too() -> None:
    figure = draw_masked_images(MaskOutReport({}, (image(1),)), title="Masked")
    assert len(figure.axes[0].patches) == 1 and figure.get_suptitle() == "Masked"
    with pytest.raises(ValueError, match="no image to draw"):
        draw_masked_images(MaskOutReport({}, ()))


def test_a_single_position_is_drawn_from_memory_not_from_a_file() -> None:
    found = {"a": MaskOut(0.5, 8, (8, 8), np.array([0]), np.array([0]), np.array([[0.3]], np.float32))}
    report = MaskOutReport({}, (MaskedImage("a", "dog", found, np.zeros((8, 8, 3), np.uint8)),))
    figure = draw_masked_images(report)
    figure.draw_without_rendering()
    assert figure.axes[1].get_title() == "a\nunmasked 0.500, lowest 0.300"
    (mesh,) = figure.axes[1].collections
    assert np.asarray(mesh.get_array()).tolist() == [[np.float32(0.3)]]
    assert mesh.get_coordinates().tolist() == [[[3.5, 3.5], [4.5, 3.5]], [[3.5, 4.5], [4.5, 4.5]]]
    for axis in figure.axes[:2]:
        assert [frame.get_bbox().bounds for frame in axis.patches] == [(0, 0, 8, 8)], "the mask hides the whole image"
    with pytest.raises(ValueError, match="The pixels of a are not in the file of the numbers"):
        draw_masked_images(MaskOutReport.from_dict(report.to_dict()))
