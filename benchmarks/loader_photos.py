"""Photos and boxes for the benchmark of the chip loader: generated, or a user's own.

Generated photos are opaque ellipses under 1/f noise (the spectrum of natural images), with the JPEG settings and about
the bits per pixel of the data set they stand for; unless annotations are given, boxes are drawn at random, about COCO's
number and sizes.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmdet.datasets import CocoDataset

from mmdetpre.utils.bounded_files import GIB, read_json

BOXES = 7  # per image: COCO's mean


@dataclass(frozen=True)
class Look:
    """What the photos of a data set are like: size, JPEG quality and chroma sampling, strength of the noise."""

    config: str
    width: int
    height: int
    quality: int
    sampling: int
    contrast: float
    gains: tuple[float, float]
    """Least number of times that an epoch through workers is cheaper than mmdet's, than chips without sharing."""


LOOKS = {
    "COCO": Look("coco_chips.py", 640, 480, 96, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, 11, (2.3, 2.2)),
    "OpenImages": Look("openimages_chips.py", 1024, 768, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, 20, (1.8, 2.0)),
}


def photo(width: int, height: int, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) uint8 BGR: opaque ellipses of all sizes under 1/f noise of this standard deviation."""
    leaves = np.full((height, width, 3), (110, 128, 128), np.uint8)  # Y, Cr, Cb
    for _ in range(80):
        radius = min(height / 2, 8 / rng.random() ** 0.7)
        color = rng.normal((110, 128, 128), (40, 10, 10)).clip(0, 255).tolist()
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(radius), int(radius * rng.uniform(0.3, 1)))
        cv2.ellipse(leaves, center, axes, rng.uniform(0, 180), 0, 360, color, -1, cv2.LINE_AA)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = np.inf
    fall = np.stack([frequency, frequency**1.5, frequency**1.5])
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((3, height, width))) / fall, (height, width))
    noise *= (np.array([1, 0.25, 0.25]) * contrast / noise.std(axis=(1, 2)))[:, None, None]
    return cv2.cvtColor((leaves + noise.transpose(1, 2, 0)).clip(0, 255).astype(np.uint8), cv2.COLOR_YCrCb2BGR)


def write_data(root: Path, photos: Mapping[str, bytes], seed: int) -> None:
    """The photos with random boxes, in the layout of COCO."""
    rng = np.random.default_rng(seed)
    classes = CocoDataset.METAINFO["classes"]
    images: list[dict] = []
    annotations: list[dict] = []
    (root / "train2017").mkdir(parents=True)
    (root / "annotations").mkdir()
    for i, (name, data) in enumerate(photos.items()):
        (root / "train2017" / name).write_bytes(data)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"Photo {i} cannot be decoded: name another folder with --photos.")
        height, width = image.shape[:2]
        images.append({"id": i, "file_name": name, "width": width, "height": height})
        for _ in range(max(1, rng.poisson(BOXES))):
            size = np.exp(rng.uniform(np.log(8), np.log(0.9 * min(width, height))))  # log-uniform, as COCO's nearly is
            w, h = size * np.sqrt(np.exp(rng.normal(0, 0.4)) ** np.array([1, -1]))
            w, h = min(w, width - 1), min(h, height - 1)
            box = [float(rng.uniform(0, width - w)), float(rng.uniform(0, height - h)), float(w), float(h)]
            category = int(rng.integers(len(classes)))
            annotations.append(
                {"id": len(annotations), "image_id": i, "category_id": category, "bbox": box, "area": w * h}
                | {"iscrowd": 0, "segmentation": []}
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(classes)]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(document))


def link_data(root: Path, photos: Path, annotations: Path, count: int, seed: int) -> None:
    """Photos with their own boxes, in the layout of COCO, where they are: the photos are linked, not copied."""
    document = read_json(annotations, GIB)
    shown = {annotation["image_id"] for annotation in document["annotations"] if not annotation.get("iscrowd")}
    found = [i for i in document["images"] if i["id"] in shown and (photos / i["file_name"]).is_file()]
    if not found:
        raise FileNotFoundError(f"No image with boxes that {annotations} lists lies in {photos}: change --photos.")
    chosen = random.Random(seed).sample(found, min(count, len(found)))
    known = {image["id"] for image in chosen}
    document |= {"images": chosen, "annotations": [a for a in document["annotations"] if a["image_id"] in known]}
    (root / "train2017").symlink_to(photos.resolve(), target_is_directory=True)
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(document))


def generated(look: Look, count: int, seed: int) -> dict[str, bytes]:
    rng = np.random.default_rng(seed)
    options = [cv2.IMWRITE_JPEG_QUALITY, look.quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, look.sampling]
    pictures = (photo(look.width, look.height, look.contrast, rng) for _ in range(count))
    return {f"{i:06d}.jpg": cv2.imencode(".jpg", picture, options)[1].tobytes() for i, picture in enumerate(pictures)}


def real(folder: Path, count: int, seed: int) -> dict[str, bytes]:
    paths = sorted(folder.rglob("*.jpg"))
    if not paths:
        raise FileNotFoundError(f"There is no *.jpg below {folder}: name a folder of photos with --photos.")
    chosen = random.Random(seed).sample(paths, min(count, len(paths)))
    return {f"{i:06d}.jpg": path.read_bytes() for i, path in enumerate(chosen)}
