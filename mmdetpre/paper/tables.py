"""Tables 2 to 7 of the paper as they are printed: titles, rows, columns, and the paper's figures.

The figures are those of :mod:`~mmdetpre.paper.values`. A JSON file of the form
``{"7": {"fc1": {"caltech256": 80.1}}}``, percent by table, row and column, replaces some or adds others
(:func:`with_figures`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmdetpre.paper.values import TEXT_VALUES, VALUES
from mmdetpre.utils import bounded_files

INITS = {
    "imagenet_cls": "ImageNet-CLS",
    "imagenet_loc": "ImageNet-LOC",
    "coco": "COCO",
    "openimages": "OpenImagesV4",
}
DETECTION = {"ap50": "mAP at IoU 0.5", "ap70": "mAP at IoU 0.7"}
MISSED = {"low": "low occlusion, missed", "medium": "medium occlusion, missed"}
AVERAGE_PRECISION = {"map": "AP", "ap50": "AP at IoU 0.5", "ap75": "AP at IoU 0.75"}
OWN_SCORES = {"test_ap50": "mAP at IoU 0.5, multi-scale test", "test_map": "COCO mAP, multi-scale test"}
SEGMENTATION = {"miou": "mIoU", "trimap": "mIoU in the trimap", "anti_trimap": "mIoU outside the trimap"}
DATA = {"caltech256": "Caltech-256", "sun397": "SUN-397", "flowers102": "Flowers-102"}
LAYERS = {
    "conv5_pooled": "Conv5 (pooled)",
    "conv_proj": "ConvProj blob",
    "conv_proj_4x4": "ConvProj 4x4",
    "conv_proj_2x2": "ConvProj 2x2",
    "conv_proj_pooled": "ConvProj (pooled)",
    "fc1": "FC1",
    "fc2": "FC2",
}


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper.

    Args:
        title: Its subject.
        rows, columns: Key -> name, in order; also those that only our own tables have.
        figures: Row key -> column key -> percent; what is missing is not in the paper.
        lower_is_better: Of all its columns.
        note: What else the paper says.
    """

    title: str
    rows: Mapping[str, str]
    columns: Mapping[str, str]
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    lower_is_better: bool = False
    note: str = ""

    def in_paper(self, column: str) -> bool:
        """Whether the paper has a figure in this column."""
        return any(column in cells for cells in self.figures.values())


BASELINES = {"dcn_v1": "DCNv1 (quoted baseline)", "dcn_v2": "DCNv2 (quoted baseline)"}
"""Rows of Tables 2 and 4 that the paper quotes, with ImageNet pre-training; no initialization fills them."""

TABLES = {
    "2": PaperTable("Detection on PASCAL VOC, mAP in %", BASELINES | INITS, DETECTION, VALUES["2"]),
    "3": PaperTable(
        "Objects that the detectors miss, by annotated level of occlusion, share in %",
        INITS,
        MISSED,
        VALUES["3"],
        lower_is_better=True,
        note="Levels of occlusion are those that Hoiem et al. (2012) annotated for VOC 2007 test; `occlusion` of a task"
        " in the file of a study names them.",
    ),
    "4": PaperTable(
        "Segmentation of PASCAL VOC, mIoU in %",
        BASELINES | INITS,
        SEGMENTATION,
        VALUES["4"],
        note=f"IoU per class in the paper, detection over classification pre-training:"
        f" {TEXT_VALUES['class_gains'].value}.",
    ),
    "5": PaperTable("Classification, fine-tuned, accuracy in %", INITS, DATA, VALUES["5"]),
    "6": PaperTable(
        "Classification on frozen Conv5, accuracy in %",
        INITS,
        DATA,
        VALUES["6"],
        note="The paper's text says of Caltech-256: ImageNet-LOC equals OpenImages, COCO is a further 2 % lower.",
    ),
    "7": PaperTable(
        "Classification on layers of the detector, accuracy in %",
        LAYERS,
        DATA,
        VALUES["7"],
        note="The paper's figures are of a linear classifier on its OpenImages detector.",
    ),
    "coco_finetuning": PaperTable(
        "Fine-tuning on COCO, AP in %",
        INITS,
        AVERAGE_PRECISION,
        VALUES["coco_finetuning"],
        note="The paper prints ImageNet-CLS and the gains of OpenImages, +0.7 at IoU 0.5 and +1.4 at 0.75.",
    ),
    "pretraining": PaperTable(
        "Scores of the pre-training runs on their own data, in %",
        INITS,
        OWN_SCORES,
        VALUES["pretraining"],
        note="The paper: OpenImages on the validation set at 2 scales, COCO on test-dev at 3 scales, ImageNet-LOC on"
        " ImageNet-DET at one scale.",
    ),
}


def with_figures(path: str | Path, tables: Mapping[str, PaperTable] = TABLES) -> dict[str, PaperTable]:
    """The tables with the figures of a JSON file in place of those they have, or beside them: percent by table, row and
    column; null changes nothing.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another form, or names a table, row or column that there is not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} with figures of the paper.")
    try:
        content = bounded_files.read_json(path)
        found = [(t, r, c, v) for t, rows in content.items() for r, cells in rows.items() for c, v in cells.items()]
    except (AttributeError, ValueError) as error:
        raise ValueError(
            f'{path} is not of the form {{"7": {{"fc1": {{"caltech256": 80.1}}}}}}: percent by table, row and column'
            f" ({error})."
        ) from error
    figures = {key: {row: dict(cells) for row, cells in table.figures.items()} for key, table in tables.items()}
    for table, row, column, value in found:
        if table not in tables:
            raise ValueError(f"{path} names table {table}: there is {', '.join(tables)}.")
        if table == "3" and column in ("visible", "occluded"):
            raise ValueError(
                f"{path} names column '{column}' of table 3: the paper's are low and medium, levels that people"
                " annotated. Rename the column, or remove it if its figure is of flags or of overlapping boxes."
            )
        for kind, name, known in (("row", row, tables[table].rows), ("column", column, tables[table].columns)):
            if name not in known:
                raise ValueError(f"{path} names {kind} '{name}' of table {table}: there is {', '.join(known)}.")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
            raise ValueError(f"{path} has {value!r} in table {table}, {row}, {column}: give percent, from 0 to 100.")
        figures[table].setdefault(row, {})[column] = float(value)
    return {key: replace(table, figures=figures[key]) for key, table in tables.items()}


def key_of(name: str, known: Mapping[str, str]) -> str:
    """The key of a row or column that is called by its key or name, in any spelling; else the name itself.

    Example:
        >>> key_of("Caltech 256", DATA), key_of("openimages", INITS), key_of("own", DATA)
        ('caltech256', 'openimages', 'own')
    """

    def plain(text: str) -> str:
        return re.sub(r"[^a-z0-9]", "", text.lower())

    return next((key for key, title in known.items() if plain(name) in (plain(key), plain(title))), name)
