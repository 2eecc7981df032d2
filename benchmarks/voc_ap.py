"""mAP at nine IoU thresholds, and COCO's metric: ours against mmdet's and pycocotools', in one run.

    python benchmarks/voc_ap.py                     # 300 images, 20 classes, about 12,000 detections
    python benchmarks/voc_ap.py --voc ../shared/data/voc2012     # a real detector's boxes, repeated to as many images

Every program gets the same detections, and the results are compared. mmdet's ``eval_map`` runs as its metric calls it:
once per threshold, in four processes.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import eval_map
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from side_by_side import Row, in_turn, run

from mmdetpre.evaluation.coco_metric import HotCOCOeval
from mmdetpre.evaluation.detections.detections import Detections, GroundTruth
from mmdetpre.evaluation.voc_ap.average_precision import FIGURE_1_IOUS, voc_average_precision

CLASSES = 20


def drawn(images: int) -> Detections:
    """About 2.5 boxes and 40 detections per image, as many as VOC and a detector with a low score threshold have."""
    random = np.random.default_rng(0)
    owner = np.repeat(np.arange(images), random.integers(1, 5, images))
    low = random.uniform(0, 400, (len(owner), 2))
    boxes = np.hstack([low, low + random.uniform(20, 200, low.shape)])
    labels = random.integers(CLASSES, size=len(owner))
    several = np.arange(len(owner)).repeat(8)
    found = boxes[several] + random.normal(0, 12, (len(several), 4))
    empty = np.arange(images).repeat(20)
    low = random.uniform(0, 400, (len(empty), 2))
    image = np.concatenate([owner[several], empty])
    order = np.argsort(image, kind="stable")
    found = np.concatenate([found, np.hstack([low, low + random.uniform(20, 200, low.shape)])])[order]
    found_labels = np.concatenate([labels[several], random.integers(CLASSES, size=len(empty))])[order]
    return Detections(
        tuple(f"class {i}" for i in range(CLASSES)), tuple(map(str, range(images))),
        image[order], found, random.random(len(found)), found_labels,
        truth=GroundTruth(owner, boxes, labels, random.random(len(owner)) < 0.1),
    )  # fmt: skip


def repeated(root: Path, images: int) -> Detections:
    """The detections that lie beside VOC 2012, image after image again until there are enough."""
    classes = (root / "voc.names").read_text().split()
    files = sorted((root / "VOCdevkit/VOC2012/Annotations").glob("*.xml"))
    found, truth = [], []
    for i in range(images):
        path = files[i % len(files)]
        for item in ElementTree.parse(path).findall("object"):
            corners = [float(item.findtext(f"bndbox/{c}") or 0) - 1 for c in ("xmin", "ymin", "xmax", "ymax")]
            truth.append(
                (i, *corners, classes.index(item.findtext("name") or ""), int(item.findtext("difficult") or 0))
            )
        lines = root / "detections_abs_xyx2y2" / f"{path.stem}.txt"
        for line in lines.read_text().splitlines() if lines.exists() else []:
            label, score, *box = line.split()
            found.append((i, *map(float, box), float(score), int(label)))
    a, b = np.array(found), np.array(truth)
    return Detections(
        tuple(classes), tuple(map(str, range(images))), a[:, 0], a[:, 1:5], a[:, 5], a[:, 6],
        truth=GroundTruth(b[:, 0], b[:, 1:5], b[:, 5], b[:, 6]),
    )  # fmt: skip


def for_mmdet(run: Detections) -> tuple[list, list]:
    """``det_results`` and ``annotations`` of ``eval_map``."""
    truth, found, annotations = run.ground_truth(), [], []
    table = np.hstack([run.boxes, run.scores[:, None]])
    for i in range(len(run.names)):
        rows, own = run.rows(i), run.truth_rows(i)
        found.append([table[rows][run.labels[rows] == label] for label in range(len(run.classes))])
        boxes, labels, ignore = truth.boxes[own], truth.labels[own], truth.ignore[own]
        kept, ignored = {"bboxes": boxes[~ignore], "labels": labels[~ignore]}, (boxes[ignore], labels[ignore])
        annotations.append({**kept, "bboxes_ignore": ignored[0], "labels_ignore": ignored[1]})
    return found, annotations


def for_coco(run: Detections) -> tuple[COCO, COCO]:
    """Annotations (ignored boxes as crowds) and detections of pycocotools."""

    def xywh(boxes: np.ndarray) -> list[list[float]]:
        return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()

    truth, coco = run.ground_truth(), COCO()
    columns = zip(truth.image, xywh(truth.boxes), truth.labels, truth.ignore, strict=True)
    coco.dataset = {
        "images": [{"id": i, "width": 640, "height": 640} for i in range(len(run.names))],
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(run.classes)],
        "annotations": [
            {"id": n + 1, "image_id": int(i), "category_id": int(label) + 1, "bbox": box, "area": box[2] * box[3],
             "iscrowd": int(crowd)} for n, (i, box, label, crowd) in enumerate(columns)
        ],
    }  # fmt: skip
    coco.createIndex()
    found = zip(run.image, xywh(run.boxes), run.labels, run.scores, strict=True)
    results = [
        {"image_id": int(i), "category_id": int(label) + 1, "bbox": box, "score": float(score)}
        for i, box, label, score in found
    ]
    return coco, coco.loadRes(results)


def coco_stats(evaluator: type, truth: COCO, found: COCO) -> Any:
    one = evaluator(truth, found, "bbox")
    one.evaluate()
    one.accumulate()
    one.summarize()
    return one


def rows(args: argparse.Namespace) -> Iterator[Row]:
    data = repeated(args.voc, args.images) if args.voc else drawn(args.images)
    size = f"{args.images:,} images, {len(data):,} detections, {len(data.classes)} classes"
    found, annotations = for_mmdet(data)
    options: dict[str, Any] = {"logger": "silent", "use_legacy_coordinate": True}

    def nine(mode: str) -> list[float]:
        return [eval_map(found, annotations, iou_thr=iou, eval_mode=mode, **options)[0] for iou in FIGURE_1_IOUS]

    for mode in ("11points", "area"):
        ways: dict[str, Callable] = {
            "ours": partial(voc_average_precision, data, mode=mode, plus_one=True),
            "mmdet": partial(nine, mode),
        }
        times = in_turn(ways, args.repeats)
        if times["ours"].result.mean_ap.tolist() != times["mmdet"].result:
            raise RuntimeError(f"The mAPs differ: {times['ours'].result.mean_ap.tolist()} and {times['mmdet'].result}")
        yield Row(
            what=f"VOC AP at 9 IoUs, {mode}, {size}", unit="s", ours=times["ours"].median,
            theirs=times["mmdet"].median, against="mmdet's eval_map nine times, 4 processes (equal mAPs)",
        )  # fmt: skip
    if importlib.util.find_spec("hotcoco") is None:
        print("COCO's metric is not measured: hotcoco is not installed (mmdetpre[fast_eval])", file=sys.stderr)
        return
    with contextlib.redirect_stdout(io.StringIO()):
        tables = for_coco(data)
        programs = {"hotcoco": HotCOCOeval, "pycocotools": COCOeval}
        times = in_turn({name: partial(coco_stats, kind, *tables) for name, kind in programs.items()}, args.repeats)
    one, other = (times[name].result.eval for name in programs)
    if not all(np.array_equal(one[name], other[name]) for name in ("precision", "recall", "scores")):
        raise RuntimeError("hotcoco and pycocotools differ")
    yield Row(
        what=f"COCO AP, {size}", unit="s", ours=times["hotcoco"].median,
        theirs=times["pycocotools"].median, against="pycocotools (equal arrays); ours matches by hotcoco",
    )  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3, help="runs, of which the median counts (%(default)s)")
    parser.add_argument("--voc", type=Path, help="folder of VOC 2012 with detections_abs_xyx2y2")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
