"""From config and checkpoint to features: the same bits by every toolbox, resumed and shared work, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from PIL import Image

from mmdetpre.analysis.features.extract import FeatureSource, extract_features, open_feature_source
from mmdetpre.analysis.features.feature_file import FeatureFile, read_features
from mmdetpre.analysis.features.image_set import ImageSet, images_of_folder
from mmdetpre.transfer import write_backbone
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.transfer.toolboxes import build_in_toolbox

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
BACKBONE = 'type="{}ResNet", depth=18, base_channels=8, stem_channels=8, norm_eval=False, out_indices={}'
CONFIGS = {
    "mmdet": (
        'default_scope = "mmdet"\nmodel = dict(type="RetinaNet", data_preprocessor=dict(type="DetDataPreprocessor",'
        f" mean={MEAN}, std={STD}, bgr_to_rgb=True, pad_size_divisor=32), backbone=dict("
        + BACKBONE.format("", (0, 1, 2, 3))
        + '), neck=dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=8, num_outs=5), bbox_head=dict('
        'type="RetinaHead", num_classes=2, in_channels=8, feat_channels=8), test_cfg=dict())'
    ),
    "mmseg": (
        'default_scope = "mmseg"\nmodel = dict(type="EncoderDecoder", data_preprocessor=dict('
        f'type="SegDataPreProcessor", mean={MEAN}, std={STD}, bgr_to_rgb=True), backbone=dict('
        + BACKBONE.format("", (0, 1, 2, 3))
        + ', norm_cfg=dict(type="SyncBN")), decode_head=dict(type="FCNHead", in_channels=64, channels=8, num_classes=2,'
        ' num_convs=1, in_index=3, norm_cfg=dict(type="SyncBN")), test_cfg=dict(mode="whole"))'
    ),
    "mmpretrain": (
        f'default_scope = "mmpretrain"\ndata_preprocessor = dict(mean={MEAN}, std={STD}, to_rgb=True)\n'
        'model = dict(type="ImageClassifier", backbone=dict(' + BACKBONE.format("", (3,)) + '), neck=dict('
        'type="GlobalAveragePooling"), head=dict(type="LinearClsHead", in_channels=64, num_classes=2))'
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Eleven pictures of noise: several sizes, one gray, one with a palette."""
    root, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for i in range(11):
        shape = (int(random.integers(40, 90)), int(random.integers(40, 90)), 3)
        picture = Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8))
        picture = {3: picture.convert("L"), 7: picture.quantize(16)}.get(i, picture)
        path = root / ("cat" if i < 6 else "dog") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
    return images_of_folder(root)


def _train_a_little(backbone: torch.nn.Module) -> None:
    """Statistics and scales as no initialiser gives them."""
    for name, tensor in backbone.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(0.1 * torch.rand_like(tensor) + 0.05)
        elif name.endswith("running_mean"):
            tensor.copy_(0.1 * torch.randn_like(tensor))
        elif tensor.ndim == 1 and name.endswith("weight"):
            tensor.fill_(0.8)


@pytest.fixture(scope="module")
def backbone_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    backbone = build_in_toolbox("mmdet", dict(type="ResNet", depth=18, base_channels=8, stem_channels=8))
    _train_a_little(backbone)
    path = tmp_path_factory.mktemp("backbone") / "backbone.pth"
    write_backbone(path, backbone.state_dict(), {"source_dataset": "drawn"})
    return path


@pytest.fixture
def source(backbone_file: Path, tmp_path: Path) -> Callable[..., FeatureSource]:
    def make(toolbox: str = "mmdet", layers: tuple[str, ...] = ("conv5",), **options) -> FeatureSource:
        config = tmp_path / f"{toolbox}.py"
        config.write_text(CONFIGS[toolbox])
        return open_feature_source(config, options.pop("checkpoint", backbone_file), layers, **options)

    return make


def extract(source: FeatureSource, images: ImageSet, out: Path, **options) -> FeatureFile | None:
    return extract_features(source, images, out, resize_edge=48, crop=40, batch_size=4, progress=False, **options)


