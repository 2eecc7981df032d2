"""The errors of several runs on the same images, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmdetpre.evaluation.detections.align import align_runs
from mmdetpre.evaluation.detections.detections import Detections
from mmdetpre.evaluation.detections.ground_truth import GroundTruth
from mmdetpre.evaluation.errors.class_groups import Groups, similar_classes
from mmdetpre.evaluation.errors.false_positives import count_types, error_types
from mmdetpre.evaluation.errors.matching import match_detections
from mmdetpre.evaluation.errors.missed import LevelErrors, detections_in_use, missed_by_level
from mmdetpre.evaluation.errors.normalized_ap import normal_objects
from mmdetpre.evaluation.errors.occlusion import (
    FLAG_NAMES,
    LEVEL_NAMES,
    covered_fractions,
    hidden_from,
    levels_from_cover,
)
from mmdetpre.evaluation.errors.occlusion_file import read_occlusion_levels
from mmdetpre.evaluation.errors.pairs import overlapping_pairs
from mmdetpre.evaluation.errors.report import (
    ALL,
    ANNOTATED,
    ASPECT,
    COVERED,
    FLAGS,
    HIDDEN,
    OCCLUSION,
    SIZE,
    ErrorReport,
    ErrorSettings,
    RunErrors,
)
from mmdetpre.evaluation.errors.size_bins import ASPECT_NAMES, SIZE_NAMES, aspect_bins, size_bins


def detection_errors(
    runs: Mapping[str, Detections],
    *,
    occlusion: str = "auto",
    groups: Groups | None = None,
    settings: ErrorSettings | None = None,
) -> ErrorReport:
    """Analyse runs on the same images (paper, section 4.1 and Table 3).

    Crowd and group-of boxes (ignored, and not known to be difficult) are regions: detections of their class by at least
    half inside count neither way. Difficult objects excuse what overlaps them as much as finding them would need.

    Args:
        runs: Name -> detections with ground truth.
        occlusion: ``flags`` (the data set's occluded flag, two levels), ``covered`` (share of a box that other boxes
            cover), the path of a file or folder (see
            :func:`~mmdetpre.evaluation.errors.occlusion_file.read_occlusion_levels`), or ``auto``: flags where any
            object is
            flagged, otherwise covered.
        groups: Super-classes; classes of one group are similar.
        settings: Thresholds.

    Raises:
        FileNotFoundError: If there is no such occlusion file.
        ValueError: If the runs cannot be compared, nothing is annotated, or the occlusion does not fit the data.

    Example:
        >>> run = Detections.load("work_dirs/a/detections.npz")
        >>> report = detection_errors({"ImageNet": run, "OpenImages": run})
        >>> [errors.name for errors in report.runs], report.images
        (['ImageNet', 'OpenImages'], 1)
    """
    settings, groups = settings or ErrorSettings(), groups or {}
    aligned = {name: run.half_open() for name, run in align_runs(runs).items()}
    first = next(iter(aligned.values()))
    truth = first.ground_truth()
    ignored = truth.not_counted
    if ignored.all():
        raise ValueError(
            f"None of the {len(truth)} annotated objects counts: nothing can be missed. Test a data set with"
            " annotations."
        )
    levels, names, kind, source = occlusion_levels(truth, occlusion, first.names, first.classes)
    properties: dict[str, tuple[np.ndarray, Sequence[str]]] = {
        ALL: (np.zeros(len(truth), np.int64), ("all objects",)),
        OCCLUSION: (levels, names),
        SIZE: (size_bins(truth.boxes, truth.labels, ~ignored), SIZE_NAMES),
        ASPECT: (aspect_bins(truth.boxes, truth.labels, ~ignored), ASPECT_NAMES),
    }
    properties = {key: (np.where(ignored, -1, level), name) for key, (level, name) in properties.items()}
    hidden = {}
    if kind == ANNOTATED:
        hidden = {name: rows & ~ignored for name, rows in hidden_from(levels, np.asarray(truth.truncated)).items()}
    objects = np.bincount(truth.labels[~ignored], minlength=len(first.classes))
    similar = similar_classes(groups, first.classes)
    normal = normal_objects(objects, len(first.names), settings.objects_per_image)
    return ErrorReport(
        runs=tuple(
            _run_errors(name, run, truth, ignored, properties, hidden, normal, objects, similar, settings)
            for name, run in aligned.items()
        ),
        classes=first.classes,
        objects=objects,
        images=len(first.names),
        occlusion=source,
        occlusion_kind=kind,
        normal_objects=normal,
        groups=groups,
        settings=settings,
    )


def occlusion_levels(
    truth: GroundTruth, choice: str, names: Sequence[str], classes: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...], str, str]:
    """Level of each object (-1 for none), the names of the levels, and where they come from: its kind, and in words.

    Args:
        truth: The objects.
        choice: See ``occlusion`` of :func:`detection_errors`.
        names: Image ids of the run.
        classes: Class names of the run.

    Raises:
        FileNotFoundError: If the choice is not a known word and no file.
        ValueError: If the flags are asked for and no object is flagged, or the file does not fit.
    """
    flags = np.asarray(truth.occluded, np.int64)
    flagged = bool((flags == 1).any())
    if choice == "flags" or (choice == "auto" and flagged):
        if not flagged:
            raise ValueError(
                "No object is flagged as occluded: these annotations do not carry the flag (VOC 2007 does not). Use"
                " --occlusion covered."
            )
        return flags, FLAG_NAMES, FLAGS, "flag of the annotations"
    if choice in ("auto", "covered"):
        levels = levels_from_cover(covered_fractions(truth.image, truth.boxes))
        source = "share of the box that other boxes cover (none < 1 %, low < 10 %, medium < 50 %, high)"
        return levels, LEVEL_NAMES, COVERED, source
    levels = read_occlusion_levels(choice, names, classes, truth)
    return levels, LEVEL_NAMES, ANNOTATED, f"{Path(choice).name} ({int((levels >= 0).sum()):,} objects annotated)"


def _run_errors(
    name: str,
    run: Detections,
    truth: GroundTruth,
    ignored: np.ndarray,
    properties: Mapping[str, tuple[np.ndarray, Sequence[str]]],
    hidden: Mapping[str, np.ndarray],
    normal: float,
    objects: np.ndarray,
    similar: np.ndarray,
    settings: ErrorSettings,
) -> RunErrors:
    regions = truth.regions
    pairs = overlapping_pairs(
        run.image, run.boxes, truth.image, truth.boxes, object_region=regions, min_iou=settings.min_iou
    )
    found = match_detections(
        pairs, run.labels, run.scores, truth.labels, ignored, object_region=regions, iou_thr=settings.iou_thr
    )
    used = detections_in_use(
        found, run.labels, run.scores, objects,
        normal_objects=normal, score_thr=settings.score_thr, min_precision=settings.min_precision,
    )  # fmt: skip
    types = error_types(pairs, found.outcome, run.labels, truth.labels, similar, min_iou=settings.min_iou)

    def by_level(levels: np.ndarray, names: Sequence[str]) -> tuple[LevelErrors, ...]:
        return missed_by_level(found, used, run.labels, run.scores, truth.labels, levels, names, normal_objects=normal)

    by_property = {key: by_level(levels, names) for key, (levels, names) in properties.items()}
    if hidden:  # these overlap: each level is a question of its own
        by_property[HIDDEN] = tuple(by_level(np.where(rows, 0, -1), [key])[0] for key, rows in hidden.items())
    return RunErrors(name, by_property, count_types(types, run.labels, run.scores, objects), int(used.sum()))
