"""The kinds of runs of a study: who makes them, and where their numbers belong. A new kind is a row of `KINDS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

PRETRAINING, PRETRAINING_TEST, PROPOSALS, FIGURE_RUNS = "pretraining", "pretraining_test", "proposals", "figures"
"""First part of the names of runs that belong to no task, and their kinds; the kind of a figure is `FIGURE`."""
FIGURE = "figure"
COCO_TABLE = "coco_finetuning"
"""Table of the report for COCO after OpenImages (section 4.1 of the paper)."""


@dataclass(frozen=True)
class Kind:
    """A kind of run. Tasks are of those that have a ``title``.

    Attributes:
        work: What makes such a run, a function ``module:name`` of `mmdetpre.study.runs` that takes the job.
        rule: Its rule in the workflow.
        priority: Runs of a higher one are made first.
        gpus: GPUs that it takes; None: those of the study's launcher.
        title: What the report calls a task of this kind.
        toolbox: OpenMMLab's toolbox that trains it; None: frozen features are probed.
        of_detector: Whether a probe is of the whole detector that an initialization comes from.
        takes: Settings of a task that only such tasks have.
        table: Table of the report.
        quantity: What is compared, after "more"; empty: the title of the table's column.
        cells: What reads the numbers of its test, a function ``module:name`` as above.
        maps: Whether its test stores label maps, which a figure shows and resamples are made of.
        labels: Whether its test stores the label of each image, which resamples are made of.
        evaluator: Evaluator in the ``test_evaluator`` that its numbers are made from; None: any.
        other_metrics: Task -> table for tasks measured in another way, which their ``table`` is of if they are not
            named here; None: the evaluator is a must.
        paper_task: Task whose numbers stand in the paper's table. Others get a table of the same form, called
            ``form``; None: each task has a column of the table.
        form: See ``paper_task``.
    """

    work: str
    rule: str
    priority: int = 0
    gpus: int | None = None
    title: str = ""
    toolbox: str | None = None
    of_detector: bool = False
    takes: tuple[str, ...] = ()
    table: str = ""
    quantity: str = ""
    cells: str = ""
    maps: bool = False
    labels: bool = False
    evaluator: str | None = None
    other_metrics: Mapping[str, str] | None = field(default=None, hash=False)
    paper_task: str | None = None
    form: str = ""

    @property
    def data_key(self) -> str:
        """Setting of a task that names its data."""
        return "config" if self.toolbox else "data_config"


KINDS: dict[str, Kind] = {
    PRETRAINING: Kind("train:pretrain", PRETRAINING, priority=50),
    PRETRAINING_TEST: Kind("train:score_pretraining", PRETRAINING_TEST),
    PROPOSALS: Kind("proposals:make_proposals", PROPOSALS, priority=50),
    "detection": Kind(
        "train:train_and_test", "transfer", title="detection", toolbox="mmdet", takes=("occlusion", "proposals"),
        table="2", cells="cells:detection_cells", evaluator="mmdetpre.VOCIoUMetric",
        other_metrics={"coco_detection": COCO_TABLE}, paper_task="voc_detection", form="detection, mAP in %",
    ),
    "segmentation": Kind(
        "train:train_and_test", "transfer", title="segmentation", toolbox="mmsegmentation",
        table="4", cells="cells:segmentation_cells", evaluator="mmdetpre.TrimapIoUMetric", maps=True,
        paper_task="voc_segmentation", form="segmentation, mIoU in %",
    ),
    "classification": Kind(
        "train:train_and_test", "transfer", title="classification, fine-tuned", toolbox="mmpretrain",
        table="5", cells="cells:classification_cells", quantity="accuracy after fine-tuning", labels=True,
    ),
    "linear": Kind(
        "probe:probe", "probe", gpus=1, title="linear classifier on frozen features",
        table="6", quantity="accuracy of a linear classifier",
    ),
    "layers": Kind("probe:probe", "probe", gpus=1, title="layers of the detector", of_detector=True, table="7"),
    FIGURE: Kind("figure:draw_figure", FIGURE, gpus=0),
}  # fmt: skip
"""Kind -> how its runs are made and shown."""


def task_kinds() -> dict[str, Kind]:
    """The kinds that a task can have."""
    return {key: kind for key, kind in KINDS.items() if kind.title}


def toolboxes() -> tuple[str, ...]:
    """Toolboxes that train something."""
    return tuple(dict.fromkeys(kind.toolbox for kind in KINDS.values() if kind.toolbox))


def rules(gpus: int) -> dict[str, dict[str, list[str] | int]]:
    """Rules of the workflow: name -> the ``kinds`` of their runs, ``gpus``, of a training so many, and ``priority``."""
    kinds: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        kinds.setdefault(kind.rule, []).append(name)
    first = {rule: KINDS[names[0]] for rule, names in kinds.items()}
    return {
        rule: {"kinds": kinds[rule], "gpus": gpus if kind.gpus is None else kind.gpus, "priority": kind.priority}
        for rule, kind in first.items()
    }


def function(name: str) -> Callable[..., Any]:
    """The function ``module:name`` of `mmdetpre.study.runs`, imported when it is needed."""
    return resolve_name(f"mmdetpre.study.runs.{name}")
