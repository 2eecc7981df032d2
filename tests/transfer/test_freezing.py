from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from mmdetpre.transfer import freezing_table, stage_states


@pytest.mark.parametrize(
    ("options", "weights", "affine", "statistics"),
    [
        (dict(norm_eval=False), [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1]),
        (dict(norm_eval=True), [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]),
        (dict(norm_eval=False, frozen_stages=2), [0, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 1, 1]),
        (dict(norm_eval=False, norm_cfg=dict(type="BN", requires_grad=False)), [1] * 5, [0] * 5, [1] * 5),
    ],
)
def test_each_of_the_three_switches(
    resnet: Callable, options: dict, weights: list, affine: list, statistics: list
) -> None:
    module = resnet(**options)
    module.eval()
    states = stage_states(module)
    assert [state.stage for state in states] == ["stem", "layer1", "layer2", "layer3", "layer4"]
    assert [state.trained == state.parameters for state in states] == [bool(v) for v in weights]
    assert [state.norms_trained for state in states] == [s.norms * v for s, v in zip(states, affine, strict=True)]
    assert [state.norms_updated for state in states] == [s.norms * v for s, v in zip(states, statistics, strict=True)]
    assert sum(state.norms for state in states) == 20
    assert not any(part.training for part in module.modules()), "the modes should be put back"


def test_a_part_that_is_frozen_is_a_share(resnet: Callable) -> None:
    module = resnet(norm_eval=False)
    module.layer3[0].conv1.weight.requires_grad = False
    line = freezing_table(module).splitlines()[4]
    assert line.startswith("layer3") and "% trained" in line


def test_without_norms() -> None:
    assert "none" in freezing_table(nn.Sequential(nn.Conv2d(3, 4, 1)))
