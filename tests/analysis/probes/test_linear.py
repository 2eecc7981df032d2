"""The linear probe: chosen on validation parts, scikit-learn's accuracy, bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import write_features
from mmdetpre.analysis.probes.data import ProbeData, probe_data
from mmdetpre.analysis.probes.linear import linear_probe
from mmdetpre.analysis.probes.principal_axes import PrincipalAxes


def synthetic(images: int = 150, size: int = 30, classes: int = 5, overlap: float = 1.0) -> ProbeData:
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(2 * images) % classes)
    latent = random.normal(size=(classes, 10))[labels] + overlap * random.normal(size=(2 * images, 10))
    values = np.maximum(latent @ random.normal(size=(10, size)), 0).astype(np.float32)
    names = tuple(f"c{i}" for i in range(classes))
    return ProbeData("fc1", values[:images], labels[:images], values[images:], labels[images:], names)


def test_equals_scikit_learn_at_the_chosen_regularization() -> None:
    from sklearn.linear_model import LogisticRegression

    data = synthetic()
    result = linear_probe(data, progress=False)
    design = PrincipalAxes(data.train)
    test = (data.test - design.mean) * design.inverse_scale
    for entry in result.seeds:
        model = LogisticRegression(C=1 / (len(data.train) * entry.l2), tol=1e-7, max_iter=5000)
        model.fit(design.standardized(slice(None)), data.train_labels)
        assert entry.accuracy == pytest.approx(model.score(test, data.test_labels), abs=0.003 + 1 / len(test))
    over_seeds = [entry.accuracy for entry in result.seeds]
    assert result.accuracy == pytest.approx(np.mean(over_seeds))
    assert result.accuracy_spread == pytest.approx(np.std(over_seeds))
    assert result.accuracy > 0.8 and result.values == 30


def test_choice_is_the_best_of_the_sweep_and_blind_to_the_test() -> None:
    data = synthetic()
    l2 = (1e-1, 1e-3, 1e-6)
    result = linear_probe(data, l2, seeds=(3, 4), progress=False)
    assert result.sweep.l2 == (1e-1, 1e-3, 1e-6)
    for right, entry in zip(result.sweep.validation_accuracy, result.seeds, strict=True):
        assert entry.l2 == l2[int(np.argmax(right))] and entry.validation_accuracy == max(right)
    swapped = ProbeData("fc1", data.train, data.train_labels, data.test, (data.test_labels + 1) % 5, data.classes)
    other = linear_probe(swapped, l2, seeds=(3, 4), progress=False)
    assert [e.l2 for e in other.seeds] == [e.l2 for e in result.seeds]
    assert other.accuracy < 0.2
    assert linear_probe(data, l2, seeds=(3, 4), progress=False) == result


def test_edges_of_the_sweep_are_noted() -> None:
    (note,) = linear_probe(synthetic(), [1.0, 10.0], [0], progress=False).notes
    assert "is the last that was tried, 1: try weaker ones too" in note
    assert linear_probe(synthetic(), [1e-3], [0], progress=False).notes == ()
    for l2, seeds in (([], [0]), ([1e-3], [])):
        with pytest.raises(ValueError, match="at least one of each"):
            linear_probe(synthetic(), l2, seeds)


@pytest.mark.parametrize("max_axes", [16384, 1])
def test_large_layers_are_never_copied(tmp_path: Path, max_axes: int) -> None:
    random = np.random.default_rng(0)
    labels, size = np.arange(120) % 3, 20000
    values = random.normal(size=(120, size)).astype(np.float32)
    values[:, :50] += labels[:, None]
    files = [
        write_features(tmp_path / name, {"conv_proj": values[rows].reshape(60, 20, 1000)}, images=[
            f"{name}{i}" for i in range(60)], labels=labels[rows], classes=["a", "b", "c"])
        for name, rows in (("train", slice(60)), ("test", slice(60, None)))
    ]  # fmt: skip
    data = probe_data(*files)
    design_bytes = 1 << 18
    tracemalloc.start()
    design = PrincipalAxes(data.train, max_axes, design_bytes)
    for _, matrix in design.blocks(3):
        assert matrix.nbytes <= max(design_bytes, 4 * size)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < data.train.nbytes / 2
    result = linear_probe(data, [1e-2, 1e-3], [0], max_axes=max_axes, progress=False)
    assert result.accuracy > 0.6 and result.values == size
