"""torchvision's operators in place of mmcv's binary: found, equal to plain versions, honest about the rest."""

from __future__ import annotations

import ast
import gc
import os
import subprocess
import sys
from pathlib import Path

import mmcv.ops
import numpy as np
import pytest
import torch
from mmcv.ops import DeformConv2dPack, roi_align
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
from torch import Tensor, nn

from mmdetpre.operators import startup, torchvision_ops
from mmdetpre.operators.stand_in import operators_in_use


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """``mmcv.ops`` over the stand-in, whichever operators are installed."""
    for module in ("deform_conv", "modulated_deform_conv", "nms", "roi_align", "focal_loss", "roi_pool"):
        monkeypatch.setattr(sys.modules[f"mmcv.ops.{module}"], "ext_module", torchvision_ops)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float32)


def conv_by_hand(x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None, dilation: int, groups: int) -> Tensor:
    """Deformable 3x3 convolution, padded by its dilation, one sample after the other; bilinear, zeros outside."""
    n, c, h, w = x.shape
    out = x.new_zeros(n, len(weight), h, w)
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    for b, o, i, j in np.ndindex(n, groups, h, w):
        part = slice(o * c // groups, (o + 1) * c // groups)
        for k in range(9):
            y = i + (k // 3 - 1) * dilation + offset[b, (o * 9 + k) * 2, i, j]
            z = j + (k % 3 - 1) * dilation + offset[b, (o * 9 + k) * 2 + 1, i, j]
            if not (-1 < y < h and -1 < z < w):
                continue
            top, left = int(torch.floor(y)), int(torch.floor(z))
            fy, fz = y - top, z - left
            corners = padded[b, part, top + 1 : top + 3, left + 1 : left + 3]
            value = (corners * torch.stack([1 - fy, fy]).view(2, 1) * torch.stack([1 - fz, fz])).sum((1, 2))
            if mask is not None:
                value = value * mask[b, o * 9 + k, i, j]
            out[b, :, i, j] += weight[:, part, k // 3, k % 3] @ value
    return out


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_convolutions_equal_one_by_hand(stand_in: None, modulated: bool) -> None:
    from mmcv.ops import deform_conv2d, modulated_deform_conv2d

    torch.manual_seed(0)
    inputs = [random(2, 4, 4, 5), random(2, 36, 4, 5), random(3, 4, 3, 3), random(2, 18, 4, 5).sigmoid()]
    x, offset, weight, mask = (t.requires_grad_() for t in inputs)
    if modulated:
        bias = random(3).requires_grad_()
        found = modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 2, 2, 1, 2)
        expected = conv_by_hand(x, offset, weight, mask, 2, 2) + bias.view(1, 3, 1, 1)
        variables = x, offset, weight, mask, bias
    else:
        found = deform_conv2d(x, offset, weight, 1, 2, 2, 1, 2)
        expected = conv_by_hand(x, offset, weight, None, 2, 2)
        variables = x, offset, weight
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    slope = random(*found.shape)
    for a, b in zip(
        torch.autograd.grad(found, variables, slope), torch.autograd.grad(expected, variables, slope), strict=True
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_gradient_of_a_frozen_input_is_that_of_the_weight_alone(stand_in: None) -> None:
    torch.manual_seed(0)
    layer = DeformConv2dPack(4, 3, 3, padding=1)
    x = random(2, 4, 6, 6)
    layer(x).square().sum().backward()
    expected = layer.weight.grad.clone()
    layer.weight.grad = None
    layer.conv_offset.requires_grad_(False)
    layer(x).square().sum().backward()
    torch.testing.assert_close(layer.weight.grad, expected)


def test_roi_align_and_its_gradient_are_torchvisions(stand_in: None) -> None:
    from torchvision.ops import roi_align as expected_roi_align

    torch.manual_seed(0)
    x = random(2, 3, 12, 16).requires_grad_()
    rois = torch.tensor([[0, 3.3, 2.1, 90, 70], [1, 20, 30, 60.5, 50]])
    found = roi_align(x, rois, (5, 4), 0.125, 2, "avg", True)
    expected = expected_roi_align(x, rois, (5, 4), 0.125, 2, True)
    assert torch.equal(found, expected)
    slope = random(*found.shape)
    assert torch.equal(*(torch.autograd.grad(y, x, slope)[0] for y in (found, expected)))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("method", ["naive", "linear", "gaussian"])
def test_soft_nms_equals_its_definition(stand_in: None, method: str, offset: int) -> None:
    from mmcv.ops import soft_nms

    torch.manual_seed(0)
    corner = torch.rand(60, 2) * 100
    boxes = torch.cat([corner, corner + 5 + torch.rand(60, 2) * 60], dim=1)
    scores = torch.rand(60)
    dets, keep = soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    left, expected = dict(enumerate(scores.double().tolist())), []
    while left:
        best = max(left, key=lambda k: left[k])
        expected.append((best, left.pop(best)))
        for other in list(left):
            iou = _iou(boxes[best].double(), boxes[other].double(), offset)
            factor = {"naive": 0 if iou >= 0.3 else 1, "linear": 1 - iou if iou >= 0.3 else 1}.get(method)
            left[other] *= float(np.exp(-(iou**2) / 0.5)) if factor is None else factor
            if left[other] < 0.05:
                del left[other]
    assert keep.tolist() == [k for k, _ in expected]
    np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], atol=1e-5)
    assert torch.equal(dets[:, :4], boxes[keep])


def _iou(a: Tensor, b: Tensor, offset: int) -> float:
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2]) + offset).clamp(min=0)
    areas = [float((box[2] - box[0] + offset) * (box[3] - box[1] + offset)) for box in (a, b)]
    shared = float(sides.prod())
    return shared / (sum(areas) - shared)


