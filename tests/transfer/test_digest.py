from __future__ import annotations

import hashlib

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmdetpre.transfer import weights_digest

TENSORS = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor([1.5, -0.25])}


def test_definition() -> None:
    expected = hashlib.sha256()
    expected.update(b"a(2,)" + np.array([1.5, -0.25], "<f4").tobytes())
    expected.update(b"b(2, 3)" + np.arange(6, dtype="<f4").tobytes())
    assert weights_digest(TENSORS) == expected.hexdigest()


@given(st.permutations(sorted(TENSORS)), st.sampled_from([torch.float16, torch.bfloat16, torch.float64]))
def test_order_format_and_counters_do_not_matter(order: list[str], dtype: torch.dtype) -> None:
    other = {name: TENSORS[name].to(dtype) for name in order}
    assert weights_digest(other | {"n.num_batches_tracked": torch.tensor(3)}) == weights_digest(TENSORS)


def test_values_names_and_shapes_matter() -> None:
    changed = [
        TENSORS | {"a": torch.tensor([1.5, -0.25 - 1e-7])},
        {"b": TENSORS["b"], "c": TENSORS["a"]},
        TENSORS | {"b": TENSORS["b"].reshape(3, 2)},
        TENSORS | {"b": TENSORS["b"].t().contiguous().t() + 0.0 + torch.tensor([0.0, 0.0, 1.0])},
        TENSORS | {"a": torch.tensor([1.5, -0.25, 0.0])},
    ]
    assert len({weights_digest(tensors) for tensors in [TENSORS, *changed]}) == 6


def test_memory_layout_does_not_matter() -> None:
    assert weights_digest(TENSORS | {"b": TENSORS["b"].t().contiguous().t()}) == weights_digest(TENSORS)
