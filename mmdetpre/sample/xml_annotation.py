"""Annotation files in the XML format of PASCAL VOC and ImageNet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class XMLObject(NamedTuple):
    """An object as it stands in the file: ``box`` is xmin, ymin, xmax, ymax as written."""

    name: str
    box: tuple[int, int, int, int]
    truncated: bool
    occluded: bool
    difficult: bool


def write_xml(
    path: Path,
    *,
    folder: str,
    filename: str,
    database: str,
    size: tuple[int, int],
    segmented: bool,
    objects: Iterable[XMLObject],
) -> None:
    """Write one annotation file; the folder must exist.

    Args:
        path: The file.
        folder: Content of its ``folder`` tag.
        filename: Content of its ``filename`` tag.
        database: Content of its ``source/database`` tag.
        size: (width, height) of the image, pixels.
        segmented: Whether a segmentation map belongs to the image.
        objects: What it shows.
    """
    root = ElementTree.Element("annotation")
    _fill(root, {"folder": folder, "filename": filename})
    _fill(ElementTree.SubElement(root, "source"), {"database": database})
    _fill(ElementTree.SubElement(root, "size"), {"width": size[0], "height": size[1], "depth": 3})
    _fill(root, {"segmented": int(segmented)})
    for item in objects:
        node = ElementTree.SubElement(root, "object")
        flags = {name: int(getattr(item, name)) for name in ("truncated", "occluded", "difficult")}
        _fill(node, {"name": item.name, "pose": "Unspecified", **flags})
        corners = zip(("xmin", "ymin", "xmax", "ymax"), item.box, strict=True)
        _fill(ElementTree.SubElement(node, "bndbox"), dict(corners))
    ElementTree.indent(root, "\t")
    path.write_text(ElementTree.tostring(root, encoding="unicode") + "\n")


def _fill(node: ElementTree.Element, tags: dict[str, object]) -> None:
    for tag, text in tags.items():
        ElementTree.SubElement(node, tag).text = str(text)
