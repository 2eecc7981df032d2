"""In which format a user's boxes are, by the files and folders that are there, and which parts they have."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mmdetpre.datasets.images.lists import read_image_list
from mmdetpre.datasets.images.photo_names import PARTS
from mmdetpre.datasets.voc.xml_files import find_xml
from mmdetpre.study.custom_data.formats.annotations import Annotations
from mmdetpre.study.custom_data.formats.coco_json import ROBOFLOW, read_coco
from mmdetpre.study.custom_data.formats.cvat import read_cvat, read_cvat_file
from mmdetpre.study.custom_data.formats.labelme import read_labelme
from mmdetpre.study.custom_data.formats.openimages import CSV, read_openimages
from mmdetpre.study.custom_data.formats.voc_lists import voc_lists
from mmdetpre.study.custom_data.formats.voc_xml import read_voc
from mmdetpre.study.custom_data.formats.yolo import read_yolo
from mmdetpre.study.custom_data.formats.yolo_layout import (
    NAME_LISTS,
    YAML_NAMES,
    YoloLayout,
    read_list_layout,
    read_yaml_layout,
)

Reader = Callable[[], Annotations]
KNOWN = (
    "COCO JSON, VOC XML, YOLO (data.yaml or classes.txt), CVAT's annotations.xml, LabelMe, or Open Images"
    " (labels/detections.csv)"
)
_COCO_NAMES = (ROBOFLOW, "labels.json")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_HEAD = 1 << 16
_CVAT = re.compile(rb"<annotations[\s/>]")
_LABELME = re.compile(rb'"shapes"\s*:')
_COCO = re.compile(rb'"(?:images|annotations|categories|licenses)"\s*:')
_COCO_PART = re.compile(r"instances_([a-z]+)\d*\.json", re.IGNORECASE)


@dataclass(frozen=True)
class BoxData:
    """Data of one format.

    Attributes:
        form: What the format is called.
        parts: How each part is read; a part ``""`` is all of them.
    """

    form: str
    parts: Mapping[str, Reader]

    @property
    def train(self) -> str:
        """The part to train on: that of this name, or the only one."""
        return "train" if "train" in self.parts else next(iter(self.parts))

    @property
    def test(self) -> str | None:
        """The part to test on, if the data have one: ``test``, else ``val``."""
        return next((part for part in ("test", "val") if part in self.parts and part != self.train), None)


def recognize(source: Path, images_dir: str | os.PathLike | None = None, option: str = "--det-images") -> BoxData:
    """What a file or folder holds; boxes are read later, but for those of CVAT, whose one file says what parts it has.

    Args:
        source: A file of annotations, or the folder of a data set.
        images_dir: Folder of the images; None: a usual one beside the annotations.
        option: What the command line calls that folder.

    Raises:
        FileNotFoundError: If the source, or the folder of the images, is missing.
        ValueError: If it is in no format that is known, or in several.
    """
    images = None if images_dir is None else Path(images_dir)
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"There is no folder {images}: set {option} to the folder of the images.")
    if source.is_dir():
        return _data(source, images, option)
    if not source.is_file():
        raise FileNotFoundError(f"There is no {source}: give a file or folder of {KNOWN}.")
    return _file(source, images, option)


def _file(source: Path, images: Path | None, option: str) -> BoxData:
    suffix = source.suffix.lower()
    if suffix in _ARCHIVES:
        raise ValueError(f"{source} is an archive: unpack it, and give its folder.")
    if suffix in (".yaml", ".yml"):
        return _yolo_of_yaml(source, images, option)
    if source.name in NAME_LISTS or suffix == ".names":
        return _yolo(read_list_layout(source, images))
    if suffix == ".txt" and source.parent.name == "Main":
        root = source.parents[2] / "Annotations"
        return _whole("VOC XML", partial(_of_names, root, read_image_list(source), images, option))
    if suffix == ".xml":
        if not _CVAT.search(_head(source)):
            raise ValueError(f"{source} is one file of VOC XML, or none of CVAT: give the folder of all files.")
        return _cvat(source, images)
    if suffix == ".csv":
        raise ValueError(f"{source} is a table: of Open Images, give the folder that holds {CSV} and data.")
    if suffix == ".json" and _LABELME.search(_head(source)):
        raise ValueError(f"{source} is one file of LabelMe: give the folder of all files.")
    return _whole("COCO JSON", partial(read_coco, source, images))


def _data(folder: Path, images: Path | None, option: str) -> BoxData:
    """What a folder holds, or its folders of parts."""
    if found := _one(folder, images, option):
        return found
    below = {PARTS[path.name.lower()]: path for path in sorted(folder.iterdir()) if path.name.lower() in PARTS}
    parts = {part: one for part, path in below.items() if path.is_dir() and (one := _one(path, images, option))}
    if "train" in parts:
        forms = {one.form for one in parts.values()}
        if len(forms) > 1:
            raise ValueError(f"{folder}: its parts are of several formats, {', '.join(sorted(forms))}: give one each.")
        return BoxData(forms.pop(), {part: one.parts[one.train] for part, one in parts.items()})
    if find_xml(folder):
        return _voc(folder, images, option)
    labels = next(iter(folder.glob("labels/**/*.txt")), None)
    hint = f" {labels} looks like YOLO: add a data.yaml or classes.txt that names the classes." if labels else ""
    raise ValueError(f"{folder} holds no annotations that are known: {KNOWN}.{hint}")


def _one(folder: Path, images: Path | None, option: str) -> BoxData | None:
    """What a folder itself holds; None for nothing."""
    found = [(file, read) for file, read in _forms(folder, images, option) if file is not None]
    if len(found) > 1:
        names = " and ".join(str(file.relative_to(folder)) for file, _ in found)
        raise ValueError(
            f"{folder} holds several formats, {names}: name the file that counts, or move the others away."
        )
    if found:
        return found[0][1](found[0][0])
    jsons = _jsons(folder, _COCO) or _jsons(folder / "annotations", _COCO)
    if not jsons:
        return None
    if len(jsons) == 1:
        return _whole("COCO JSON", partial(read_coco, jsons[0], images))
    named = {file: match[1].lower() for file in jsons if (match := _COCO_PART.fullmatch(file.name))}
    parts = {PARTS[part]: partial(read_coco, file, images) for file, part in named.items() if part in PARTS}
    if "train" not in parts or len(parts) < len(named):
        raise ValueError(f"{folder} holds {jsons[0].name}, {jsons[1].name} ...: name the COCO JSON that counts.")
    return BoxData("COCO JSON", parts)


def _forms(folder: Path, images: Path | None, option: str) -> Iterator[tuple[Path | None, Callable[[Path], BoxData]]]:
    """The file that shows each format, if it is there, and what is read then."""
    yaml = _first(folder, YAML_NAMES)
    yield yaml, lambda file: _yolo_of_yaml(file, images, option)
    lists = None if yaml else _first(folder, NAME_LISTS) or _first(folder / "labels", NAME_LISTS)
    yield lists, lambda file: _yolo(read_list_layout(file, images))
    yield _first(folder, (str(CSV),)), lambda _: _whole("Open Images", partial(read_openimages, folder, images))
    data = folder / "data" if images is None and (folder / "data").is_dir() else images
    yield _first(folder, _COCO_NAMES), lambda file: _whole("COCO JSON", partial(read_coco, file, data))
    xml = sorted(
        path for path in folder.iterdir() if path.suffix.lower() == ".xml" and path.name[0] != "." and path.is_file()
    )
    if len(xml) == 1 and _CVAT.search(_head(xml[0])):
        yield xml[0], lambda file: _cvat(file, images)
        xml = []
    files = _jsons(folder, _LABELME)
    yield next(iter(files), None), lambda _: _whole("LabelMe", partial(read_labelme, folder, files, images, option))
    inner = next((folder / name for name in ("Annotations", "labels") if any(_xml(folder / name))), None)
    root = folder if xml else inner
    beside = data if root is inner and inner and inner.name == "labels" else images
    yield root, lambda root: _voc(root, beside, option)


def _voc(root: Path, images: Path | None, option: str) -> BoxData:
    """A folder of VOC's XML, with the parts that lists name."""
    files = find_xml(root)
    lists = voc_lists(root, "Main", files)
    if not lists:
        return _whole("VOC XML", partial(read_voc, root, files, images, option))
    return BoxData("VOC XML", {part: partial(_of_names, root, names, images, option) for part, names in lists.items()})


