"""Results of layers are kept, and used again only for the same features and settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmdetpre.analysis.features.feature_file import FeatureFile, read_features, write_features
from mmdetpre.analysis.probes import layers as module
from mmdetpre.analysis.probes.layers import probe_layers


def features(path: Path, config: str = "a.py") -> FeatureFile:
    random = np.random.default_rng(len(path.name))
    labels = np.arange(30) % 3
    values = np.eye(3)[labels] + 0.3 * random.normal(size=(30, 3))
    return write_features(
        path,
        {"fc1": values, "conv5_pooled": np.repeat(values, 2, axis=1)},
        images=[f"{path.name}{i}" for i in range(30)],
        labels=labels,
        classes="abc",
        metadata={"initialisation": "OpenImages", "data_name": "Caltech-256", "config": config},
    )


def test_results_are_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test, out = features(tmp_path / "train"), features(tmp_path / "test"), tmp_path / "out"
    settings = dict(l2=[1e-2, 1e-3], seeds=[0], neighbors=[1, 3], progress=False)
    first = probe_layers(train, test, ["fc1", "conv5_pooled"], out, **settings)
    assert [(r.layer, r.probe) for r in first] == [
        ("fc1", "linear"), ("fc1", "knn"), ("conv5_pooled", "linear"), ("conv5_pooled", "knn"),
    ]  # fmt: skip
    assert all(r.accuracy > 0.8 and r.init == "OpenImages" for r in first)
    for probe in ("linear_probe", "knn_probe"):
        monkeypatch.setattr(module, probe, _must_not_run)
    moved = [f.path.rename(tmp_path / f"moved_{f.path.name}") for f in (train, test)]
    again = probe_layers(*map(read_features, moved), ["fc1", "conv5_pooled"], out, **settings)
    assert again == first
    with pytest.raises(ValueError, match=r"fc1_linear.json was made of other settings .*add --force"):
        probe_layers(*map(read_features, moved), ["fc1"], out, **settings | {"seeds": [1]})
    with pytest.raises(ValueError, match=r"made of other features \(test\)"):
        probe_layers(read_features(moved[0]), features(tmp_path / "test", "b.py"), ["fc1"], out, **settings)


def _must_not_run(*arguments: object, **settings: object) -> None:
    raise AssertionError("the result was there already")


def test_force_replaces_what_differs(tmp_path: Path) -> None:
    train, test, out = features(tmp_path / "train"), features(tmp_path / "test"), tmp_path / "out"
    settings = dict(l2=[1e-2], neighbors=None, progress=False)
    probe_layers(train, test, ["fc1"], out, seeds=[0], **settings)
    (new,) = probe_layers(train, test, ["fc1"], out, seeds=[1, 2], overwrite=True, **settings)
    assert [entry.seed for entry in new.seeds] == [1, 2]
    assert [path.name for path in out.iterdir()] == ["fc1_linear.json"]
