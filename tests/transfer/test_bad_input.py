"""The matrix of good and bad files: each ends in its declared verdict, and a file that raises changes nothing."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmdet.models.backbones import ResNetV1d
from mmseg.models.backbones import ResNetV1c

from mmdetpre.transfer import BackboneNotLoaded, LoadReport, Preprocessing, export_backbone, load_backbone
from mmdetpre.transfer.preprocessing import CAFFE, IMAGENET

HEADS = {"rpn_head.conv.weight": torch.ones(3, 3), "roi_head.fc.bias": torch.ones(3)}
CAFFE_CONFIG = """
model = dict(data_preprocessor=dict(mean=[103.530, 116.280, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False),
             backbone=dict(type='ResNet', style='caffe'))
"""


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (self.path,)


def outcome(module, path, **options) -> LoadReport:
    """The report, whether it raises or not. What raises must leave the module alone."""
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        report = load_backbone(module, path, **options)
    except BackboneNotLoaded as error:
        assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
        assert not error.report.loaded and not error.report.digest and error.report.reasons
        assert error.report.verdict.upper() in str(error) and error.report.reasons[0] in str(error)
        return error.report
    assert report.good or options.get("policy") == "warn"
    assert report.loaded and len(report.digest) == 64
    return report


def test_the_right_file_is_complete(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(seed=1), save(resnet().state_dict()))
    assert report.verdict == "complete" and report.statistics == "present" and not report.reasons
    assert len(report.matched) == len(resnet().state_dict())


def test_a_forgotten_prefix_is_found(resnet: Callable, save: Callable) -> None:
    source = resnet()
    target = resnet(seed=1)
    report = outcome(target, save({f"backbone.{k}": v for k, v in source.state_dict().items()} | HEADS))
    assert report.verdict == "expected" and [name for name, _ in report.expected] == list(HEADS)
    assert not report.missing and not report.unexpected
    state = source.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in target.state_dict().items())


@pytest.mark.parametrize("prefix", ["neck", "module.backbone"])
def test_a_wrong_prefix_is_refused(resnet: Callable, save: Callable, prefix: str) -> None:
    path = save({f"backbone.{k}": v for k, v in resnet().state_dict().items()} | HEADS)
    report = outcome(resnet(seed=1), path, prefix=prefix)
    assert report.verdict == "refused" and "prefix='backbone.'" in report.reasons[0]


def test_two_backbones_are_refused_until_one_is_named(resnet: Callable, save: Callable) -> None:
    student, teacher = resnet(seed=2), resnet(seed=3)
    both = {f"backbone.{k}": v for k, v in student.state_dict().items()}
    path = save(both | {f"teacher.backbone.{k}": v for k, v in teacher.state_dict().items()})
    target = resnet(seed=1)
    report = outcome(target, path)
    assert report.verdict == "refused" and "prefix='teacher.backbone.'" in report.reasons[0]
    assert outcome(target, path, prefix="teacher.backbone").verdict == "expected"
    assert torch.equal(target.conv1.weight, teacher.conv1.weight)


@pytest.mark.parametrize(("drop", "state"), [(lambda n: True, "missing"), (lambda n: "layer1" in n, "partial")])
def test_missing_statistics_are_incomplete(resnet: Callable, save: Callable, drop: Callable, state: str) -> None:
    kept = {k: v for k, v in resnet().state_dict().items() if not ("running_" in k and drop(k))}
    report = outcome(resnet(seed=1), save(kept))
    assert report.verdict == "incomplete" and report.statistics == state
    assert all("running_" in name for name in report.missing) and "running_mean" in report.reasons[0]


def test_statistics_as_new_are_incomplete(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(seed=1), save(resnet(seed=None).state_dict()))
    assert report.verdict == "incomplete" and report.statistics == "default" and not report.missing


@pytest.mark.parametrize(
    ("depth", "reason"),
    [
        (34, "the file has 3 blocks in layer1, the model 2 (ResNet-34"),
        (50, "the file has 3 blocks in layer1, the model 2 (ResNet-50"),
    ],
)
def test_a_wrong_depth_is_incomplete_and_named(resnet: Callable, save: Callable, depth: int, reason: str) -> None:
    report = outcome(resnet(18, seed=1), save(resnet(depth).state_dict()))
    assert report.verdict == "incomplete" and reason in report.reasons[0] and f"depth={depth}" in report.reasons[0]
    assert report.statistics == "present"


def test_blocks_of_another_kind_are_named(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(34, seed=1), save(resnet(50).state_dict()))
    assert report.verdict == "incomplete" and "three convolutions per block" in report.reasons[0]


def test_another_width_is_incomplete(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(seed=1), save(resnet(base_channels=16, stem_channels=16).state_dict()))
    assert report.verdict == "incomplete" and report.shape_clashes
    assert "base_channels=16, stem_channels=16" in report.reasons[0]


@pytest.mark.parametrize("kind", [ResNetV1c, ResNetV1d])
def test_a_deep_stem_is_incomplete(resnet: Callable, save: Callable, kind: type) -> None:
    deep = kind(depth=18, base_channels=8, stem_channels=8)
    for source, target in ((resnet(), deep), (deep, resnet(seed=1))):
        report = outcome(target, save(source.state_dict()))
        assert report.verdict == "incomplete" and "wrong stem" in report.reasons[0]


def test_v1c_into_v1d_is_incomplete_although_all_shapes_fit(save: Callable) -> None:
    target = ResNetV1d(depth=18, base_channels=8, stem_channels=8)
    source = ResNetV1c(depth=18, base_channels=8, stem_channels=8)
    report = outcome(target, save(source.state_dict()))
    assert report.verdict == "incomplete" and "avg_down=False" in report.reasons[0]
    assert not report.missing and not report.unexpected


@pytest.mark.parametrize("how", ["config", "name"])
def test_caffe_style_is_refused_unless_told(resnet: Callable, save: Callable, how: str) -> None:
    source = resnet(50).state_dict()
    how_it_tells = {"config": dict(meta={"cfg": CAFFE_CONFIG}), "name": dict(name="resnet50_caffe.pth")}
    path = save(source, **how_it_tells[how])
    options = {"preprocessing": Preprocessing(IMAGENET.mean, IMAGENET.std, "rgb", "pytorch")}
    report = outcome(resnet(50, seed=1), path, **options)
    assert report.verdict == "refused"
    text = " ".join(report.reasons)
    assert all(part in text for part in ("mean", "std", "channel order: file bgr, model rgb", "style: file caffe"))
    assert outcome(resnet(50, seed=1), path, **options, check_preprocessing=False).verdict == "complete"
    same = Preprocessing(CAFFE.mean, CAFFE.std, "bgr", "caffe")
    assert outcome(resnet(50, seed=1, style="caffe"), path, preprocessing=same).verdict == "complete"


def test_the_style_of_a_resnet18_means_nothing(resnet: Callable, save: Callable) -> None:
    path = save(resnet().state_dict(), meta={"cfg": CAFFE_CONFIG})
    assert outcome(resnet(seed=1), path).verdict == "complete"


@pytest.mark.parametrize("ending", ["pkl", "pth"])
def test_detectron2_is_expected_in_caffe_style_only(
    resnet: Callable, detectron2_names: Callable, tmp_path: Path, ending: str
) -> None:
    source = resnet(50)
    kept = {name: tensor for name, tensor in source.state_dict().items() if "num_batches" not in name}
    names = [f"backbone.bottom_up.{name}" for name in detectron2_names(list(kept))]
    content = {"model": dict(zip(names, kept.values(), strict=True)), "__author__": "somebody"}
    path = tmp_path / f"file.{ending}"
    if ending == "pkl":
        content["model"] = {name: tensor.numpy() for name, tensor in content["model"].items()}
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    assert outcome(resnet(50, seed=1), path).verdict == "refused"
    target = resnet(50, seed=1, style="caffe")
    assert outcome(target, path).verdict == "expected"
    loaded = target.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in kept.items())


def test_detectron2s_form_of_torchvisions_resnet_is_known_by_its_deviation(
    resnet: Callable, detectron2_names: Callable, save: Callable
) -> None:
    state = resnet(50).state_dict()
    names = [f"backbone.bottom_up.{name}" for name in detectron2_names(list(state))]
    own = {
        "pixel_mean": torch.tensor(IMAGENET.mean).view(3, 1, 1),
        "pixel_std": torch.tensor(IMAGENET.std).view(3, 1, 1),
    }
    path = save(dict(zip(names, state.values(), strict=True)) | own)
    usual = Preprocessing(IMAGENET.mean, IMAGENET.std, "rgb", "pytorch")
    assert outcome(resnet(50, seed=1), path, preprocessing=usual).verdict == "expected"
    report = outcome(resnet(50, seed=1, style="caffe"), path)
    assert report.verdict == "refused" and "style: file pytorch, model caffe" in report.reasons[0]


DCN = dict(dcn=dict(type="DCN", deform_groups=2), stage_with_dcn=(False, False, False, True))


def test_plain_to_deformable_is_expected_and_begins_as_plain(resnet: Callable, save: Callable) -> None:
    source, target = resnet(50), resnet(50, seed=1, **DCN)
    report = outcome(target, save(source.state_dict()))
    assert report.verdict == "expected"
    assert {name for name, _ in report.expected} == {n for n in target.state_dict() if "conv_offset" in n}
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    source.eval(), target.eval()
    torch.testing.assert_close(target(image)[-1], source(image)[-1], rtol=1e-4, atol=1e-5)


def test_deformable_to_plain_is_incomplete(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(50, seed=1), save(resnet(50, **DCN).state_dict()))
    assert report.verdict == "incomplete" and "stage 4" in report.reasons[0]
    assert report.unexpected and all("conv_offset" in name for name in report.unexpected)


def test_half_precision_is_expected(resnet: Callable, save: Callable) -> None:
    source, target = resnet().half(), resnet(seed=1)
    report = outcome(target, save(source.state_dict()))
    assert report.verdict == "expected" and {c[1:] for c in report.conversions} == {("float16", "float32")}
    assert torch.equal(target.conv1.weight, source.conv1.weight.float())


def test_values_too_large_for_a_half_model_are_refused(resnet: Callable, save: Callable) -> None:
    source = resnet()
    source.state_dict()["layer1.0.conv1.weight"].fill_(1e6)
    report = outcome(resnet(seed=1).half(), save(source.state_dict()))
    assert report.verdict == "refused" and report.not_finite == ["layer1.0.conv1.weight"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_refused_whatever_the_policy(resnet: Callable, save: Callable, value: float) -> None:
    source = resnet()
    source.state_dict()["layer2.0.bn1.running_var"][3] = value
    report = outcome(resnet(seed=1), save(source.state_dict()), policy="warn")
    assert report.verdict == "refused" and report.not_finite == ["layer2.0.bn1.running_var"]


@pytest.mark.parametrize("policy", ["error", "warn"])
def test_quantized_weights_are_refused(resnet: Callable, save: Callable, policy: str) -> None:
    state = resnet().state_dict()
    state["layer3.1.conv2.weight"] = (state["layer3.1.conv2.weight"] * 100).to(torch.int8)
    report = outcome(resnet(seed=1), save(state), policy=policy)
    assert report.verdict == "refused" and "the first is layer3.1.conv2.weight (int8)" in report.reasons[0]


@pytest.mark.parametrize(
    "stored",
    [
        {"mmdetpre_backbone": {"preprocessing": {"mean": 3}}},
        {"mmdetpre_backbone": {"preprocessing": {"std": ["a", 1, 1]}}},
        {"cfg": "model = dict(data_preprocessor=dict(mean=[1, f(), 3]))"},
        {"cfg": "model = dict(data_preprocessor=dict(std=7))"},
    ],
)
def test_metadata_that_make_no_sense_are_refused(resnet: Callable, save: Callable, stored: dict) -> None:
    report = outcome(resnet(seed=1), save(resnet().state_dict(), meta=stored))
    assert report.verdict == "refused" and "preprocessing in a way that cannot be read" in report.reasons[0]


@pytest.mark.parametrize("text", ["model = [1]", "train_dataloader = [3]", "train_dataloader = dict(dataset=[dict()])"])
def test_configs_of_another_form_tell_nothing(resnet: Callable, save: Callable, text: str, tmp_path: Path) -> None:
    path = save(resnet().state_dict(), meta={"cfg": text})
    assert outcome(resnet(seed=1), path).verdict == "complete"
    assert "source_dataset" not in export_backbone(path, tmp_path / "out.pth")


def test_unknown_keys_are_incomplete(resnet: Callable, save: Callable) -> None:
    report = outcome(resnet(seed=1), save(resnet().state_dict() | {"layer5.0.conv1.weight": torch.ones(3)}))
    assert report.verdict == "incomplete" and report.unexpected == ["layer5.0.conv1.weight"]


def test_a_classifier_without_prefix_is_expected(resnet: Callable, save: Callable) -> None:
    report = outcome(
        resnet(seed=1), save(resnet().state_dict() | {"fc.weight": torch.ones(3), "fc.bias": torch.ones(3)})
    )
    assert report.verdict == "expected" and [name for name, _ in report.expected] == ["fc.weight", "fc.bias"]


@pytest.mark.parametrize("keep", [0.5, 0.97])
def test_a_truncated_file_is_refused(resnet: Callable, save: Callable, keep: float, tmp_path) -> None:
    whole = Path(save(resnet().state_dict())).read_bytes()
    path = tmp_path / "cut.pth"
    path.write_bytes(whole[: int(len(whole) * keep)])
    report = outcome(resnet(seed=1), path)
    assert report.verdict == "refused" and "cut off or damaged" in report.reasons[0]


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "stream"])
def test_a_malicious_pickle_is_refused_and_not_run(resnet: Callable, kind: str, tmp_path) -> None:
    trap = tmp_path / "trap"
    content = {"state_dict": resnet().state_dict(), "meta": Malicious(str(trap))}
    path = tmp_path / ("file.pkl" if kind == "pickle" else "file.pth")
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"model": {}, "author": Malicious(str(trap))}, protocol=2))
    elif kind == "stream":
        path.write_bytes(pickle.dumps(Malicious(str(trap)), protocol=4))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    report = outcome(resnet(seed=1), path, policy="warn")
    assert report.verdict == "refused" and "would run code" in report.reasons[0]
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not a checkpoint"),
        (b"not a checkpoint at all", "is not a checkpoint"),
        (b"<!DOCTYPE html><html>404</html>", "is not a checkpoint"),
        (b"PK\x03\x04 a zip of something else", "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused(resnet: Callable, tmp_path, content: bytes, reason: str) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    report = outcome(resnet(seed=1), path)
    assert report.verdict == "refused" and reason in report.reasons[0]


@pytest.mark.parametrize("content", [{"state_dict": {"epoch": 3}}, {}, torch.ones(3), [1, 2], {"a": torch.ones(3)}])
def test_a_file_without_a_backbone_is_refused(resnet: Callable, tmp_path, content: object) -> None:
    torch.save(content, tmp_path / "file.pth")
    assert outcome(resnet(seed=1), tmp_path / "file.pth").verdict == "refused"


def test_a_missing_file_and_a_folder_are_refused(resnet: Callable, tmp_path) -> None:
    assert "not there" in outcome(resnet(seed=1), tmp_path / "none.pth").reasons[0]
    assert "is a folder" in outcome(resnet(seed=1), tmp_path).reasons[0]


def test_weights_changed_after_export_are_refused(resnet: Callable, tmp_path) -> None:
    from mmdetpre.transfer import write_backbone

    path = tmp_path / "backbone.pth"
    write_backbone(path, resnet().state_dict())
    assert outcome(resnet(seed=1), path).verdict == "complete"
    content = torch.load(path)
    content["state_dict"]["conv1.weight"][0, 0, 0, 0] += 1
    torch.save(content, path)
    report = outcome(resnet(seed=1), path)
    assert report.verdict == "refused" and "changed since the file was exported" in report.reasons[0]


def test_warn_loads_what_fits_and_says_what_does_not(resnet: Callable, save: Callable) -> None:
    source, target = resnet(18), resnet(34, seed=1)
    report = outcome(target, save(source.state_dict()), policy="warn")
    assert report.verdict == "incomplete" and report.missing and "nothing was loaded" not in str(report)
    assert torch.equal(target.layer1[0].conv1.weight, source.layer1[0].conv1.weight)


def test_a_whole_detector_is_no_backbone(resnet: Callable, save: Callable) -> None:
    model = torch.nn.Module()
    model.backbone = resnet()
    with pytest.raises(ValueError, match="pass model.backbone"):
        load_backbone(model, save(resnet().state_dict()))
    with pytest.raises(ValueError, match="'error', 'warn'"):
        load_backbone(resnet(), save(resnet().state_dict()), policy="strict")


def test_weights_that_would_give_nothing_are_refused(resnet: Callable, save: Callable) -> None:
    negative = resnet().state_dict()
    negative["layer2.0.bn1.running_var"] = -negative["layer2.0.bn1.running_var"].abs() - 0.1
    zero = {name: value * 0 if value.dim() == 4 else value for name, value in trained(resnet).items()}
    for state, message in (
        (negative, r"1 variances of batch normalization are negative, the first is layer2.0.bn1.running_var"),
        (zero, r"all \d+ convolutions are zero"),
    ):
        report = outcome(resnet(seed=1), save(state), policy="warn")
        assert report.verdict == "refused" and re.match(message, report.reasons[0]) and not report.loaded


def trained(resnet: Callable) -> dict[str, torch.Tensor]:
    state = resnet().state_dict()
    return {name: value + 0.1 if name.endswith("running_mean") else value for name, value in state.items()}
