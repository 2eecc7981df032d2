"""Mean features of classes, their clusters, and the file of clusters."""

import json

import numpy as np
import pytest

from mmdetpre.analysis.super_classes.clusters import ClassMeans, SuperClasses, cluster_classes
from mmdetpre.models.super_classes import read_super_classes
from mmdetpre.utils.results import read_results, write_results


def test_means_are_those_of_all_batches():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(50, 3)), np.concatenate([np.arange(4), rng.integers(0, 4, 46)])
    means = ClassMeans(4)
    for part in np.split(np.arange(50), [7, 7, 30]):
        means.add(features[part], labels[part])
    np.testing.assert_allclose(means.mean(), [features[labels == c].mean(axis=0) for c in range(4)])
    assert means.counts.sum() == 50


def test_classes_without_a_box_are_named():
    means = ClassMeans(3)
    with pytest.raises(ValueError, match="3 of the 3 classes have no box"):
        means.mean()
    means.add(np.ones((1, 2)), np.array([1]))
    with pytest.raises(ValueError, match=r"2 of the 3 classes .*: a, c\."):
        means.mean("abc")
    with pytest.raises(ValueError, match="not finite"):
        means.add(np.array([[np.nan, 0]]), np.array([0]))


def test_k_means_finds_the_groups_and_numbers_them_by_their_first_class():
    pytest.importorskip("sklearn", reason="K-means needs scikit-learn")
    rng = np.random.default_rng(0)
    groups = np.array([0, 1, 0, 2, 1, 2, 2, 0])
    means = groups[:, None] * 10 + rng.normal(size=(8, 16))
    for seed in range(3):
        assert cluster_classes(means, 3, seed).tolist() == groups.tolist()
    assert cluster_classes(means, 1).tolist() == [0] * 8
    assert cluster_classes(means, 8).tolist() == list(range(8))
    for clusters in (0, 9):
        with pytest.raises(ValueError, match="give a number from 1 to 8"):
            cluster_classes(means, clusters)
    with pytest.raises(ValueError, match="1 different mean features"):
        cluster_classes(np.ones((8, 2)), 2)


def test_file_is_what_the_model_reads_and_is_not_overwritten(tmp_path):
    file, classes = tmp_path / "new" / "clusters.json", ["n01", "n02", "n03"]
    found = SuperClasses(dict(zip(classes, [0, 1, 0], strict=True)), dict(seed=0))
    write_results(file, [found])
    assert read_super_classes(file, 3, classes).tolist() == [0, 1, 0]
    assert read_super_classes(file, 3, classes[::-1]).tolist() == [0, 1, 0][::-1]
    assert read_results(file, SuperClasses, "cluster_classes.py") == [found]
    content = json.loads(file.read_text())
    assert content["settings"] == dict(seed=0) and content["digest"].startswith("sha256:")
    assert found.rows()[1:] == [["n01", 0], ["n02", 1], ["n03", 0]]
    with pytest.raises(FileExistsError):
        write_results(file, [found])
    other = SuperClasses(dict.fromkeys(classes, 0), {})
    write_results(file, [other], overwrite=True)
    assert read_super_classes(file, 3, classes).tolist() == [0, 0, 0] and other.digest != found.digest