def _of_names(root: Path, names: Sequence[str], images: Path | None, option: str) -> Annotations:
    found = read_voc(root, find_xml(root, names), images, option)
    return replace(found, left_out={})  # a list leaves photos out on purpose


def _whole(form: str, read: Reader) -> BoxData:
    return BoxData(form, {"": read})


def _yolo_of_yaml(file: Path, images: Path | None, option: str) -> BoxData:
    if images is not None:
        raise ValueError(f"{file} says itself where the photos are: leave {option} out.")
    return _yolo(read_yaml_layout(file))


def _yolo(layout: YoloLayout) -> BoxData:
    parts = {part: partial(read_yolo, layout, part) for part in layout.parts}
    return BoxData(f"YOLO ({layout.told_by.name})", parts)


def _cvat(file: Path, images: Path | None) -> BoxData:
    found = read_cvat_file(file)
    return BoxData(f"CVAT ({file.name})", {part: partial(read_cvat, found, part, images) for part in found.parts})


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _xml(folder: Path) -> Iterator[Path]:
    return folder.glob("*.[xX][mM][lL]") if folder.is_dir() else iter(())


def _jsons(folder: Path, kind: re.Pattern[bytes]) -> list[Path]:
    """The JSON files of a folder, if the first of them is of a kind."""
    files = sorted(path for path in folder.glob("*.json") if path.is_file() and path.name[0] != ".")
    files = [path for path in files if path.name not in _COCO_NAMES]
    return files if files and kind.search(_head(files[0])) else []


def _head(file: Path) -> bytes:
    """The first bytes of a file, as if it were in ASCII."""
    with file.open("rb") as opened:
        return opened.read(_HEAD).replace(b"\0", b"")
