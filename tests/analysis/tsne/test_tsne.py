from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from mmdetpre.analysis.tsne import tsne
from mmdetpre.analysis.tsne.tsne import check_settings, tsne_map, tsne_maps


@pytest.fixture(scope="module")
def groups() -> np.ndarray:
    """Three groups of 20 images, far apart in 60 dimensions."""
    random = np.random.default_rng(0)
    centers = 20 * random.normal(size=(3, 60))
    return (np.repeat(centers, 20, axis=0) + random.normal(size=(60, 60))).astype(np.float32)


def test_puts_similar_images_together_and_repeats_itself(groups: np.ndarray) -> None:
    found = tsne_map(groups, perplexity=5)
    assert found.points.shape == (60, 2) and found.points.dtype == np.float32
    assert found.kl_divergence > 0
    distance = np.linalg.norm(found.points[:, None] - found.points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) // 20 == np.arange(60) // 20).all()
    maps = tsne_maps({"a": groups, "b": groups[:, ::-1]}, perplexity=5)
    assert np.array_equal(maps["a"].points, found.points) and maps["a"].kl_divergence == found.kl_divergence
    assert not np.array_equal(maps["b"].points, found.points)


def test_hands_the_settings_of_the_paper_to_scikit_learn(groups: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[TSNE] = []
    inputs: list[np.ndarray] = []

    def fit(self: TSNE, values: np.ndarray) -> np.ndarray:
        made.append(self)
        inputs.append(values)
        self.kl_divergence_ = 1.0
        return np.zeros((len(values), 2), np.float32)

    monkeypatch.setattr(TSNE, "fit_transform", fit)
    tsne_map(groups)
    assert (made[0].method, made[0].perplexity, made[0].angle) == ("barnes_hut", 10, 0.5)
    np.testing.assert_allclose(inputs[0], PCA(50, random_state=0).fit_transform(groups), atol=1e-3)
    tsne_map(groups, components=0)
    assert np.array_equal(inputs[1], groups)
    tsne_map(groups.reshape(60, 15, 2, 2), components=60, seed=3, theta=0.2)
    assert np.array_equal(inputs[2], groups) and (made[2].random_state, made[2].angle) == (3, 0.2)
    tsne_map(groups[:12], components=50)
    assert inputs[3].shape == (12, 12)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones((20, 4)), "All images have the same features"),
        (np.full((20, 4), np.nan), "not finite"),
        (np.arange(20.0)[:, None], "Features have 1 dimension"),
        (np.eye(1), r"A map of 1 image\(s\) shows nothing"),
        (np.eye(10), "perplexity is 10, and there are 10 images"),
    ],
)
def test_says_why_there_is_no_map(features: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tsne_map(features)
    with pytest.raises(ValueError, match=f"scratch: .*{message}"):
        tsne_maps({"scratch": features})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((20, 0.5, 0.5, 50), "perplexity is 0.5"),
        ((20, 10, 1.5, 50), "theta is 1.5"),
        ((20, 10, 0.5, 1), "1 principal components"),
        ((20, 10, 0.5, -1), "-1 principal components"),
    ],
)
def test_refuses_settings_out_of_range(settings: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_settings(*settings)
    check_settings(20, tsne.PERPLEXITY, tsne.THETA, 0)
