"""Detect in images, and write what was found: of one image, or of many with progress and resume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdetpre.inference.detection_formats import FORMATS
from mmdetpre.inference.detection_log import DetectionLog, ImageDetections
from mmdetpre.inference.detector import MultiScaleDetector
from mmdetpre.inference.image_source import ImageSource, inner_path
from mmdetpre.utils.progress_bar import progress_bar
from mmdetpre.utils.whole_file import write_json, write_picture, write_rows
from mmdetpre.visualization.detections import draw_detections

Item = tuple[str, Path | np.ndarray]


def detect_one(
    detector: MultiScaleDetector,
    image: Path,
    out: Path | None = None,
    plot: Path | None = None,
    score_thr: float = 0.3,
    *,
    overwrite: bool = False,
) -> str:
    """Detect in one image.

    Args:
        detector: The detector.
        image: The image.
        out: All detections, as .json (the names of mmdet's image_demo.py) or .csv.
        plot: Picture of those above the threshold.
        score_thr: The threshold, also of the text.
        overwrite: Replace existing files.

    Returns:
        A line per detection above the threshold, and what was written.

    Raises:
        FileNotFoundError, ValueError: If the image is missing or cannot be read.
    """
    sample = detector.detect(image)
    assert isinstance(sample, DetDataSample)
    found = sample.pred_instances
    boxes, scores, labels = found.bboxes.tolist(), found.scores.tolist(), found.labels.tolist()
    if out and out.suffix == ".csv":
        rows = ([detector.classes[i], score, *box] for i, score, box in zip(labels, scores, boxes, strict=True))
        write_rows(out, [["class", "score", "x1", "y1", "x2", "y2"], *rows], overwrite=overwrite)
    elif out:
        content = {"image": str(image), "classes": detector.classes, "labels": labels, "scores": scores}
        write_json(out, content | {"bboxes": boxes}, overwrite=overwrite)
    if plot:
        picture = draw_detections(_rgb(image), None, found, detector.classes, score_thr, title=image.name)
        write_picture(plot, picture, overwrite=overwrite)
    shown = found[found.scores >= score_thr]
    lines = [
        f"{score:.3f}  {detector.classes[label]:<24} {box}"
        for label, score, box in zip(
            shown.labels.tolist(), shown.scores.tolist(), shown.bboxes.round().int().tolist(), strict=True
        )
    ]
    lines += [f"{len(shown)} of {len(found)} detections drawn in {plot}"] if plot else []
    lines += [f"{len(found)} detections written to {out}"] if out else []
    return "\n".join(lines)


def detect_images(
    detector: MultiScaleDetector,
    source: ImageSource,
    out: Path,
    made_by: Mapping[str, Any],
    *,
    plot: Path | None = None,
    formats: Sequence[str] = ("coco",),
    score_thr: float = 0.3,
    batch_size: int = 1,
    overwrite: bool = False,
) -> tuple[list[ImageDetections], str]:
    """Detect in many images, those of an interrupted call left out; images that cannot be read are told at the end.

    Args:
        detector: The detector.
        source: The images.
        out: Folder of ``detections.jsonl``, which grows image by image, and of the formats, written in the end.
        made_by: What the detections depend on; a folder of others is refused.
        plot: Folder of pictures, or an ``.mp4`` of a video; drawn of the images of this call.
        formats: Of `FORMATS`.
        score_thr: Detections below are not drawn.
        batch_size: Images that pass together.
        overwrite: Start again, whatever is in the folder.

    Returns:
        The images that could not be read, and what was written.

    Raises:
        FileExistsError: If the folder is of other detections, or a new one of detections or pictures is not empty.
        ValueError: If a video ends too early, or ``plot`` is an ``.mp4`` of images.
    """
    movie = plot is not None and plot.suffix == ".mp4"
    if movie and not source.video:
        raise ValueError(f"--plot {plot} is for a video: give a folder for pictures of images.")
    if plot is not None and plot.suffix and not movie:
        raise ValueError(f"--plot {plot} is one picture, and {source.path} has {len(source.names)}: give a folder.")
    if out.suffix in (".json", ".csv"):
        raise ValueError(f"--out {out} is one file: give a folder, and --format for what is written to it.")
    log = DetectionLog(out, made_by, overwrite=overwrite)
    start = len(log.done)
    if (before := [one.image for one in log.done]) != source.names[:start]:
        was, now = next(pair for pair in zip_longest(before, source.names) if pair[0] != pair[1])
        raise FileExistsError(
            f"{log.path} is of other images than {source.path} has now ({was}, not {now}): give another --out, or add"
            " --force to start again."
        )
    if plot is not None and not movie and not start and not overwrite and plot.is_dir() and any(plot.iterdir()):
        raise FileExistsError(f"{plot} has files: give a new folder as --plot, or add --force to write into it.")
    if movie and start:
        raise ValueError(
            f"{log.path} has {start} frames already, which {plot} would lack: give another --out, or --plot FOLDER."
        )
    there = f", {start} of them were there already" if start else ""
    with (
        closing(_Movie(plot, source.frames_per_second, overwrite=overwrite))
        if movie and plot
        else nullcontext() as video,
        progress_bar(total=len(source.names), initial=start, desc="detecting", unit=" images") as bar,
    ):
        for batch in _batches(source.images(start), batch_size):
            for (name, image), found in zip(batch, _detect(detector, batch), strict=True):
                if plot is not None and not found.fault:
                    picture = _picture(image, found, detector.classes, score_thr, "" if video else name)
                    if video is not None:
                        video.add(picture)
                    else:
                        write_picture(plot / f"{inner_path(name)}.jpg", picture)
                log.add(found)  # last: what an interrupted call left out has neither
                bar.update()
    whole = [one for one in log.done if not one.fault]
    written = [str(log.path), *(str(FORMATS[name](out, whole, detector.classes)) for name in formats)]
    count = sum(len(one.boxes) for one in whole)
    told = [f"{count} detections in {len(whole)} images{there}", *written]
    return [one for one in log.done if one.fault], "\n  ".join([*told, *([str(plot)] if plot else [])])


def _batches(images: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(images, size)):
        yield batch


def _detect(detector: MultiScaleDetector, batch: Sequence[Item]) -> list[ImageDetections]:
    """Of a batch; one by one where an image of it cannot be read."""
    try:
        samples = detector.detect([image for _, image in batch], batch_size=len(batch))
    except (OSError, ValueError) as error:
        if len(batch) == 1:
            return [ImageDetections(batch[0][0], fault=str(error))]
        return [found for item in batch for found in _detect(detector, [item])]
    assert isinstance(samples, list)
    return [_record(name, sample) for (name, _), sample in zip(batch, samples, strict=True)]


def _record(name: str, sample: DetDataSample) -> ImageDetections:
    height, width = sample.metainfo["ori_shape"]
    found = sample.pred_instances
    boxes, scores = found.bboxes.double().cpu().numpy().round(2), found.scores.double().cpu().numpy().round(6)
    return ImageDetections(name, int(width), int(height), boxes.tolist(), scores.tolist(), found.labels.tolist())


def _picture(
    image: Path | np.ndarray, found: ImageDetections, classes: Sequence[str], score_thr: float, title: str
) -> np.ndarray:
    instances = InstanceData(
        bboxes=np.array(found.boxes).reshape(-1, 4), scores=np.array(found.scores), labels=np.array(found.labels, int)
    )
    return draw_detections(_rgb(image), None, instances, classes, score_thr, title=title)


def _rgb(image: Path | np.ndarray) -> np.ndarray:
    pixels = image if isinstance(image, np.ndarray) else mmcv.imread(str(image), flag="color")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


class _Movie:
    """A video that is written frame by frame."""

    def __init__(self, path: Path, frames_per_second: float, *, overwrite: bool = False) -> None:
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists: choose another name, or add --force.")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.frames_per_second = path, frames_per_second
        self.writer: cv2.VideoWriter | None = None

    def add(self, picture: np.ndarray) -> None:
        if self.writer is None:
            size = (picture.shape[1], picture.shape[0])
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self.writer = cv2.VideoWriter(str(self.path), code, self.frames_per_second, size)
            if not self.writer.isOpened():
                raise ValueError(f"{self.path} cannot be written as a video here: give a folder as --plot.")
        self.writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        if self.writer is not None:
            self.writer.release()