def test_nms_counts_the_last_pixel_where_asked(stand_in: None) -> None:
    from mmcv.ops import nms

    boxes = torch.tensor([[0.0, 0, 9, 9], [5, 0, 14, 9]])  # IoU 4 / 14 half-open, 5 / 15 with the last pixel
    for offset, kept in ((0, 2), (1, 1)):
        assert len(nms(boxes, torch.tensor([0.9, 0.8]), 0.3, offset)[1]) == kept
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5)[0].shape == (0, 5)


def test_focal_loss_and_its_gradient_are_mmdets_in_plain_pytorch(stand_in: None) -> None:
    from mmcv.ops import sigmoid_focal_loss

    torch.manual_seed(0)
    x = (random(12, 5) * 8).requires_grad_()
    target = torch.randint(0, 6, (12,))  # 5 is background
    one_hot = nn.functional.one_hot(target, 6)[:, :5]
    losses = sigmoid_focal_loss(x, target, 2.0, 0.25, None, "sum"), py_sigmoid_focal_loss(x, one_hot, reduction="sum")
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, x)[0] for loss in losses))


def test_what_torchvision_has_not_raises_with_its_name_and_the_way_out(stand_in: None) -> None:
    from mmcv.ops import roi_pool

    rois = torch.tensor([[0.0, 0, 0, 4, 4]])
    with pytest.raises(NotImplementedError, match="operator roi_pool_forward(?s:.*)make setup WITH_MMCV_OPS=1"):
        roi_pool(torch.zeros(1, 1, 8, 8), rois, 2)
    with pytest.raises(NotImplementedError, match="pool_mode='max'"):
        roi_align(torch.zeros(1, 1, 8, 8), rois, 2, 1.0, 2, "max", True)


def names_that_mmcv_loads() -> list[str]:
    """Operators that the modules of ``mmcv.ops`` ask their binary for."""
    found: set[str] = set()
    for file in Path(mmcv.ops.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "load_ext":
                assert ast.literal_eval(call.args[0]) == "_ext"
                found.update(ast.literal_eval(call.args[1]))
    return sorted(found)


def test_every_operator_that_mmcv_loads_is_there_or_raises_with_its_name() -> None:
    names = names_that_mmcv_loads()
    assert len(names) > 80
    absent = [name for name in names if name not in vars(torchvision_ops)]
    assert set(names) - set(absent) >= {"nms", "softnms", "roi_align_forward", "deform_conv_forward"}
    for name in absent:
        with pytest.raises(NotImplementedError, match=rf"operator {name} needs a compiled mmcv.*WITH_MMCV_OPS=1"):
            getattr(torchvision_ops, name)(torch.zeros(1), out=None)


def test_the_gradient_of_a_weight_is_not_kept_longer_than_the_step(stand_in: None) -> None:
    layer = DeformConv2dPack(4, 3, 3, padding=1)
    layer.weight.requires_grad_(False)  # nobody asks for its gradient
    layer(random(2, 4, 6, 6).requires_grad_()).sum().backward()
    gc.collect()
    assert torchvision_ops._weight_gradient._value is None


def test_channels_last_gives_the_same_regions(stand_in: None) -> None:
    torch.manual_seed(0)
    rois = torch.tensor([[0, 3.3, 2.1, 90, 70], [1, 20, 30, 60.5, 50]])
    x = random(2, 3, 12, 16)
    slope = random(2, 3, 5, 4)
    found = []
    for form in (torch.contiguous_format, torch.channels_last):
        given = x.clone().to(memory_format=form).requires_grad_()
        y = roi_align(given, rois, (5, 4), 0.125, 2, "avg", True)
        found.append((y, *torch.autograd.grad(y, given, slope.to(memory_format=form))))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1])