def test_all_three_toolboxes_give_the_same_bits(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    files = [extract(source(name), photos, tmp_path / f"out_{name}") for name in CONFIGS]
    digests = {file.metadata["backbone_digest"] for file in files}
    assert len(digests) == 1 and {file.metadata["backbone_verdict"] for file in files} == {"complete"}
    assert [file.metadata["model"] for file in files] == [
        "mmdet.RetinaNet", "mmseg.EncoderDecoder", "mmpretrain.ImageClassifier",
    ]  # fmt: skip
    first = files[0].layer("conv5")
    assert first.shape == (11, 64, 2, 2) and len(np.unique(first)) > 1000
    for file in files[1:]:
        assert first.tobytes() == file.layer("conv5").tobytes()
        assert file.images == files[0].images and file.classes == ("cat", "dog")
        assert file.labels.tolist() == [0] * 6 + [1] * 5


def test_is_what_the_toolbox_itself_computes(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    found = source("mmpretrain", ("conv5_pooled",))
    file = extract(found, photos, tmp_path / "out")
    from mmengine.dataset import Compose, pseudo_collate

    init_default_scope("mmpretrain")
    steps = [dict(type="LoadImageFromFile"), dict(type="ResizeEdge", scale=48), dict(type="CenterCrop", crop_size=40)]
    pipeline = Compose([*steps, dict(type="PackInputs")])
    config = Config.fromfile(tmp_path / "mmpretrain.py")
    model = MODELS.build(
        dict(config.model, data_preprocessor=dict(type="ClsDataPreprocessor", **config.data_preprocessor))
    )
    model.load_state_dict(found.reader.model.state_dict())
    model.eval()
    batch = pseudo_collate([pipeline(dict(img_path=photos.path(row))) for row in range(4)])
    with torch.no_grad():
        expected = model.extract_feat(model.data_preprocessor(batch)["inputs"])[0]
    np.testing.assert_allclose(file.layer()[:4], expected.numpy(), rtol=1e-5, atol=1e-6)


def test_goes_on_after_a_stop_with_the_same_bits(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    whole = extract(source(), photos, tmp_path / "whole")
    stopped, seen = source(), []
    reader = stopped.reader

    def stop(images: torch.Tensor) -> dict:
        seen.append(len(images))
        if len(seen) == 4:  # one blank image for the shapes, two batches, then the end
            raise KeyboardInterrupt
        return reader(images)

    object.__setattr__(stopped, "reader", stop)
    with pytest.raises(KeyboardInterrupt):
        extract(stopped, photos, tmp_path / "out")
    with pytest.raises(ValueError, match="holds 8 of 11 images"):
        read_features(tmp_path / "out")
    seen.clear()
    rest = source()
    again = extract(rest, photos, tmp_path / "out")
    assert again.layer().tobytes() == whole.layer().tobytes()
    with pytest.raises(ValueError, match="begun with metadata.batch_size = 4, and now it is 5"):
        extract_features(rest, photos, tmp_path / "out", resize_edge=48, crop=40, batch_size=5, progress=False)


def test_parts_of_several_processes_give_the_same_bits(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    whole = extract(source(), photos, tmp_path / "whole", workers=2)
    assert extract(source(), photos, tmp_path / "out", shard=(1, 2)) is None
    assert extract(source(), photos, tmp_path / "out", shard=(0, 2)).layer().tobytes() == whole.layer().tobytes()
    assert extract(source(), photos, tmp_path / "out", shard=(1, 2)) is not None
    for shard, options, message in (
        ((2, 2), {}, "Shard 2 of 2: count from 0 to 1"),
        ((0, 2), {"overwrite": True}, "each would remove what the others write"),
    ):
        with pytest.raises(ValueError, match=message):
            extract(source(), photos, tmp_path / "out", shard=shard, **options)


def test_only_the_same_work_goes_on(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    extract(source(), photos, tmp_path / "out", shard=(0, 2))
    with pytest.raises(ValueError, match="begun with layers.conv5 = .*--force"):
        extract(source(layers=("conv5_pooled",)), photos, tmp_path / "out")
    with pytest.raises(ValueError, match="begun with metadata.config = .*mmdet.py'"):
        extract(source("mmseg"), photos, tmp_path / "out")
    assert len(extract(source("mmseg"), photos, tmp_path / "out", overwrite=True)) == 11


def test_names_for_tables(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    file = extract(source(), photos, tmp_path / "a")
    assert file.metadata["initialisation"] == "backbone" and file.metadata["data_name"].startswith("photos")
    named = extract(source(), photos, tmp_path / "b", init="OpenImages", data_name="Noise")
    assert (named.metadata["initialisation"], named.metadata["data_name"]) == ("OpenImages", "Noise")
    assert json.loads((tmp_path / "b/features.json").read_text())["metadata"]["preprocessing"] == {
        "resize_edge": 48, "crop": 40, "mean": MEAN, "std": STD, "channel_order": "rgb",
    }  # fmt: skip


def test_images_that_cannot_be_read_are_named(source: Callable, photos: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    images = ImageSet("", (photos.path(0), str(tmp_path / "bad.png")), np.zeros(2, np.int64), ("a",), {})
    for workers in (0, 1):
        with pytest.raises(ValueError, match="The image .*bad.png cannot be read"):
            extract(source(), images, tmp_path / f"out{workers}", workers=workers)
    with pytest.raises(ValueError, match="A square of 64 pixels does not fit into a short side of 48"):
        extract_features(source(), photos, tmp_path / "other", resize_edge=48, crop=64)


def test_a_whole_checkpoint_serves_its_heads_and_a_backbone_does_not(
    source: Callable, photos: ImageSet, backbone_file: Path, tmp_path: Path
) -> None:
    model = source("mmpretrain").reader.model
    with torch.no_grad():
        model.head.fc.weight.fill_(0.25)
        model.head.fc.bias.fill_(1)
    torch.save({"state_dict": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "run.pth")
    layers = ("head.fc", "neck", "conv5_pooled")
    file = extract(source("mmpretrain", layers, checkpoint=tmp_path / "run.pth"), photos, tmp_path / "out")
    np.testing.assert_allclose(file.layer("head.fc")[:, 1], file.layer("neck").sum(1) / 4 + 1, rtol=1e-5)
    assert file.metadata["model_digest"] and file.metadata["backbone_verdict"] in ("complete", "expected")
    with pytest.raises(ValueError, match="holds a backbone only, but head.fc, neck need the other parts .*: give the"):
        source("mmpretrain", layers, checkpoint=backbone_file)
    five = model.state_dict() | {"head.fc.weight": torch.zeros(5, 64), "head.fc.bias": torch.zeros(5)}
    torch.save({"state_dict": five}, tmp_path / "five.pth")
    with pytest.raises(ValueError, match="was trained for 5 classes, the config asks for 2"):
        source("mmpretrain", layers, checkpoint=tmp_path / "five.pth")


def test_fc1_of_a_backbone_file_is_refused(repository: Path, tmp_path: Path) -> None:
    config = Config.fromfile(repository / "configs/det/sniper_coco_sample.py")
    init_default_scope("mmdet")
    model = MODELS.build(config.model)
    _train_a_little(model.backbone)
    write_backbone(tmp_path / "backbone_final.pth", model.backbone.state_dict())
    arguments = repository / "configs/det/sniper_coco_sample.py", tmp_path / "backbone_final.pth"
    with pytest.raises(
        ValueError, match=r"(?s)holds a backbone only, but fc1, conv_proj need .*roi_head, rpn_head.*ask for"
    ):
        open_feature_source(*arguments, ["conv5", "fc1", "conv_proj"])
    with pytest.raises(ValueError, match="has no layer 'fc3'. It has .*fc2"):
        open_feature_source(*arguments, ["fc3"])
    assert open_feature_source(*arguments, ["conv5_pooled"]).metadata["model_digest"] is None
    torch.save({"state_dict": model.state_dict()}, tmp_path / "epoch_1.pth")
    opened = open_feature_source(arguments[0], tmp_path / "epoch_1.pth", ["fc1"])
    assert opened.metadata["model"] == "mmdet.SNIPER" and len(opened.metadata["model_digest"]) == 64


def test_backbones_that_do_not_fit_are_refused(source: Callable, tmp_path: Path, backbone_file: Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no config"):
        open_feature_source(tmp_path / "nowhere.py", backbone_file, ["conv5"])
    with pytest.raises(FileNotFoundError, match="nowhere.pth"):
        source(checkpoint=tmp_path / "nowhere.pth")
    with pytest.raises(BackboneNotLoaded, match="INCOMPLETE"):
        source(options={"model.backbone.depth": 34})
    weights = torch.load(backbone_file, weights_only=True)["state_dict"]
    write_backbone(tmp_path / "bgr.pth", weights, {"preprocessing": {"mean": MEAN, "std": STD, "channel_order": "bgr"}})
    with pytest.raises(BackboneNotLoaded, match="channel order: file bgr, model rgb"):
        source(checkpoint=tmp_path / "bgr.pth")
