"""Masks of outlines: those of pycocotools, and what is wrong with an outline in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from mmdetpre.datasets.coco.outlines import outline_mask


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_runs_as_pycocotools_writes_them(mask: np.ndarray) -> None:
    packed = coco_mask.encode(np.asfortranarray(mask))
    outline = {"size": list(packed["size"]), "counts": packed["counts"].decode()}
    assert (outline_mask(outline, mask.shape[1], mask.shape[0]) == mask).all()
    columns = mask.ravel(order="F")
    runs = np.diff(np.flatnonzero(np.diff(columns, prepend=0, append=2) != 0), prepend=0).tolist()
    assert (outline_mask(outline | {"counts": runs}, mask.shape[1], mask.shape[0]) == mask).all()


def test_several_polygons_are_joined() -> None:
    found = outline_mask([[0, 0, 2, 0, 2, 2, 0, 2], [3, 0, 5, 0, 5, 1, 3, 1]], 6, 3)
    assert found.astype(int).tolist() == [[1, 1, 0, 1, 1, 0], [1, 1, 0, 0, 0, 0], [0] * 6]


@pytest.mark.parametrize(
    "outline,message",
    [
        (None, "no outline"),
        ([], "no outline"),
        ("text", "no outline"),
        ([1, 2, 3, 4, 5, 6], "an outline that is not a list of polygons"),
        ([[1, 2, 3, 4]], "a polygon of 4 numbers"),
        ([[1, 2, 3, 4, 5, 6, 7]], "a polygon of 7 numbers"),
        ([[1, 2, 3, 4, 5, float("nan")]], "a point that is not a number"),
        ([[1, 2, 3, 4, 5, "6"]], "a point that is not a number"),
        ([[1, 2, 3, 4, 5, 1e9]], "far outside of the image"),
        ({}, "run lengths of size None, its image has [10, 20]"),
        ({"size": [20, 10], "counts": [200]}, "run lengths of size [20, 10], its image has [10, 20]"),
        ({"size": [10, 20]}, "run lengths that are not whole numbers from 0"),
        ({"size": [10, 20], "counts": [100, -1, 101]}, "run lengths that are not whole numbers from 0"),
        ({"size": [10, 20], "counts": [True] * 200}, "run lengths that are not whole numbers from 0"),
        ({"size": [10, 20], "counts": [100]}, "run lengths of 100 pixels, its image has 200"),
        ({"size": [10, 20], "counts": "5"}, "run lengths of 5 pixels, its image has 200"),
        ({"size": [10, 20], "counts": "P" * 100}, "run lengths that are not whole numbers from 0"),
        ({"size": [10, 20], "counts": "\u20ac"}, "run lengths that are not whole numbers from 0"),
    ],
)
def test_bad_outlines(outline: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        outline_mask(outline, 20, 10)
    assert message in str(error.value)
