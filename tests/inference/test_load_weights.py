from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmdetpre.inference.load_weights import class_names, load_weights


class Model(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(2, classes)
        self.head.num_classes = classes


def data(**dataset: object) -> Config:
    return Config(dict(test_dataloader=dict(dataset=dict(type="A")), train_dataloader=dict(dataset=dict(**dataset))))


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("inside", [True, False], ids=["state_dict", "weights alone"])
def test_weights_are_loaded_from_any_form(prefix: str, inside: bool) -> None:
    model, weights = Model(3), {f"{prefix}{key}": value + 1 for key, value in Model(3).state_dict().items()}
    load_weights(model, {"state_dict": weights} if inside else weights, "a.pth")
    assert all(torch.equal(value, weights[f"{prefix}{key}"]) for key, value in model.state_dict().items())


def test_weights_of_another_model_are_refused_before_any_is_loaded() -> None:
    model = Model(3)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"a\.pth was trained for 4 classes, the config asks for 3"):
        load_weights(model, Model(4).state_dict(), "a.pth")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("cfg", "learned", "expected"),
    [
        (data(classes=["x", "y"]), ["a", "b"], ("a", "b")),
        (data(classes=["x", "y"]), [], ("x", "y")),
        (data(metainfo=dict(classes=("x", "y"))), [], ("x", "y")),
        (data(classes=["x", "y", "z"]), [], ("class 0", "class 1")),
        (data(classes="names.txt"), [], ("class 0", "class 1")),
    ],
    ids=["checkpoint", "config", "metainfo", "another count", "a file"],
)
def test_names_of_classes_in_order_of_trust(cfg: Config, learned: list[str], expected: tuple[str, ...]) -> None:
    assert class_names(cfg, Model(2), learned, "a.pth") == expected


def test_too_few_names_are_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.pth names 1 classes, but its model tells 2 apart"):
        class_names(data(), Model(2), ["a"], "a.pth")
