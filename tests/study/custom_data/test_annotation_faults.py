"""Annotation files that went wrong elsewhere, each with its right value: the same in ``init`` and in data sets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdetpre.registry import DATASETS
from mmdetpre.study.custom_data.boxes import OwnBoxes, read_own_boxes
from mmdetpre.study.custom_data.detection_data import DetectionData

COUNT, WIDTH, HEIGHT = 12, 200, 150
BOX = [100, 60, 80, 70]
CORNERS = [100, 60, 180, 130]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxes") / "photos"
    folder.mkdir()
    for i in range(COUNT):
        pixels = np.random.default_rng(i).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(folder / f"{i}.jpg")
    return folder


@pytest.fixture
def root(tmp_path: Path, photos: Path) -> Path:
    (tmp_path / "photos").symlink_to(photos)
    return tmp_path


def coco(root: Path, change: Callable[[dict[str, Any]], Any] = lambda content: None) -> Path:
    content: dict[str, Any] = {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": WIDTH, "height": HEIGHT} for i in range(COUNT)],
        "annotations": [
            {"id": i, "image_id": i % COUNT, "category_id": 1 + i % 2, "bbox": list(BOX), "area": 5600, "iscrowd": 0}
            for i in range(20)
        ],
        "categories": [{"id": 1, "name": "kangaroo"}, {"id": 2, "name": "joey"}],
    }
    change(content)
    (root / "a.json").write_text(json.dumps(content))
    return root / "a.json"


def dataset(file: Path, **changes: Any) -> Any:
    config = dict(type="mmdetpre.PackedCocoDataset", ann_file=str(file), classes=["kangaroo", "joey"], test_mode=True)
    return DATASETS.build(config | dict(data_root=str(file.parent), data_prefix=dict(img="photos/")) | changes)


def change_all(key: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for row in content[key]:
            row.update({name: value(row) if callable(value) else value for name, value in values.items()})

    return change


def change_one(key: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content[key][2].update(values)


def lose_one(key: str, name: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content[key][2].pop(name)


ALL_READ = {
    "flags as the text 0": change_one("annotations", iscrowd="0"),
    "flags as the text False": change_all("annotations", iscrowd="False"),
    "flags as false": change_all("annotations", iscrowd=False, difficult=None, occluded="no"),
    "area null": change_one("annotations", area=None),
    "area 0": change_all("annotations", area=0),
    "no area": lose_one("annotations", "area"),
    "sizes null": change_all("images", width=None, height=None),
    "sizes as 200.0": change_all("images", width=200.0),
    "ids from 2**63": lambda content: (
        change_all("images", id=lambda row: row["id"] + 2**63)(content),
        change_all("annotations", image_id=lambda row: row["image_id"] + 2**63)(content),
    ),
    "ids as texts": lambda content: (
        change_all("images", id=lambda row: f"photo {row['id']}")(content),
        change_all("annotations", image_id=lambda row: f"photo {row['image_id']}")(content),
    ),
    "image ids as 1.0": change_all("annotations", image_id=lambda row: float(row["image_id"])),
    "category ids as 1.0": change_all("annotations", category_id=lambda row: float(row["category_id"])),
    "backslashes": change_all("images", file_name=lambda row: f"C:\\data\\photos\\{row['file_name']}"),
    "upper case": change_all("images", file_name=lambda row: row["file_name"].upper()),
    "addresses": change_all("images", file_name=lambda row: f"https://host/photos/{row['file_name']}?x=1"),
    "blanks": change_all("images", file_name=lambda row: f"{row['file_name']} "),
    "names with blanks": change_all("categories", name=lambda row: f" {row['name']}\t"),
}  # fmt: skip


@pytest.mark.parametrize("change", ALL_READ.values(), ids=ALL_READ)
def test_all_boxes_are_read(root: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    file = coco(root, change)
    own = read_own_boxes(file)
    assert (len(own.files), len(own.boxes), own.classes) == (12, 20, ["kangaroo", "joey"])
    assert set(own.boxes["area"]) == {5600} and not own.boxes["crowd"].any()
    assert own.left_out == {} and all(path.is_file() for path in own.paths())
    packed = dataset(file)
    assert packed.packed.boxes.tolist() == [CORNERS] * 20 and not packed.packed.ignore.any() and not packed.packed.notes
    content = json.loads(file.read_text())
    assert [packed.get_data_info(i)["img_id"] for i in range(12)] == [image["id"] for image in content["images"]]
    half = packed.get_subset([5, 7])
    assert [half.get_data_info(i)["img_id"] for i in (0, 1)] == [content["images"][i]["id"] for i in (5, 7)]


REFUSED = {
    "a text that is not a flag": (change_one("annotations", iscrowd="maybe"), "annotations[2] has iscrowd 'maybe'"),
    "2 as a flag": (change_one("annotations", difficult=2), "annotations[2] has difficult 2, expected 0, 1, true"),
    "a list as a flag": (change_one("annotations", ignore=[]), "annotations[2] has ignore []"),
    "area as a text": (change_one("annotations", area="9"), "annotations[2] (id 2) has area '9', expected a number"),
    "bbox as a text": (change_one("annotations", bbox="1,2,3,4"), "has bbox '1,2,3,4', expected [x, y, width"),
    "bbox of texts": (change_one("annotations", bbox=["1", "2", "3", "4"]), "annotations[2] (id 2) has bbox ['1'"),
    "bbox of 3": (change_one("annotations", bbox=[1, 2, 3]), "annotations[2] (id 2) has bbox [1, 2, 3], expected"),
    "bbox with null": (change_one("annotations", bbox=[1, 2, None, 4]), "annotations[2] (id 2) has bbox"),
    "bbox with true": (change_one("annotations", bbox=[1, 2, True, 4]), "annotations[2] (id 2) has bbox"),
    "bbox with NaN": (change_one("annotations", bbox=[1, 2, float("nan"), 4]), "annotations[2] (id 2) has bbox"),
    "bbox without end": (change_one("annotations", bbox=[1, 2, float("inf"), 4]), "annotations[2] (id 2) has bbox"),
    "bbox of 400 digits": (change_one("annotations", bbox=[1, 2, 10**400, 4]), "annotations[2] (id 2) has bbox"),
    "bbox of pixels in light years": (change_one("annotations", bbox=[1, 2, 1e300, 4]), "annotations[2] (id 2) has"),
    "no bbox": (lose_one("annotations", "bbox"), "annotations[2] has no 'bbox'"),
    "no image": (change_one("annotations", image_id=77), "annotations[2] has image_id 77, which images lacks."),
    "text for a number": (change_one("annotations", image_id="2"), "which images lacks (they have 2: a text is no"),
    "half an id": (change_one("annotations", image_id=0.5), "has image_id 0.5, expected a whole number or a text"),
    "sides as texts": (change_one("images", width="200"), "images[2] has width '200', expected whole pixels"),
    "negative sides": (change_one("images", height=-3), "images[2] has height -3, expected whole pixels"),
    "no file_name": (lose_one("images", "file_name"), "images[2] has no 'file_name'"),
    "file_name null": (change_one("images", file_name=None), "images[2] has no 'file_name'"),
    "file_name 7": (change_one("images", file_name=7), "images[2] has file_name 7, expected a name"),
    "a lone surrogate": (change_one("images", file_name="\ud800.jpg"), "images[2] has file_name '\\ud800.jpg'"),
    "no id": (lose_one("images", "id"), "images[2] has no 'id'"),
    "id true": (change_one("images", id=True), "images[2] has id True, expected a whole number or a text"),
    "one id twice": (change_one("images", id=1), "two images have the id 1: they must differ"),
    "one photo twice": (change_one("images", file_name="1.jpg"), "two images have the file_name '1.jpg'"),
    "one photo twice, the second as ./": (
        change_one("images", file_name="./1.jpg"),
        "two images have the file_name '1.jpg'",
    ),
    "no name": (lambda c: c["categories"][1].pop("name"), "categories[1] has no 'name'"),
    "blanks as a name": (lambda c: c["categories"][1].update(name=" "), "categories[1] has name ' ', expected a name"),
    "annotations null": (lambda c: c.update(annotations=None), "its 'annotations' is not a list. It needs images"),
    "categories as an object": (lambda c: c.update(categories={}), "its 'categories' is not a list"),
    "images as numbers": (lambda c: c.update(images=[1, 2]), "images[0] has no 'id' and no 'file_name'"),
    "x1 y1 x2 y2": (
        change_all("annotations", bbox=lambda row: list(CORNERS)),
        "20 of 20 boxes reach beyond their image, such as 100, 60, 180, 130 in 0.jpg of 200 x 150 pixels. The file"
        " looks like x1 y1 x2 y2: read so, 20 of 20 boxes lie in their image. Expected x y width height in pixels",
    ),
    "center form": (
        change_all("annotations", bbox=lambda row: [150, 100, 80, 70]),
        "20 of 20 boxes reach beyond their image, such as 150, 100, 80, 70 in 0.jpg of 200 x 150 pixels. The file looks"
        " like center form",
    ),
    "0..1": (
        change_all("annotations", bbox=lambda row: [0.5, 0.4, 0.4, 0.4]),
        "20 of 20 boxes are empty (a side below 1 pixel), such as 0.5, 0.4, 0.4, 0.4 in 0.jpg of 200 x 150 pixels. The"
        " file looks like fractions of the image's sides (0..1)",
    ),
    "some boxes beyond and all sound as x1 y1 x2 y2": (
        change_all("annotations", bbox=lambda row: list(CORNERS) if row["id"] < 3 else [1, 2, 90, 70]),
        "3 of 20 boxes reach beyond their image, such as 100, 60, 180, 130 in 0.jpg of 200 x 150 pixels. The file looks"
        " like x1 y1 x2 y2",
    ),
    "99,999 pixels": (
        change_all("annotations", bbox=lambda row: [-5000, -5000, 99999, 99999]),
        "20 of 20 boxes reach beyond their image, such as -5000, -5000, 99999, 99999 in 0.jpg of 200 x 150 pixels. They"
        " fit in no usual form",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change,message", REFUSED.values(), ids=REFUSED)
def test_refused_with_the_same_words(root: Path, change: Callable[[dict[str, Any]], Any], message: str) -> None:
    file = coco(root, change)
    for read in (lambda: read_own_boxes(file), lambda: dataset(file)):
        with pytest.raises(ValueError) as error:
            read()
        assert message in str(error.value) and "a.json" in str(error.value)


def test_percent_in_images_of_a_hundred_pixels_and_of_more(root: Path) -> None:
    file = coco(root, change_all("annotations", bbox=lambda row: [50, 40, 40, 40]))
    assert read_own_boxes(file).remarks == []  # the photos are too small to tell
    sizes = np.full((20, 2), 400)
    from mmdetpre.datasets.packed.box_form import WAYS, judge_boxes, remarks_on_boxes, require_form

    written = np.tile([50.0, 40, 40, 40], (20, 1))
    corners = WAYS["x y width height"](written)
    (text,) = remarks_on_boxes(judge_boxes(corners, sizes), np.ones(20, bool), corners, sizes, str)
    assert "upper left 100 x 100 pixels of images of up to 400 x 400: are their numbers percent?" in text
    small = np.full((20, 2), 60)
    with pytest.raises(ValueError, match="looks like percent of the image's sides: read so, 20 of 20"):
        require_form("a.json", written, "x y width height", small, judge_boxes(corners, small), str)


def test_what_is_doubtful_is_said(root: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for row, box in enumerate(([190, 5, 40, 20], [5, 5, 1, 1], [7, 5, 1.5, 1])):
            content["annotations"][row]["bbox"] = box

    file = coco(root, change)
    beyond = (
        "1 box reaches beyond the image, by up to 30 pixels: cut at its edge (x1 y1 x2 y2 [190, 5, 230, 25] in 0.jpg)"
    )
    tiny = "2 boxes have 1 x 1 pixels (x1 y1 x2 y2 [5, 5, 6, 6] in 1.jpg): is that meant?"
    assert read_own_boxes(file).remarks == [beyond, tiny]
    packed = dataset(file).packed
    assert packed.extra["remarks"] == [beyond, tiny] and packed.boxes[0].tolist() == [190, 5, 200, 25]


def test_one_box_of_99999_pixels_does_not_pass(root: Path) -> None:
    file = coco(root, change_one("annotations", bbox=[-5000, -5000, 99999, 99999]))
    with pytest.raises(ValueError, match=r"1 boxes reach beyond their image by more than three .*: \[-5000"):
        read_own_boxes(file)
    assert len(read_own_boxes(file, leave_out_bad=True).boxes) == 19
    packed = dataset(file).packed
    assert len(packed.boxes) == 19 and packed.notes == {"boxes beyond their image by more than three times its size": 1}


def test_crowds_only(root: Path) -> None:
    file = coco(root, change_all("annotations", iscrowd=1))
    with pytest.raises(ValueError, match=r"a\.json: all 20 boxes have iscrowd 1, .*: set iscrowd to 0"):
        read_own_boxes(file)
    with pytest.raises(ValueError, match=r"a\.json has a box that can be used .*all 20 others are crowds"):
        dataset(file)


def test_names_that_differ_by_blanks_are_one_class(root: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["categories"].append({"id": 3, "name": "joey "})
        content["annotations"][1]["category_id"] = 3

    own = read_own_boxes(coco(root, change))
    assert own.classes == ["kangaroo", "joey"] and len(own.boxes) == 20
    assert own.remarks == ["the category 'joey ' is the class 'joey' in another spelling"]
    assert np.bincount(dataset(root / "a.json").packed.labels).tolist() == [10, 10]


def test_cocos_folders(root: Path, photos: Path) -> None:
    (root / "annotations").mkdir()
    file = coco(root).rename(root / "annotations" / "instances_train2017.json")
    (root / "photos").rename(root / "train2017")
    assert len(read_own_boxes(file).files) == 12
    change = change_all("images", file_name=lambda row: f"../train2017/{row['file_name']}")
    file = coco(root, change).rename(root / "annotations" / "instances_val2017.json")
    assert len(read_own_boxes(file).files) == 12
    with pytest.raises(FileNotFoundError, match=r"12 of 12 images are missing .*x0\.jpg.*nearest name there is 0\.jpg"):
        read_own_boxes(coco(root, change_all("images", file_name=lambda r: f"x{r['file_name']}")), root / "train2017")


def voc(folder: Path, head: str = "", encoding: str = "utf-8", name: str = "kangaroo", **per_file: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(COUNT):
        text = (
            f"{head}<annotation>{per_file.get('tag', '').format(i=i)}<size><width>{WIDTH}</width><height>{HEIGHT}"
            f"</height></size><object><name>{name}</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>60</xmax>"
            "<ymax>60</ymax></bndbox></object></annotation>"
        )
        (folder / per_file.get("file", "{i}.xml").format(i=i)).write_bytes(text.encode(encoding))
    return folder


def both_read(folder: Path, images: int = COUNT, name: str = "kangaroo") -> OwnBoxes:
    own = read_own_boxes(folder)
    assert len(own.files) == len(own.boxes) == images and own.classes == [name] and own.left_out == {}
    assert set(map(tuple, own.boxes["box"].tolist())) == {(10, 10, 50, 50)}
    config = dict(type="mmdetpre.PackedVOCDataset", data_root=str(folder.parent), ann_subdir=folder.name)
    data = DATASETS.build(config | dict(img_subdir="photos", classes=[name]))
    assert data.packed.boxes.tolist() == [[10, 10, 60, 60]] * images and len(data) == images
    ids = [data.get_data_info(i)["img_id"] for i in range(images)]
    assert sorted(ids) == sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("[!.]*.[xX]*"))
    paths = {Path(data.get_data_info(i)["img_path"]).resolve() for i in range(images)}
    assert paths == {path.resolve() for path in own.paths()}
    return own


ENCODED = {
    "gb2312": ('<?xml version="1.0" encoding="gb2312"?>', "gb2312", "袋鼠"),
    "GBK as gb2312": ('<?xml version="1.0" encoding="GB2312"?>', "gbk", "袋鼠鎔"),
    "Shift JIS": ("<?xml version='1.0' encoding='Shift_JIS'?>", "shift_jis", "カンガルー"),
    "EUC-KR": ('<?xml version="1.0" encoding="EUC-KR"?>', "euc_kr", "캥거루"),
    "Latin-1": ('<?xml version="1.0" encoding="ISO-8859-1"?>', "latin-1", "känguru"),
    "UTF-16 with a mark": ('<?xml version="1.0" encoding="UTF-16"?>', "utf-16", "袋鼠"),
    "UTF-16 without one": ("", "utf-16-le", "kangaroo"),
    "UTF-8 said to be UTF-16": ('<?xml version="1.0" encoding="utf-16"?>', "utf-8", "袋鼠"),
    "UTF-8 with a mark": ('<?xml version="1.0"?>', "utf-8-sig", "känguru"),
    "unknown and UTF-8": ('<?xml version="1.0" encoding="utf8mb4"?>', "utf-8", "kangaroo"),
    "blank lines in front": ('\n \n<?xml version="1.0" encoding="UTF-8"?>', "utf-8", "kangaroo"),
}


@pytest.mark.parametrize("head,encoding,name", ENCODED.values(), ids=ENCODED)
def test_xml_in_other_encodings(root: Path, head: str, encoding: str, name: str) -> None:
    both_read(voc(root / "ann", head, encoding, name), name=name)


@pytest.mark.parametrize(
    "head,encoding,message",
    [
        ("", "gb2312", "0.xml is in UTF-8 by its first bytes, which its text is not in"),
        ('<?xml version="1.0" encoding="utf-8"?>', "gb2312", "0.xml declares the encoding 'utf-8', which its text is"),
        ('<?xml version="1.0" encoding="klingon"?>', "gb2312", "0.xml declares the encoding 'klingon', which is not"),
        ('<?xml version="1.0" encoding="zlib"?>', "gb2312", "0.xml declares the encoding 'zlib', which is not known"),
    ],
)
def test_an_encoding_that_cannot_be_told_is_named_with_the_file(
    root: Path, head: str, encoding: str, message: str
) -> None:
    with pytest.raises(ValueError) as error:
        read_own_boxes(voc(root / "ann", head, encoding, "袋鼠"))
    assert message in str(error.value) and "save it as UTF-8" in str(error.value)


def test_xml_of_other_programs(root: Path) -> None:
    both_read(voc(root / "upper", file="{i}.XML"))
    space = "<annotation xmlns='http://x.org/voc' xmlns:v='http://x.org/v'>"
    for path in voc(root / "spaces").iterdir():
        text = path.read_text().replace("<annotation>", space)
        path.write_text(text.replace("<object>", "<v:object>").replace("</object>", "</v:object>"))
    (root / "spaces" / "._0.xml").write_bytes(b"\0\5\x16\7 Mac OS X")
    both_read(root / "spaces")
    (root / "spaces" / "0.XML").write_text("<annotation/>")
    with pytest.raises(ValueError, match=r"spaces holds 0\.\w+ and 0\.\w+: remove one of them"):
        read_own_boxes(root / "spaces")


def test_masks_beside_photos(root: Path, photos: Path) -> None:
    (root / "photos").unlink()
    (root / "photos").mkdir()
    for photo in photos.iterdir():
        (root / "photos" / photo.name).write_bytes(photo.read_bytes())
        if int(photo.stem) < 6:
            Image.new("L", (WIDTH, HEIGHT)).save(root / "photos" / f"{photo.stem}.png")
    for tag in ("<filename>{i}.jpg</filename>", "<filename>x.jpg</filename>"):
        assert {path.suffix for path in both_read(voc(root / "ann", tag=tag)).paths()} == {".jpg"}
    with pytest.raises(FileNotFoundError, match=r"6 of 12 images are missing .* 0 \(may be 0.jpg or 0.png\)"):
        read_own_boxes(voc(root / "none"))


def test_a_root_of_voc_and_its_lists(root: Path, photos: Path) -> None:
    (root / "VOC2012" / "ImageSets" / "Main").mkdir(parents=True)
    (root / "photos").rename(root / "VOC2012" / "JPEGImages")
    voc(root / "VOC2012" / "Annotations")
    (root / "VOC2012" / "ImageSets" / "Main" / "val.txt").write_text("3\n5\n")
    assert len(read_own_boxes(root / "VOC2012").files) == 12
    own = read_own_boxes(root / "VOC2012" / "ImageSets" / "Main" / "val.txt")
    assert own.left_out == {}, "photos that a list does not name were left out on purpose"
    assert [path.name for path in own.paths()] == ["3.jpg", "5.jpg"]
    (root / "VOC2012" / "ImageSets" / "Main" / "train.txt").write_text("1\n2\n4\n")
    for source in ("VOC2012", "VOC2012/Annotations"):
        train, test = DetectionData(root / source).read()
        assert (train.files, test.files) == (["1.jpg", "2.jpg", "4.jpg"], ["3.jpg", "5.jpg"])


def test_xml_and_photos_in_folders_below(root: Path, photos: Path) -> None:
    (root / "photos").unlink()
    for photo in photos.iterdir():
        to = root / "photos" / f"day{int(photo.stem) % 2}" / photo.name
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(photo.read_bytes())
    voc(root / "ann" / "day0")
    for path in (root / "ann" / "day0").iterdir():
        if int(path.stem) % 2:
            (root / "ann" / "day1").mkdir(exist_ok=True)
            path.rename(root / "ann" / "day1" / path.name)
    both_read(root / "ann")


@pytest.mark.parametrize(
    "old,new,message",
    [
        ("<xmin>11", "<xmin>1e400", "has no complete box"),
        ("<xmin>11", "<xmin>nan", "has no complete box"),
        ("<xmin>11", "<xmin>11,5", "has no complete box"),
        ("<name>kangaroo", "<name> ", "has no name"),
        ("</name>", "</name><difficult>often</difficult>", "an object 'kangaroo' has difficult 'often', expected 0, 1"),
        ("<width>200", "<width>-4", "has width '-4', expected whole pixels"),
        ("<xmax>60</xmax><ymax>60", "<xmax>3</xmax><ymax>6", "12 of 12 boxes are empty"),
        ("</bndbox>", "</bndbox><bndbox/>", "an object 'kangaroo' has <bndbox> more than once"),
        ("<ymin>11", "<xmin>12</xmin><ymin>11", "an object 'kangaroo' has <xmin> more than once"),
        ("</name>", "</name><name>joey</name>", "an object 'kangaroo' has <name> more than once"),
        ("</object>", "<object><name>joey</name></object></object>", "an <object> stands inside another element"),
        ("object>", "Object>", "an <object> stands inside another element, or is written <Object>"),
    ],
)
def test_bad_xml_is_refused_alike(root: Path, old: str, new: str, message: str) -> None:
    for path in voc(root / "ann").iterdir():
        path.write_text(path.read_text().replace(old, new))
    config = dict(type="mmdetpre.PackedVOCDataset", data_root=str(root), ann_subdir="ann", img_subdir="photos")
    for read in (lambda: read_own_boxes(root / "ann"), lambda: DATASETS.build(config | dict(classes=["kangaroo"]))):
        with pytest.raises(ValueError) as error:
            read()
        assert message in str(error.value) and "ann" in str(error.value)


def test_ids_that_differ_by_their_kind_alone_are_refused(root: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["images"][1]["id"] = "2"
        content["annotations"] = [row for row in content["annotations"] if row["image_id"] != 1]

    file = coco(root, change)
    for read in (lambda: read_own_boxes(file), lambda: dataset(file)):
        with pytest.raises(ValueError, match=r"a\.json: two images have the id '2': they must differ"):
            read()


JSON_FILES = {
    "one key twice": (
        lambda text: f'{text[:-1]}, "annotations": []}}'.encode(),
        "an object has the key 'annotations' twice",
    ),
    "bbox twice": (
        lambda text: text.replace('"bbox"', '"bbox": [1, 1, 9, 9], "bbox"', 1).encode(),
        "an object has the key 'bbox' twice",
    ),
    "gzip": (lambda text: gzip.compress(text.encode()), "is not JSON but a gzip archive: unpack it"),
    "Latin-1": (lambda text: text.replace("joey", "jo\xeby").encode("latin-1"), "in no encoding of JSON ('utf-8'"),
}


@pytest.mark.parametrize("write,message", JSON_FILES.values(), ids=JSON_FILES)
def test_json_of_other_forms_is_refused(root: Path, write: Callable[[str], bytes], message: str) -> None:
    file = coco(root)
    file.write_bytes(write(file.read_text()))
    for read in (lambda: read_own_boxes(file), lambda: dataset(file)):
        with pytest.raises(ValueError) as error:
            read()
        assert message in str(error.value) and "a.json" in str(error.value)


def test_xml_of_another_kind_is_no_photo_without_boxes(root: Path) -> None:
    (voc(root / "ann") / "3.xml").write_text("<html><body>404</body></html>")
    config = dict(type="mmdetpre.PackedVOCDataset", data_root=str(root), ann_subdir="ann", img_subdir="photos")
    for read in (lambda: read_own_boxes(root / "ann"), lambda: DATASETS.build(config | dict(classes=["kangaroo"]))):
        with pytest.raises(ValueError, match=r"3\.xml is not an annotation file of VOC: it holds <html>"):
            read()


def test_damaged_json_and_xml_end_with_an_error_of_ours(root: Path, hold: Any) -> None:
    """The real reader on damaged files; with ``--fuzz-seconds N`` for longer."""
    from mmdetpre.datasets.coco.json_file import read_coco_json
    from mmdetpre.datasets.voc.xml_files import read_xml_files

    file = coco(root)
    assert hold(lambda: read_coco_json(file), file) >= 50
    assert hold(lambda: read_own_boxes(file, leave_out_bad=True), file, names=file) >= 50
    xml = voc(root / "ann", '<?xml version="1.0" encoding="gb2312"?>', "gb2312", "袋鼠") / "3.xml"
    assert hold(lambda: read_xml_files([str(xml)]), xml) >= 50
