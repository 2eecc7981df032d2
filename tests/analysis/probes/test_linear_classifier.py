"""The classifier of a probe: what the probe has tested, fitted once, on the network that gave the features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmdetpre.analysis.features.batches import WholeImages, normalize
from mmdetpre.analysis.features.extract import extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import read_features, write_features
from mmdetpre.analysis.features.image_set import images_of_folder
from mmdetpre.analysis.probes import linear_classifier as module
from mmdetpre.analysis.probes.classifier import images_all_classify, open_probe_classifier, probe_labels
from mmdetpre.analysis.probes.layers import probe_layers
from mmdetpre.analysis.probes.linear_classifier import LinearClassifier, classifier_of_probe
from mmdetpre.inference.build_model import build_model

SETTINGS = dict(l2=[1e-2, 1e-3], seeds=[0], neighbors=None, progress=False)


def probe(folder: Path, noise: float = 0.3, seed: int = 0) -> Path:
    """A folder as layer_probes.py leaves it."""
    random = np.random.default_rng(seed)
    for part in ("train", "test"):
        labels = np.arange(30) % 3
        values = np.eye(3)[labels] + noise * random.normal(size=(30, 3))
        write_features(
            folder / part,
            {"fc1": values, "conv5_pooled": np.repeat(values, 2, axis=1)},
            images=[f"{part}{i}" for i in range(30)],
            labels=labels,
            classes="abc",
            metadata={"initialisation": "a", "data_name": "b", "config": f"{seed}.py", "data": {"folder": "photos"}},
        )
    probe_layers(read_features(folder / "train"), read_features(folder / "test"), ["conv5_pooled"], folder / "results",
                 **SETTINGS)  # fmt: skip
    return folder


def test_it_is_the_classifier_that_the_probe_has_tested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = probe(tmp_path / "a", noise=0.6)
    found = classifier_of_probe(folder)
    test = read_features(folder / "test")
    probabilities = found.probabilities(test.layer("conv5_pooled"))
    result = module.read_probe(folder / "results" / "conv5_pooled_linear.json")
    assert found.classes == ("a", "b", "c") and found.l2 == result.seeds[0].l2
    assert np.mean(probabilities.argmax(axis=1) == test.labels) == pytest.approx(result.accuracy)
    assert 0.5 < result.accuracy < 1, "a test that all are right would say little"
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)

    monkeypatch.setattr(module, "fit_path", None)  # it is kept
    again = classifier_of_probe(folder)
    assert np.array_equal(again.weights, found.weights) and again.classes == found.classes


def test_a_kept_classifier_of_other_features_is_not_taken(tmp_path: Path) -> None:
    first, second = probe(tmp_path / "a"), probe(tmp_path / "b", seed=1)
    found = classifier_of_probe(first)
    kept = second / "results" / "conv5_pooled_linear.npz"
    found.save(kept)
    assert not np.array_equal(classifier_of_probe(second).weights, found.weights)
    assert LinearClassifier.load(kept).digest == read_features(second / "train").digest()
    kept.write_bytes(b"")
    with pytest.raises(ValueError, match="conv5_pooled_linear.npz"):
        classifier_of_probe(second)
    np.savez(kept, a=1)
    with pytest.raises(ValueError, match="is not a linear classifier of a probe: remove it"):
        classifier_of_probe(second)


def test_folders_without_a_probe(tmp_path: Path) -> None:
    folder = probe(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match="holds no linear probe of fc1 .*run layer_probes.py with --layers fc1"):
        classifier_of_probe(folder, "fc1")
    other = probe(tmp_path / "b", seed=2)
    (folder / "train").rename(tmp_path / "aside")
    (other / "train").rename(folder / "train")
    with pytest.raises(ValueError, match="was made of other features"):
        classifier_of_probe(folder)


def test_images_that_all_probes_classify_correctly(tmp_path: Path) -> None:
    good, bad = probe(tmp_path / "a", noise=0.1), probe(tmp_path / "b", noise=1.5, seed=3)
    paths, classes = images_all_classify([good, bad], 2)
    assert len(paths) == 2 and len(set(classes)) == 2 and all(path.parent == Path("photos") for path in paths)
    test = read_features(good / "test")
    for path, label in zip(paths, classes, strict=True):
        row = test.images.index(path.name)
        assert test.classes[test.labels[row]] == label
        for folder in (good, bad):
            values = read_features(folder / "test").layer("conv5_pooled")
            assert classifier_of_probe(folder).probabilities(values[row : row + 1]).argmax() == test.labels[row]
    assert len(images_all_classify([good], 99)[0]) == 3, "one of each class at most"


def test_labels_of_a_probe(tmp_path: Path) -> None:
    folder = probe(tmp_path / "a", noise=1.5)
    labels, classes = probe_labels(folder)
    test, head = read_features(folder / "test"), classifier_of_probe(folder)
    found = head.probabilities(test.layer("conv5_pooled"))
    assert classes == test.classes and [Path(one.image).name for one in labels] == list(test.images)
    for one, label, row in zip(labels, test.labels, found, strict=True):
        assert one[1:] == (label, row.argmax(), row.max(), row[label])


def save_weights(config: Path, file: Path) -> None:
    """Random ones, with statistics as after a training."""
    model = build_model(config, "cpu").model
    for name, values in model.named_buffers():
        if name.endswith("running_var"):
            values += 0.1 * torch.rand_like(values)
        elif name.endswith("running_mean"):  # below 0: no ReLU of a map of one position is dead
            values -= 0.1 * torch.rand_like(values)
    torch.save({"state_dict": model.state_dict()}, file)


def test_the_network_with_its_probe(repository: Path, tmp_path: Path) -> None:
    """Probabilities of images are those that the stored features have, from the config that the features name."""
    pixels = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 190)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(6):
            image = (level + 40 * pixels.standard_normal((40, 48, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(image).save(tmp_path / "photos" / label / f"{i}.png")
    lists = {part: tmp_path / f"{part}.txt" for part in ("train", "test")}
    for part, numbers in (("train", range(4)), ("test", range(4, 6))):
        lists[part].write_text("".join(f"{label}/{i}.png\n" for label in ("dark", "light") for i in numbers))
    config = repository / "configs/cls/imagenet_cls_sample.py"
    torch.manual_seed(0)
    save_weights(config, tmp_path / "model.pth")
    source = open_feature_source(config, tmp_path / "model.pth", ["conv5_pooled"])
    for part, file in lists.items():
        images = images_of_folder(tmp_path / "photos", file)
        extract_features(source, images, tmp_path / "out" / part, resize_edge=40, crop=32, progress=False)
    train, test = (read_features(tmp_path / "out" / part) for part in lists)
    probe_layers(train, test, ["conv5_pooled"], tmp_path / "out" / "results", **SETTINGS)
    found = open_probe_classifier(tmp_path / "out")
    assert found.classes == ("dark", "light")
    photo = WholeImages(images_of_folder(tmp_path / "photos", lists["test"]), 40, 32)[1]
    probabilities = found(normalize(photo[None], found.preprocessing))
    expected = classifier_of_probe(tmp_path / "out").probabilities(test.layer("conv5_pooled")[1:2])
    np.testing.assert_allclose(probabilities.numpy(), expected, atol=1e-5)
    torch.manual_seed(1)
    save_weights(config, tmp_path / "model.pth")
    with pytest.raises(ValueError, match="holds other weights than the features in"):
        open_probe_classifier(tmp_path / "out")
