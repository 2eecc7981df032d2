from __future__ import annotations

import pytest
import torch
from torch import nn

from mmdetpre.inference.load_weights import load_weights


@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_arrive_with_or_without_wrappers(wrapped: bool) -> None:
    source, model = nn.Linear(3, 2), nn.Linear(3, 2)
    state = {f"module.{name}" if wrapped else name: value for name, value in source.state_dict().items()}
    load_weights(model, {"state_dict": state} if wrapped else state, "a.pth")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), source.parameters(), strict=True))


def test_what_does_not_fit_is_refused_before_anything_is_loaded() -> None:
    model = nn.Linear(3, 2)
    before = model.weight.clone()
    with pytest.raises(ValueError, match="a.pth lacks 1 of the 2 weights of this model, e.g. bias"):
        load_weights(model, {"weight": torch.zeros(2, 3)}, "a.pth")
    assert torch.equal(model.weight, before)
