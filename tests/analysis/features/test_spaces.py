from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import read_features, write_features
from mmdetpre.analysis.features.spaces import SpaceInfo, image_root, open_layers, open_spaces

IMAGES = [f"cat/{i}.jpg" for i in range(6)]


@pytest.fixture
def write(tmp_path: Path):
    """Function that writes a feature file and returns its folder."""

    def make(name: str, *, n: int = 6, images=None, layers=("conv5", "fc"), **metadata) -> Path:
        random = np.random.default_rng(len(name))
        values = {layer: random.normal(size=(n, 3, 2)).astype(np.float32) for layer in layers}
        write_features(tmp_path / name, values, images=images or IMAGES[:n], metadata=metadata)
        return tmp_path / name

    return make


def test_opens_the_same_layer_or_one_each(write):
    files = {"A": write("a"), "B": write("bb")}
    a, b = open_spaces(files, ["fc"])
    assert (a.name, a.layer, b.name, b.layer) == ("A", "fc", "B", "fc") and a.values.shape == (6, 6)
    np.testing.assert_array_equal(b.values.reshape(6, 3, 2), b.file.layer("fc"))
    a, b = open_spaces(files, ["conv5", "fc"])
    assert (a.layer, b.layer) == ("conv5", "fc")
    assert b.describe() == SpaceInfo("B", "fc", 6, str(files["B"]))
    only = write("only", layers=("fc",))
    assert open_spaces({"A": only, "B": only})[0].layer == "fc"


def test_opens_all_layers_or_those_named(write):
    files = {"A": write("a"), "B": write("bb", layers=("fc", "output"))}
    a, b = open_layers(files)
    assert (list(a), list(b)) == (["conv5", "fc"], ["fc", "output"])
    a, b = open_layers(files, ["output", "fc"])
    assert (list(a), list(b)) == (["fc"], ["output", "fc"])
    with pytest.raises(ValueError, match="'A' has none of the layers output: it holds conv5, fc"):
        open_layers(files, ["output"])
    with pytest.raises(ValueError, match="neither file has a layer 'fc7': they hold conv5, fc, output"):
        open_layers(files, ["fc7"])


def test_networks_have_seen_the_same_pixels(write):
    a = write("a", preprocessing={"resize_edge": 256, "crop": 224, "mean": [1, 2, 3]})
    b = write("bb", preprocessing={"resize_edge": 256, "crop": 224, "mean": [0, 0, 0]})
    open_spaces({"A": a, "B": b}, ["fc"])
    other = write("other", preprocessing={"resize_edge": 256, "crop": 256})
    with pytest.raises(ValueError, match="with crop = 224 and .*other with 256: .* Extract both with the same --crop"):
        open_spaces({"A": a, "B": other}, ["fc"])
    with pytest.raises(ValueError, match="--crop"):
        open_layers({"A": other, "B": a})
    open_spaces({"A": a, "B": write("own features")}, ["fc"])


def test_says_what_is_wrong(write, tmp_path: Path):
    a = write("a")
    for files, layers, message in (
        ({"A": a}, None, "1 feature files are given"),
        ({"A": a, "B": write("few", n=5)}, None, "a holds 6 images and .*few 5"),
        ({"A": a, "B": write("turned", images=IMAGES[::-1])}, None, "in another order: image 0 is cat/0.jpg in the"),
        ({"A": a, "B": write("others", images=[f"x{i}" for i in range(6)])}, None, "hold other images: image 0"),
        ({"A": a, "B": a}, None, "holds several layers, name one of: conv5, fc"),
        ({"A": a, "B": a}, ["fc7"], "has no layer 'fc7'"),
        ({"A": a, "B": a}, ["fc"] * 3, "3 layers are given"),
        (dict.fromkeys("AB", write("one", n=1)), ["fc"], r"holds 1 image\(s\): give features of 2 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            open_spaces(files, layers)
    with pytest.raises(ValueError, match="give features of 4 or more"):
        open_layers(dict.fromkeys("AB", write("three", n=3)))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_spaces({"A": a, "B": tmp_path / "nowhere"})
    values = np.lib.format.open_memmap(a / "fc.npy", "r+")
    values[4, 1, 1] = np.nan
    values.flush()
    fine = write("fine")
    for opened in (open_spaces, open_layers):
        with pytest.raises(ValueError, match="the content of fc.npy has changed since it was written"):
            opened({"B": a, "A": fine}, ["fc"])


def test_root_of_the_images(write):
    files = [write("a"), write("bb", data={"folder": "x/y"}), write("ccc", data={"config": "c.py", "root": "z"})]
    assert [image_root(read_features(file)) for file in files] == [Path(), Path("x/y"), Path("z")]
