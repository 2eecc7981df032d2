import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from PIL import Image

from mmdetpre.datasets.transforms.load_label_map import LoadLabelMap
from mmdetpre.registry import DATASETS

CLASSES = ["background", "Arrow", "Hourglass", "Arch", "Clover"]


@pytest.fixture(autouse=True)
def _mmseg_scope():
    init_default_scope("mmseg")


def build(root, **changes):
    config = dict(type="mmdetpre.VOCSegmentationDataset", data_root=str(root), sets=[("train", "SegmentationClass")])
    return DATASETS.build(config | dict(classes=CLASSES) | changes)


@pytest.fixture
def drawn(tiny_voc, tmp_path):
    """A copy of the drawn sample's VOC2012 folder."""
    return shutil.copytree(tiny_voc / "VOCdevkit" / "VOC2012", tmp_path / "VOC2012")


def test_same_entries_as_mmseg_on_photos(shared_data):
    root = str(shared_data / "voc2012/VOCdevkit/VOC2012")
    prefix = dict(img_path="JPEGImages", seg_map_path="SegmentationClass")
    theirs = [
        DATASETS.build(
            dict(
                type="mmseg.PascalVOCDataset",
                data_root=root,
                data_prefix=prefix,
                ann_file=f"ImageSets/Segmentation/{name}.txt",
            )
        )
        for name in ("train", "val")
    ]
    ours = build(root, sets=[("train", "SegmentationClass"), ("val", "SegmentationClass")], classes=None)
    assert len(ours) == 62 and ours.metainfo == theirs[0].metainfo
    expected = [data.get_data_info(i) for data in theirs for i in range(len(data))]
    for i, info in enumerate(expected):
        found = ours.get_data_info(i)
        assert found.pop("num_classes") == 21
        assert found | {"sample_idx": info["sample_idx"]} == info


def test_sets_have_label_folders_of_their_own(drawn):
    shutil.copytree(drawn / "SegmentationClass", drawn / "Other")
    data = build(drawn, sets=[("train", "SegmentationClass"), ("val", "Other")])
    assert len(data) == 30
    folders = [data.get_data_info(i)["seg_map_path"].split("/")[-2] for i in (0, 23, 24, 29)]
    assert folders == ["SegmentationClass"] * 2 + ["Other"] * 2
    assert data.metainfo["palette"][1] == [128, 0, 0] and len(data.metainfo["palette"]) == 5


def test_everything_that_is_missing_is_listed(drawn, tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        build(tmp_path / "nowhere", sets=[("train", "SegmentationClass"), ("aug", "SegmentationClassAug")])
    text = str(error.value)
    for part in ("train.txt", "aug.txt", "JPEGImages", "/SegmentationClass\n", "SegmentationClassAug", "--layout voc"):
        assert part in text
    with pytest.raises(FileNotFoundError, match="aug.txt"):
        build(drawn, sets=[("aug", "SegmentationClass")])
    for path in (next((drawn / "JPEGImages").iterdir()), next((drawn / "SegmentationClass").iterdir())):
        path.rename(tmp_path / "away")
        with pytest.raises(FileNotFoundError, match=f"1 of the 60 files .*\n.*{path.name}"):
            build(drawn, sets=[("trainval", "SegmentationClass")])
        (tmp_path / "away").rename(path)


def test_an_empty_list_and_an_image_in_two_sets_are_errors(drawn):
    with pytest.raises(ValueError, match="is in two of the sets"):
        build(drawn, sets=[("train", "SegmentationClass"), ("trainval", "SegmentationClass")])
    (drawn / "ImageSets/Segmentation/train.txt").write_text("\n")
    with pytest.raises(ValueError, match="names no image"):
        build(drawn)


@pytest.fixture
def load(drawn):
    """Function that loads the first image with a label map that was replaced."""
    pipeline = [dict(type="LoadImageFromFile"), dict(type="mmdetpre.LoadLabelMap")]
    data = build(drawn, pipeline=pipeline)
    path = data.get_data_info(0)["seg_map_path"]

    def change(content):
        if isinstance(content, bytes):
            Path(path).write_bytes(content)
        else:
            Image.fromarray(content).save(path)
        return data[0]["gt_seg_map"]

    change.path, change.size = path, np.array(Image.open(path)).shape
    return change


def test_label_maps_are_read_from_palette_and_gray_files(load):
    indices = np.array(Image.open(load.path))
    assert {0, 255} < set(np.unique(indices).tolist())
    assert (load(Path(load.path).read_bytes()) == indices).all()
    assert (load(indices) == indices).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda size: np.zeros((*size, 3), np.uint8),
            r"it is in color \(mode RGB\), 1 colors such as \(0, 0, 0\): a label map holds one class index",
        ),
        (lambda size: np.zeros((100, 90), np.uint8), r"it has 90x100 pixels, its image \d+x\d+: one of the two"),
        (
            lambda size: np.full(size, 7, np.uint8),
            r"it holds 7 \(\d+,\d+ pixels\): expected 0 to 4, one per class, and 255 for void",
        ),
        (lambda size: np.full(size, 257, np.uint16), r"it holds 257 \(\d+,\d+ pixels\): expected 0 to 4"),
        (lambda size: b"no picture", "cannot be read"),
        (lambda size: Path(__file__).read_bytes(), "cannot be read"),
    ],
)
def test_what_is_no_label_map_is_named(load, change, message):
    with pytest.raises(ValueError, match=message) as error:
        load(change(load.size))
    assert load.path in str(error.value)


def test_a_label_map_that_goes_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no label map .*gone\.png"):
        LoadLabelMap()(dict(seg_map_path=str(tmp_path / "gone.png"), reduce_zero_label=False, seg_fields=[]))
