"""Occlusion levels that people have annotated, from a file beside the data set."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.evaluation.errors.occlusion import LEVEL_NAMES
from mmdetpre.evaluation.errors.occlusion_mat import AnnotatedObject, read_annotated_mat
from mmdetpre.utils.text_files import read_text

FILES = ("gt_fel", "gt_ved")
COLUMNS = ("image", "class", "x1", "y1", "x2", "y2", "level")
TOLERANCE = 1.5
"""Pixels by which a side may differ: data sets count the first pixel as 0 or 1, and the last one in or out."""


def read_occlusion_levels(
    path: str | Path, names: Sequence[str], classes: Sequence[str], truth: GroundTruth
) -> np.ndarray:
    """Read the level of each object from a CSV file, or from the annotations of Hoiem et al. 2012.

    The CSV file has the header ``image,class,x1,y1,x2,y2,level`` and one line per annotated object: image id (with or
    without folder and suffix), class name, box in pixels, and the level as ``none``, ``low``, ``medium``, ``high`` or 0
    to 3. Lines of other images and classes are skipped; objects without a line get no level.

    A folder is read as the published ``annotations`` folder, with a text file ``gt_fel_<class>.txt`` or
    ``gt_ved_<class>.txt`` per annotated class of VOC 2007 test: a header, then one line per object that is not
    difficult, by image id and order in the XML file; third column = level 0 to 3, column before the last = area in
    pixels, which is compared with the object's. A ``.mat`` file is read as the one that their software saves
    (:func:`~mmdetpre.evaluation.errors.occlusion_mat.read_annotated_mat`).

    Args:
        path: The CSV file, the MATLAB file or the folder.
        names: Image ids of the run.
        classes: Class names of the run.
        truth: Its objects.

    Returns:
        (m,) int64 indices into ``LEVEL_NAMES``, -1 where nothing is annotated.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the format is another, or the annotations are not those of these objects.

    Example:
        >>> read_occlusion_levels("levels.csv", run.names, run.classes, run.truth)  # doctest: +SKIP
        array([0, 3, -1])
    """
    path = Path(path)
    if path.is_dir():
        levels = _read_folder(path, names, classes, truth)
    elif path.suffix == ".mat" and path.is_file():
        levels = _assign(read_annotated_mat(path), names, classes, truth)
    elif path.is_file():
        levels = _assign(_read_csv(path), names, classes, truth)
    else:
        raise FileNotFoundError(
            f"There is no occlusion file {path}. Give a CSV file with the header {','.join(COLUMNS)}, the .mat file"
            " or the folder of gt_fel_<class>.txt files of Hoiem et al., or one of the words auto, flags and covered."
        )
    if not (levels >= 0).any():
        raise ValueError(
            f"{path} annotates none of the {len(truth)} objects: its images ({_first(names)} is one of the run) or"
            " classes are others. Is it the file of this data set?"
        )
    return levels


def _assign(
    annotated: Iterable[AnnotatedObject], names: Sequence[str], classes: Sequence[str], truth: GroundTruth
) -> np.ndarray:
    """Levels of the objects of the run: those of its images, classes and boxes."""
    levels = np.full(len(truth), -1, np.int64)
    image_of = {key: i for i, name in enumerate(names) for key in (Path(name).stem, name)}
    label_of = {name: i for i, name in enumerate(classes)}
    for item in annotated:
        image = image_of.get(item.image, image_of.get(Path(item.image).stem))
        label = label_of.get(item.label)
        if image is None or label is None:
            continue
        start, stop = np.searchsorted(truth.image, [image, image + 1])
        distance = np.abs(truth.boxes[start:stop] - item.box).max(axis=1, initial=0)
        distance[truth.labels[start:stop] != label] = np.inf
        if not len(distance) or distance.min() > TOLERANCE:
            raise ValueError(
                f"{item.where}: image {names[image]} has no {item.label} at {item.box.tolist()} (up to {TOLERANCE}"
                " pixels). Is it the file of this data set?"
            )
        levels[start + int(distance.argmin())] = item.level
    return levels


def _read_csv(path: Path) -> Iterator[AnnotatedObject]:
    with io.StringIO(read_text(path), newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path} has no column '{missing[0]}': expected the header {','.join(COLUMNS)}.")
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            level = _level(row["level"], where)
            box = _numbers([row[name] for name in COLUMNS[2:6]], where)
            yield AnnotatedObject(where, row["image"] or "", row["class"] or "", box, level)


def _read_folder(path: Path, names: Sequence[str], classes: Sequence[str], truth: GroundTruth) -> np.ndarray:
    levels = np.full(len(truth), -1, np.int64)
    place = np.empty(len(names), np.int64)
    place[sorted(range(len(names)), key=lambda i: Path(names[i]).stem)] = np.arange(len(names))
    order = np.argsort(place[truth.image], kind="stable")
    counted = order[np.asarray(truth.difficult)[order] != 1]
    named = [(label, [path / f"{kind}_{name}.txt" for kind in FILES]) for label, name in enumerate(classes)]
    files = [(label, next((file for file in kinds if file.is_file()), None)) for label, kinds in named]
    if not any(file for _, file in files):
        raise ValueError(
            f"{path} holds no gt_fel_<class>.txt of the classes of the run, such as gt_fel_{classes[0]}.txt."
        )
    for label, file in files:
        if file is None:  # a class that nobody annotated
            continue
        rows = counted[truth.labels[counted] == label]
        lines = [line.split() for line in read_text(file).splitlines()[1:] if line.strip()]
        if len(lines) != len(rows):
            raise ValueError(
                f"{file} has {len(lines)} objects, the run {len(rows)} of class {classes[label]} that are not"
                " difficult. These annotations are for the whole VOC 2007 test set: test on that."
            )
        for number, (row, line) in enumerate(zip(rows.tolist(), lines, strict=True), 2):
            where = f"{file}, line {number}"
            if len(line) < 5:
                raise ValueError(f"{where} has {len(line)} columns: expected det conf occ ... size ratio.")
            area = _numbers(line[-2:-1], where)[0]
            width, height = (truth.boxes[row, 2:] - truth.boxes[row, :2]).tolist()
            if not any(abs((width + pixel) * (height + pixel) - area) < 1 for pixel in (-1, 0, 1)):
                raise ValueError(
                    f"{where}: an object of {area:g} pixels, but the run has one of {width:g} x {height:g} here (image"
                    f" {names[truth.image[row]]}). These annotations are for the whole VOC 2007 test set: test on that."
                )
            levels[row] = _level(line[2], where)
    return levels


def _level(text: str | None, where: str) -> int:
    text = (text or "").strip().lower()
    if text in LEVEL_NAMES:
        return LEVEL_NAMES.index(text)
    if text in ("0", "1", "2", "3"):
        return int(text)
    raise ValueError(f"{where}: the level is '{text}'. Expected one of {', '.join(LEVEL_NAMES)}, or 0 to 3.")


def _numbers(texts: Sequence[str | None], where: str) -> np.ndarray:
    try:
        numbers = np.array([float(text or "") for text in texts])
    except ValueError:
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where}: expected numbers, found {', '.join(repr(text) for text in texts)}.")
    return numbers


def _first(names: Sequence[str]) -> str:
    return names[0] if names else "none"
