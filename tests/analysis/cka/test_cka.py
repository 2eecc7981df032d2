from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.analysis.cka import cka as module
from mmdetpre.analysis.cka.cka import LayerSimilarity, centered_kernel, layer_cka
from mmdetpre.utils.results import read_results, write_results


def unbiased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """HSIC_1 as Song et al. write it (equation 5)."""
    n = len(x)
    k, m = (np.where(np.eye(n, dtype=bool), 0, v @ v.T) for v in (x, y))
    ones = np.ones(n)
    total = np.trace(k @ m) + ones @ k @ ones * (ones @ m @ ones) / ((n - 1) * (n - 2))
    return float((total - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3)))


def hsic(x: np.ndarray, y: np.ndarray, rows: np.ndarray | None = None) -> float:
    n = len(x) if rows is None else len(rows)
    return float((centered_kernel(x, rows) * centered_kernel(y, rows)).sum() / (n * (n - 3)))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@given(st.integers(4, 12), st.integers(1, 6), st.integers(0, 99))
def test_kernels_give_the_unbiased_hsic(n, dimensions, seed):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(n, dimensions)) + 3, random.normal(size=(n, 2))
    assert hsic(x, y) == pytest.approx(unbiased_hsic(x, y), rel=1e-9, abs=1e-9)


def test_minibatches_estimate_the_hsic_of_all_without_bias(random):
    x, y = random.normal(size=(8, 3)), random.normal(size=(8, 2))
    y[:, 0] += x[:, 0]
    batches = [np.array(rows) for rows in itertools.combinations(range(8), 5)]
    assert np.mean([hsic(x, y, rows) for rows in batches]) == pytest.approx(hsic(x, y), rel=1e-9)


def test_one_batch_of_all_images_is_the_full_estimate(random):
    x, y = random.normal(size=(30, 4, 2)), random.normal(size=(30, 5))
    y[:, :4] += x[:, :, 0]
    flat = x.reshape(30, -1)
    expected = unbiased_hsic(flat, y) / np.sqrt(unbiased_hsic(flat, flat) * unbiased_hsic(y, y))
    found = layer_cka({"a": x}, {"b": y}, batch_size=256, epochs=1)
    assert found.cka == pytest.approx(expected) and (found.batches, found.batch_size) == (1, 30)


def test_rotation_scale_and_shift_change_nothing(random):
    x = random.normal(size=(200, 6)) * np.arange(1, 7)
    rotation = np.linalg.qr(random.normal(size=(6, 6)))[0]
    same = {"rotated": x @ rotation, "scaled": -7 * x, "shifted": x + 100, "padded": np.pad(x, ((0, 0), (0, 3)))}
    found = layer_cka({"x": x}, {"x": x} | same, batch_size=32, epochs=2)
    np.testing.assert_allclose(found.cka, 1, rtol=1e-9)
    stretched = layer_cka({"x": x}, {"y": x * [1, 1, 1, 1, 1, 20]}, batch_size=32)
    assert stretched.cka < 0.9  # CKA is not invariant to all linear maps


def test_unrelated_layers_are_at_zero_even_with_more_dimensions_than_images(random):
    x, y = random.normal(size=(400, 600)), random.normal(size=(400, 600))
    found = layer_cka({"x": x}, {"y": y}, batch_size=50, epochs=3)
    assert abs(found.cka) < 0.02
    k, m = ((v[:50] - v[:50].mean(0)) @ (v[:50] - v[:50].mean(0)).T for v in (x, y))
    assert (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()) > 0.8  # what the biased estimate says of one batch


def test_images_are_paired(random):
    x = random.normal(size=(100, 5))
    shuffled = x[random.permutation(100)]
    found = layer_cka({"x": x}, {"same": x, "shuffled": shuffled}, batch_size=20)
    assert found.cka[0, 0] == pytest.approx(1) and abs(found.cka[0, 1]) < 0.2


def test_matrix_seed_and_bounded_parts(random, monkeypatch):
    a = {f"layer{i}": random.normal(size=(60, 3, i + 1)).astype(np.float32) for i in range(3)}
    b = {"fc": a["layer2"].reshape(60, -1)[:, :4] + random.normal(size=(60, 4))}
    first = layer_cka(a, b, batch_size=16, epochs=2, seed=5)
    assert first.cka.shape == (3, 1) and (first.batches, first.batch_size) == (6, 16)
    np.testing.assert_array_equal(layer_cka(a, b, batch_size=16, epochs=2, seed=5).cka, first.cka)
    assert not np.array_equal(layer_cka(a, b, batch_size=16, epochs=2, seed=6).cka, first.cka)
    monkeypatch.setattr(module, "_BLOCK_VALUES", 40)  # two values of 16 images at a time
    np.testing.assert_allclose(layer_cka(a, b, batch_size=16, epochs=2, seed=5).cka, first.cka, rtol=1e-12)


def test_says_what_is_wrong(random):
    x = random.normal(size=(20, 3))
    for a, b, settings, message in (
        (x, x[:19], {}, "'b' holds 19 images and 'a' 20: compare the same images"),
        (x[:3], x[:3], {}, "3 images are given: the unbiased estimate needs 4 or more"),
        (x, x, {"batch_size": 3}, "batch_size is 3 and epochs 10: give 4 images per batch"),
        (x, x, {"epochs": 0}, "epochs 0"),
        (x, np.full((20, 4), 0.1), {}, "the layer 'b' has the same value for all images: CKA is undefined"),
    ):
        with pytest.raises(ValueError, match=message):
            layer_cka({"a": a}, {"b": b}, **settings)
    with pytest.raises(ValueError, match="No layers"):
        layer_cka({}, {})


def test_files_tables_and_rows(random, tmp_path: Path):
    values = {"fc1": random.normal(size=(20, 3)), "fc2": random.normal(size=(20, 2))}
    found = layer_cka(values, {"fc1": values["fc1"]}, names=["One", "Two"], batch_size=10, epochs=2)
    write_results(tmp_path / "cka.json", [found])
    (again,) = read_results(tmp_path / "cka.json", LayerSimilarity, "cka.py")
    assert again.to_dict() == found.to_dict() and np.array_equal(again.cka, found.cka) and again.epochs == 2
    assert found.rows()[:2] == [["One", "Two", "cka"], ["fc1", "fc1", pytest.approx(1)]] and len(found.rows()) == 3
    assert ["fc1", "1.000"] in [line.split() for line in str(again).splitlines()]