def test_focal_loss_of_bfloat16_is_computed_in_float32(stand_in: None) -> None:
    from mmcv.ops import sigmoid_focal_loss

    half, target = random(50, 4).mul(4).bfloat16().requires_grad_(), torch.arange(50) % 5
    found = sigmoid_focal_loss(half, target, 2.0, 0.25, None, "none")
    full = half.detach().float().requires_grad_()
    expected = sigmoid_focal_loss(full, target, 2.0, 0.25, None, "none")
    assert found.dtype == torch.bfloat16 and torch.equal(found, expected.bfloat16())
    gradients = [torch.autograd.grad(*pair)[0] for pair in ((found.float().sum(), half), (expected.sum(), full))]
    assert torch.equal(gradients[0], gradients[1].bfloat16())


def test_bfloat16_boxes_and_maps(stand_in: None) -> None:
    from mmcv.ops import nms

    torch.manual_seed(0)
    x, rois = random(1, 3, 12, 16), torch.tensor([[0, 3.3, 2.1, 90, 70]])
    half = x.bfloat16().requires_grad_()
    found = roi_align(half, rois.bfloat16(), (5, 4), 0.125, 2, "avg", True)
    assert found.dtype == torch.bfloat16
    expected = roi_align(half.float(), rois.bfloat16().float(), (5, 4), 0.125, 2, "avg", True)
    assert (found.float() - expected).abs().max() < 0.02 * expected.abs().max()
    assert torch.autograd.grad(found.float().sum(), half)[0].abs().sum() > 0
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 7], [40, 40, 50, 50]])
    assert nms(boxes.bfloat16(), torch.tensor([0.9, 0.8, 0.7]).bfloat16(), 0.5)[1].tolist() == [0, 2]


def test_the_operators_of_this_process_are_named() -> None:
    assert operators_in_use().split()[0].rstrip(",") in ("mmcv", "torchvision")


IN_A_NEW_PROCESS = """
import runpy, sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name == "mmcv._ext" else find(name, *more)  # no compiled binary
runpy.run_path(sys.argv[1])  # as the .pth file does
assert not {"mmdetpre", "torch", "mmcv"} & set(sys.modules)
exec(sys.argv[2])
import mmcv.ops, mmdetpre
from mmdetpre.operators.stand_in import operators_in_use
print(operators_in_use())
"""


@pytest.mark.parametrize("first", ["import mmdetpre", "import mmdet.evaluation, mmseg.utils"])
def test_toolboxes_find_the_stand_in_where_nothing_is_compiled(first: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IN_A_NEW_PROCESS, startup.__file__, first], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("torchvision ")


WORKERS = """
import sys
from torch.utils.data import DataLoader

def who(items):
    assert "mmdetpre" not in sys.modules and "mmcv" not in sys.modules  # a process of its own
    import mmcv.ops
    return [hasattr(sys.modules["mmcv.ops.nms"].ext_module, "STANDS_IN_FOR_MMCV")]

if __name__ == "__main__":
    for start in ("spawn", "fork"):
        (found,) = DataLoader([0], collate_fn=who, num_workers=1, multiprocessing_context=start)
        print(start, found)
    import mmcv.ops
    print(type(sys.modules["mmcv._ext"].__spec__.loader).__name__)
"""


@pytest.mark.slow
def test_workers_of_a_loader_find_the_same_operators(repository: Path, tmp_path: Path) -> None:
    """Also under ``python -m``, and in processes that are not forked and never import mmdetpre."""
    (tmp_path / "whose.py").write_text(WORKERS)
    (tmp_path / "mmdetpre_startup.py").write_text(Path(startup.__file__).read_text())  # what the .pth file imports
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(repository)])}
    command = [sys.executable, "-m", "whose"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    stands_in = "STANDS_IN_FOR_MMCV" in vars(sys.modules[startup.BINARY])
    assert done.stdout.splitlines() == [f"spawn [{stands_in}]", f"fork [{stands_in}]", "_TellingLoader"], done.stderr
