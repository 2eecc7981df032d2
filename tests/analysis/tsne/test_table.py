"""Maps of files as a result: written, read, as rows and in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mmdetpre.analysis.features.feature_file import write_features
from mmdetpre.analysis.tsne.table import TsneMaps, maps_of_files
from mmdetpre.utils.results import read_results, write_results


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    values, labels = np.random.default_rng(0).normal(size=(20, 4)), [0, 1, -1, 1] * 5
    images = [f"{i}.jpg" for i in range(20)]
    files = {
        name: write_features(tmp_path / name, {"fc1": part}, images=images, labels=labels, classes=["cat", "dog"])
        for name, part in (("a", values), ("b", -values[:, :3]))
    }
    found = maps_of_files(files, wanted=["dog"], perplexity=4)
    write_results(tmp_path / "maps.json", [found])
    (again,) = read_results(tmp_path / "maps.json", TsneMaps, "tsne.py")
    assert again.to_dict() == found.to_dict() and again.settings == found.settings
    content = json.loads((tmp_path / "maps.json").read_text())
    assert set(content) == {"format", "settings", "images", "labels", "classes", "shown", "maps"}
    assert content["settings"]["runs"][0] == {"name": "a", "file": str(tmp_path / "a"), "layer": None}
    assert set(content["maps"]["b"]) == {"points", "kl_divergence"}
    head, first, second, third = found.rows()[:4]
    assert head == ["image", "label", "class", "coloured", "a x", "a y", "b x", "b y"]
    assert (first[:4], second[:4], third[:4]) == (["0.jpg", 0, "cat", 0], ["1.jpg", 1, "dog", 1], ["2.jpg", -1, "", 0])
    assert str(found).splitlines()[2] == "Colored: dog"
