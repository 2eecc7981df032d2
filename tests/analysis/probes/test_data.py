"""Feature files of a probe must belong together; validation parts are stratified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.features.feature_file import FeatureFile, write_features
from mmdetpre.analysis.probes.data import probe_data, stratified_part

META = {"backbone_digest": "abc", "preprocessing": {"crop": 224}, "data": {"folder": "photos"}}


def features(path: Path, **change: object) -> FeatureFile:
    plan = {
        "layers": {"fc1": np.arange(12.0).reshape(4, 3), "map": np.ones((4, 2, 2, 2))},
        "images": [f"{path.name}{i}.jpg" for i in range(4)],
        "labels": [0, 1, 0, 1],
        "classes": ["cat", "dog"],
        "metadata": META,
    } | change
    return write_features(path, plan.pop("layers"), **plan)


def test_takes_a_layer_flat_and_mapped(tmp_path: Path) -> None:
    data = probe_data(features(tmp_path / "a"), features(tmp_path / "b"), "map")
    assert data.layer == "map" and data.train.shape == (4, 8) and data.classes == ("cat", "dog")
    assert not data.train.flags.writeable and not data.train.flags.owndata
    assert data.test_labels.tolist() == [0, 1, 0, 1]
    unnamed = [features(tmp_path / n, classes=[], layers={"fc1": np.ones((4, 2))}) for n in "cd"]
    assert probe_data(*unnamed).layer == "fc1" and probe_data(*unnamed).classes == ("0", "1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": {"fc1": np.ones((4, 5))}}, r"fc1 is \(3,\) in .* and \(5,\) in"),
        ({"layers": {"fc2": np.ones((4, 5))}}, "has no layer 'fc1': it holds fc2"),
        ({"metadata": META | {"backbone_digest": "xyz"}}, r"differ in backbone_digest \(abc and xyz\)"),
        ({"metadata": META | {"preprocessing": {"crop": 96}}}, "differ in preprocessing .*224.*96"),
        ({"labels": [0, 1, -1, -1]}, "2 of 4 images in .*b have no class, e.g. b2.jpg"),
        ({"classes": ["cat", "cow"]}, "differ in classes: class 1 is 'dog' in the first and 'cow' in the second"),
        ({"classes": ["cat", "dog", "cow"]}, "class 2 is none in the first and 'cow'"),
        ({"images": ["b0.jpg", "a1.jpg", "a2.jpg", "b3.jpg"]}, "2 images are in .* e.g. a1.jpg: what is learned"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict, message: str, tmp_path: Path) -> None:
    train = features(tmp_path / "a")
    with pytest.raises(ValueError, match=message):
        probe_data(train, features(tmp_path / "b", **change), "fc1")


def test_classes_without_training_images_are_refused(tmp_path: Path) -> None:
    train, test = features(tmp_path / "a", labels=[0] * 4), features(tmp_path / "b")
    with pytest.raises(ValueError, match="1 classes of the test images have no image in .*, e.g. dog"):
        probe_data(train, test, "fc1")


def test_equal_names_in_different_folders_are_different_images(tmp_path: Path) -> None:
    names, elsewhere = ["1.jpg", "2.jpg", "3.jpg", "4.jpg"], META | {"data": {"folder": "other"}}
    files = features(tmp_path / "a", images=names), features(tmp_path / "b", images=names, metadata=elsewhere)
    assert len(probe_data(*files, "fc1").test) == 4


@given(st.lists(st.integers(0, 5), min_size=2, max_size=80), st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 9))
def test_parts_keep_images_of_every_class(labels: list[int], fraction: float, seed: int) -> None:
    given_labels = np.array(labels)
    counts = np.bincount(given_labels)
    if counts.max() < 2:
        with pytest.raises(ValueError, match="No class has two"):
            stratified_part(given_labels, fraction, seed)
        return
    part = stratified_part(given_labels, fraction, seed)
    for label, count in enumerate(counts):
        held = np.count_nonzero(part[given_labels == label])
        assert held == (min(max(1, round(fraction * count)), count - 1) if count else 0)
    assert np.array_equal(part, stratified_part(given_labels, fraction, seed))


def test_parts_differ_between_seeds_and_need_a_fraction() -> None:
    labels = np.arange(40) % 2
    assert not np.array_equal(stratified_part(labels, 0.5, 0), stratified_part(labels, 0.5, 1))
    for fraction in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            stratified_part(labels, fraction, 0)
