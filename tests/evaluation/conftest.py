"""Detections on real photos and drawn ones, and mmdet's evaluation of them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdetpre.evaluation.detections.detections import Detections, GroundTruth


@pytest.fixture(scope="session")
def voc_run(shared_data: Path) -> Detections:
    """A real detector's boxes on VOC 2012, in the coordinates of mmdet: last pixel inside, first pixel 0."""
    root = shared_data / "voc2012"
    classes = tuple((root / "voc.names").read_text().split())
    names = tuple(sorted(path.stem for path in (root / "VOCdevkit/VOC2012/Annotations").glob("*.xml")))
    detected, annotated = [], []
    for image, name in enumerate(names):
        tree = ElementTree.parse(root / f"VOCdevkit/VOC2012/Annotations/{name}.xml")
        for item in tree.findall("object"):
            corners = [int(float(item.findtext(f"bndbox/{c}"))) - 1 for c in ("xmin", "ymin", "xmax", "ymax")]
            annotated.append((image, *corners, classes.index(item.findtext("name")), int(item.findtext("difficult"))))
        path = root / f"detections_abs_xyx2y2/{name}.txt"
        for line in path.read_text().splitlines() if path.exists() else []:
            label, score, *corners = line.split()
            detected.append((image, *map(float, corners), float(score), int(label)))
    found, truth = np.array(detected), np.array(annotated)
    assert len(found) == 324 and truth[:, 6].sum() == 30
    return Detections(
        classes, names, found[:, 0], found[:, 1:5], found[:, 5], found[:, 6],
        truth=GroundTruth(truth[:, 0], truth[:, 1:5], truth[:, 5], truth[:, 6], difficult=truth[:, 6]),
    )  # fmt: skip


def draw_run(
    seed: int, *, images: int = 40, classes: int = 4, tied: bool = False, ignored: float = 0.2, size: int = 200
) -> Detections:
    """Boxes, and detections that are shifted, doubled, mislabelled or in empty places."""
    random = np.random.default_rng(seed)
    truth_image = np.repeat(np.arange(images), random.integers(0, 5, images))
    corners = random.integers(0, size, (len(truth_image), 2))
    boxes = np.hstack([corners, corners + random.integers(5, 80, corners.shape)]).astype(np.float32)
    labels = random.integers(classes, size=len(boxes))
    twice = np.arange(len(boxes)).repeat(3)
    sides = np.tile(boxes[twice, 2:] - boxes[twice, :2], 2)
    found = np.concatenate([boxes, boxes[twice] + np.round(sides * random.normal(0, 0.15, sides.shape), 1)])
    image = np.concatenate([truth_image, truth_image[twice]])
    found_labels = np.concatenate([labels, labels[twice]])
    empty = random.integers(images, size=2 * images)
    low = random.uniform(0, size, (len(empty), 2))
    found = np.concatenate([found, np.hstack([low, low + 30])])
    image = np.concatenate([image, empty])
    found_labels = np.concatenate([found_labels, random.integers(classes, size=len(empty))])
    wrong = random.random(len(found)) < 0.15
    found_labels[wrong] = random.integers(classes, size=wrong.sum())
    scores = random.permutation(np.linspace(0.01, 0.99, len(found)))
    order = np.argsort(image, kind="stable")
    return Detections(
        tuple(f"class {i}" for i in range(classes)), tuple(map(str, range(images))),
        image[order], found[order], (np.round(scores, 1) if tied else scores)[order], found_labels[order],
        truth=GroundTruth(truth_image, boxes, labels, random.random(len(boxes)) < ignored),
    )  # fmt: skip


def convert_to_mmdet(run: Detections) -> tuple[list, list]:
    """``det_results`` and ``annotations`` as mmdet's ``eval_map`` takes them."""
    truth, found, annotations = run.ground_truth(), [], []
    table = np.hstack([run.boxes, run.scores[:, None]])
    for i in range(len(run.names)):
        rows, own = run.rows(i), run.truth_rows(i)
        found.append([table[rows][run.labels[rows] == label] for label in range(len(run.classes))])
        ignore = truth.ignore[own]
        annotations.append(
            {
                "bboxes": truth.boxes[own][~ignore],
                "labels": truth.labels[own][~ignore],
                "bboxes_ignore": truth.boxes[own][ignore],
                "labels_ignore": truth.labels[own][ignore],
            }
        )
    return found, annotations


@pytest.fixture(scope="session")
def drawn_run() -> Callable[..., Detections]:
    return draw_run


@pytest.fixture(scope="session")
def as_mmdet() -> Callable[[Detections], tuple[list, list]]:
    return convert_to_mmdet
