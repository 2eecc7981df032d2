"""The runs of a study: what each does, with which config, and what it needs before.

A plan is written into the study's folder as one job file per run, a resolved config per training, and ``study.json``.
A file is written only where its content changes, so that its time tells the workflow which runs a changed study file
or config concerns.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetpre.study.layout import config_path, holds, job_path, work_dir, write_if_changed
from mmdetpre.study.proposals_config import EVALUATOR, FOLDER, proposals_config
from mmdetpre.study.records import PLAN_FORMAT
from mmdetpre.study.spec import FIGURES_OF_TWO, SCRATCH, TRAINED, ProposalNetwork, Start, Study, Task, of_start
from mmdetpre.transfer.backbone_init import KEY, OLD_KEY, TABLE, chosen_init
from mmdetpre.utils.config_writer import resolved_text, write_config
from mmdetpre.utils.own_files import require_inside

PRETRAINING, PROPOSALS, FIGURES = "pretraining", "proposals", "figures"
TABLE_OF_KIND = {"detection": "2", "segmentation": "4", "classification": "5", "linear": "6", "layers": "7"}
PAPER_TASKS = ("voc_detection", "voc_segmentation")
"""Keys of the tasks of Tables 2 to 4; others of these kinds get tables of their own, of the same form."""
_ABOVE = "Written by the study: the config of its run {run}, with all bases and options resolved."
COCO_FINETUNING = {"coco_detection": "coco_finetuning"}
"""Key of the task, and table of the report, for COCO after OpenImages (section 4.1 of the paper)."""
_EVALUATORS = {"detection": "mmdetpre.VOCIoUMetric", "segmentation": "mmdetpre.TrimapIoUMetric"}


@dataclass
class PlannedRun:
    """One run of a study.

    Attributes:
        id: Such as ``voc_detection/coco/seed0``.
        task: Key of the task, ``pretraining``, ``proposals`` or ``figures``.
        kind: Kind of the task, ``pretraining``, ``pretraining_test``, ``proposals`` or ``figure``.
        start, seed: If it has one.
        needs: Ids of runs that come first.
        settings: What the run has to know, as JSON can hold it.
        config: Values of the resolved config that is trained, or None.
    """

    id: str
    task: str
    kind: str
    start: str | None = None
    seed: int | None = None
    needs: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None


def make_plan(study: Study) -> dict[str, PlannedRun]:
    """All runs of a study, by id, each after those that it needs.

    Raises:
        FileNotFoundError: If a config is not there.
        ValueError: If a config has not the evaluator that the tables are made from, or a task no start.
    """
    runs = [run for start in study.starts.values() if start.pretrained_here for run in _pretraining(study, start)]
    for task in study.tasks.values():
        of_task = _runs_of_task(study, task)
        if not of_task:
            raise ValueError(f"{study.path}: task {task.key} has no run: give it a start that it can be trained from.")
        runs += of_task
    plan = {run.id: run for run in runs}
    _share_trainings(plan)
    for run in _figures(study, plan):
        plan[run.id] = run
    return plan


def write_plan(study: Study, plan: Mapping[str, PlannedRun]) -> None:
    """Write job files, configs and ``study.json`` into the study's folder, where they are new or changed."""
    for run in plan.values():
        for path in (job_path(study.out, run.id), config_path(study.out, run.id)):
            require_inside(path, study.out)
        if run.config is not None:
            text = resolved_text(run.config, _ABOVE.format(run=run.id))
            if not holds(path := config_path(study.out, run.id), text):
                write_config(path, text, run.config)
            run.settings["config_digest"] = hashlib.sha256(text.encode()).hexdigest()
        content = {key: value for key, value in asdict(run).items() if key != "config"}
        write_if_changed(job_path(study.out, run.id), json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    titles = {key: {"title": start.title} for key, start in study.starts.items()}
    for key, start in study.starts.items():
        if start.pretrained_here:
            titles[key]["run"] = f"{PRETRAINING}/{key}"
        elif start.checkpoint:
            titles[key]["checkpoint"] = start.checkpoint
    content = {
        "format": PLAN_FORMAT,
        "file": str(study.path),
        "name": study.name,
        "title": study.title,
        "seeds": list(study.seeds),
        "reference": study.reference,
        "threads": study.threads,
        "gpus": study.gpus,
        "launch": _launch(study),
        "starts": titles,
        "tasks": {
            key: {
                "kind": task.kind,
                "title": task.title,
                "data": key,
                "table": next(
                    (run.settings["table"] for run in plan.values() if run.task == key and "table" in run.settings),
                    TABLE_OF_KIND[task.kind],
                ),
                "column": column_of(task),
            }
            | ({"occlusion": task.occlusion} if task.occlusion else {})
            for key, task in study.tasks.items()
        },
        "runs": {
            run.id: {"task": run.task, "kind": run.kind, "start": run.start, "seed": run.seed, "needs": run.needs}
            for run in plan.values()
        },
    }
    write_if_changed(study.out / "study.json", json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def column_of(task: Task) -> str:
    """Column of a task in Tables 5 to 7."""
    return task.column or task.key


def _pretraining(study: Study, start: Start) -> list[PlannedRun]:
    """Proposals, where negative chips are wanted, the training, and for a detector its test at all scales."""
    name = f"{PRETRAINING}/{start.key}"
    path = study.find(str(start.config))
    cfg = _load(path)
    cfg = _changed(cfg, start.options, path)
    _initialize(cfg, path)
    cfg["randomness"] = dict(cfg.get("randomness") or {}, seed=study.seeds[0])
    settings: dict[str, Any] = {"toolbox": start.toolbox, "source": str(start.config), "options": dict(start.options)}
    run = PlannedRun(name, PRETRAINING, PRETRAINING, start.key, study.seeds[0], [], settings)
    runs = _proposals(study, start.proposals, run, cfg, f"{PROPOSALS}/{name}", study.seeds[0])
    run.config = cfg
    runs.append(run)
    if start.toolbox == "mmdet" and _measures(cfg):
        test = {"toolbox": "mmdet", "source": str(start.config), "tta": bool(cfg.get("tta_model")), "tested": name}
        key = "pretraining_test"
        runs.append(PlannedRun(f"{key}/{start.key}", PRETRAINING, key, start.key, study.seeds[0], [name], test))
    return runs


def _share_trainings(plan: dict[str, PlannedRun]) -> None:
    """Let transfers that are a pre-training in every value test its checkpoint: nothing is trained twice."""
    pretrained = {run.id: _trained(plan, run) for run in plan.values() if run.kind == PRETRAINING}
    for run in [run for run in plan.values() if run.kind in TRAINED]:
        trained = _trained(plan, run)
        same = next((name for name, values in pretrained.items() if values == trained), None)
        if same is not None:
            made = run.settings.pop("proposals", None)
            run.settings["tested"], run.needs, run.config = same, [same], None
            if made and not any(made in other.needs for other in plan.values()):
                del plan[made]


def _trained(plan: Mapping[str, PlannedRun], run: PlannedRun) -> list[dict[str, Any]]:
    """Configs of a run and of its proposals, without the folder that those are kept in."""
    configs = [copy.deepcopy(dict(run.config or {}))]
    if (made := run.settings.get("proposals")) is not None:
        configs.append(copy.deepcopy(dict(plan[made].config or {})))
        del configs[0]["train_dataloader"]["dataset"]["proposals"], configs[1]["test_evaluator"]["out_dir"]
    return configs


def _measures(cfg: Mapping[str, Any]) -> bool:
    """Whether the test of a config gives numbers."""
    if not cfg.get("test_dataloader"):
        return False
    return any(e.get("type") != EVALUATOR and not e.get("format_only") for e in _evaluators(cfg))


def _proposals(
    study: Study, network: ProposalNetwork | None, run: PlannedRun, cfg: dict[str, Any], name: str, seed: int
) -> list[PlannedRun]:
    """The run that makes the proposals of a detector, which is told to wait for it and to mine with them."""
    if network is None:
        return []
    path = study.find(network.config)
    trained = _changed(_load(path), network.options, path)
    folder = str(work_dir(study.out, name) / FOLDER)
    try:
        trained = proposals_config(trained, cfg, folder)
    except ValueError as error:
        raise ValueError(f"{path} cannot make the proposals of {run.id}: {error}.") from error
    if cfg["train_dataloader"]["dataset"].get("proposals"):
        raise ValueError(f"{study.path}: {run.id} has proposals from the study and from its config: leave one out.")
    trained["randomness"] = dict(trained.get("randomness") or {}, seed=seed)
    settings = {"toolbox": "mmdet", "source": network.config, "options": dict(network.options)}
    made = PlannedRun(name, PROPOSALS, PROPOSALS, run.start, seed, list(run.needs), settings, trained)
    cfg["train_dataloader"]["dataset"]["proposals"] = folder
    run.settings["proposals"] = name
    run.needs.append(name)
    return [made]


def _runs_of_task(study: Study, task: Task) -> list[PlannedRun]:
    runs = []
    for key in task.starts or study.starts:
        start = study.starts[key]
        if task.kind in TRAINED:
            source = task.scratch_config if key == SCRATCH else task.config
            if source is not None:
                seeds = task.seeds or study.seeds
                runs += [run for seed in seeds for run in _training(study, task, start, source, seed, seeds[0])]
        elif key != SCRATCH and (task.kind == "linear" or start.config is not None):
            runs.append(_probe(study, task, start))
    return runs


def _training(study: Study, task: Task, start: Start, source: str, seed: int, first_seed: int) -> list[PlannedRun]:
    """A transfer, after the proposals of its negative chips where it has some."""
    name = f"{task.key}/{start.key}/seed{seed}"
    path = study.find(of_start(source, start.key))
    cfg = _changed(_load(path), task.options, path)
    cfg["randomness"] = dict(cfg.get("randomness") or {}, seed=seed)
    _initialize(cfg, path, start.key, None if start.key == SCRATCH else backbone_of(study, start))
    own = _own_evaluator(cfg, task.kind, path)
    if own is not None:
        results = str(work_dir(study.out, name) / "test" / "results")
        own.update(outfile_prefix=results, overwrite=True)
    settings: dict[str, Any] = {
        "toolbox": TRAINED[task.kind],
        "source": of_start(source, start.key),
        "options": dict(task.options),
        "tta": task.tta,
        "column": column_of(task),
        "own_table": task.kind in _EVALUATORS and task.key not in PAPER_TASKS,
    }
    if task.occlusion:
        settings["occlusion"] = str(study.occlusion_of(task))
    if own is None and task.kind == "detection":  # another metric: what it gives are the columns
        table = COCO_FINETUNING.get(task.key)
        settings |= {"table": table or TABLE_OF_KIND[task.kind], "own_table": table is None}
        if task.occlusion:
            raise ValueError(
                f"{study.path}: task {task.key} has occlusion, which needs the detections that"
                f" {_EVALUATORS[task.kind]} writes: set it as test_evaluator of {path.name}, or remove occlusion."
            )
    run = PlannedRun(name, task.key, task.kind, start.key, seed, _needs(start), settings)
    shared = task.proposals is not None and task.proposals.per == "start"
    made_by = f"{PROPOSALS}/{task.key}/{start.key}" if shared else f"{PROPOSALS}/{name}"
    runs = _proposals(study, task.proposals, run, cfg, made_by, first_seed if shared else seed)
    run.config = cfg
    return [*runs, run]


def _initialize(cfg: dict[str, Any], path: Path, key: str | None = None, checkpoint: str | None = None) -> None:
    """Resolve the initialization of a config; for a start: what the config sets for its key, and the file."""
    entry = (cfg.get(TABLE) or {}).get(key)
    if isinstance(entry, str):
        raise ValueError(f"{path} is not for {key}: {entry}.")
    settings = dict((entry if entry is not None else chosen_init(cfg)) or {})
    cfg.pop(OLD_KEY, None)
    cfg.pop(TABLE, None)
    if key is not None:
        settings |= {"checkpoint": checkpoint, "name": key}
    if settings.get("checkpoint") is None:
        settings.pop("name", None)
    if settings:
        cfg[KEY] = settings


def _probe(study: Study, task: Task, start: Start) -> PlannedRun:
    settings = {
        "data_config": str(study.find(str(task.data_config))),
        "backbone": backbone_of(study, start),
        "model_config": _model_config(study, start),
        "checkpoint": start.checkpoint,
        "pretraining": f"{PRETRAINING}/{start.key}" if start.pretrained_here else None,
        "column": column_of(task),
        "layers": list(task.layers) if task.layers else None,
        "crop": task.crop,
        "resize_edge": task.resize_edge,
        "options": dict(task.options),
    }
    return PlannedRun(f"{task.key}/{start.key}", task.key, task.kind, start.key, None, _needs(start), settings)


def _model_config(study: Study, start: Start) -> str | None:
    """Config of the model that a start's checkpoint is of."""
    if start.pretrained_here:
        return str(config_path(study.out, f"{PRETRAINING}/{start.key}"))
    return str(study.find(str(start.config))) if start.config else None


def _figures(study: Study, plan: Mapping[str, PlannedRun]) -> list[PlannedRun]:
    """The figures that the study's tasks give: of the first task of their kind, and of its first seed."""
    kinds = {1: "detection", 2: "detection", 3: "segmentation", 4: "segmentation"}
    runs = []
    for number in study.figures:
        task = _first(study, kinds.get(number, "linear"), plan)
        if task is None:
            continue
        seeds = study.tasks[task].seeds or study.seeds
        of_task = {run.start: run.id for run in plan.values() if run.task == task and run.seed in (None, seeds[0])}
        starts = list(of_task)
        if number in FIGURES_OF_TWO:
            starts = list(_pair(study, number, task, of_task))
        else:  # Figure 1 also shows differences: to the first
            starts.sort(key=lambda key: key != study.reference)
        if not starts:
            continue
        needs = [of_task[key] for key in starts if key is not None]
        settings: dict[str, Any] = {"number": number, "task": task, "title": study.tasks[task].title}
        settings["runs"] = {study.starts[str(key)].title: of_task[key] for key in starts}
        settings["backbones"] = {
            study.starts[str(key)].title: backbone_of(study, study.starts[str(key)]) for key in starts if key != SCRATCH
        }
        if number >= 5:  # of images whose features are stored
            settings["images"] = str(work_dir(study.out, needs[-1]) / "test")  # a run that this one waits for
            settings["data_config"] = str(study.find(str(study.tasks[task].data_config)))
            settings |= {"crop": study.tasks[task].crop, "resize_edge": study.tasks[task].resize_edge}
        runs.append(PlannedRun(f"{FIGURES}/{number}", FIGURES, "figure", None, None, needs, settings))
    return runs


def _pair(study: Study, number: int, task: str, runs: Collection[str | None]) -> tuple[str, ...]:
    """The two starts of a figure; none where the task has no runs of two."""
    wanted = study.pair_of(number)
    if number in study.pairs and not set(wanted) <= set(runs):
        without = next(start for start in wanted if start not in runs)
        raise ValueError(
            f"{study.path}: contrast: figure {number} is to show {wanted[0]} and {wanted[1]}, but the task {task} has"
            f" no run of {without}: name another start."
        )
    pairs = (wanted, (study.reference, study.contrast))
    return next((pair for pair in pairs if pair[0] != pair[1] and set(pair) <= set(runs)), ())


def backbone_of(study: Study, start: Start) -> str:
    """File that a start's weights come from."""
    if start.checkpoint is None:
        return str(work_dir(study.out, f"{PRETRAINING}/{start.key}") / "backbone_final.pth")
    beside = study.path.parent / start.checkpoint
    return str(beside) if beside.is_file() else start.checkpoint


def _launch(study: Study) -> list[str]:
    """Arguments of ``mim train`` and ``mim test``."""
    launcher = [] if study.launcher == "none" else ["--launcher", study.launcher, "--gpus", str(study.gpus)]
    return [*launcher, *study.mim_arguments]


def _needs(start: Start) -> list[str]:
    return [f"{PRETRAINING}/{start.key}"] if start.pretrained_here else []


def _first(study: Study, kind: str, plan: Mapping[str, PlannedRun]) -> str | None:
    """The first task of a kind, of the detectors the first whose detections are kept."""
    without = {run.task for run in plan.values() if "table" in run.settings}
    return next((key for key, task in study.tasks.items() if task.kind == kind and key not in without), None)


@cache
def _read(path: Path) -> Config:
    return Config.fromfile(path, import_custom_modules=False)


def _load(path: Path) -> dict[str, Any]:
    return dict(_read(path).to_dict())


def _changed(values: dict[str, Any], options: Mapping[str, Any], path: Path) -> dict[str, Any]:
    cfg = Config(values)
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"The options {dict(options)} do not fit {path}: {error}") from error
    return dict(cfg.to_dict())


def _evaluators(cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = cfg.get("test_evaluator") or []
    return list(given) if isinstance(given, list | tuple) else [given]


def _own_evaluator(cfg: Mapping[str, Any], kind: str, path: Path) -> dict[str, Any] | None:
    """The evaluator that writes what Tables 2 to 4 and the figures are made from; a detector may have another one.

    Raises:
        ValueError: If a segmentor has none, or a detector no evaluator at all.
    """
    wanted = _EVALUATORS.get(kind)
    if wanted is None:
        return None
    for evaluator in _evaluators(cfg):
        if evaluator.get("type") == wanted:
            return evaluator
    if kind != "detection" or not _measures(cfg):
        what = f"of type {wanted}" if kind != "detection" else f"that measures, such as {wanted} or CocoMetric"
        raise ValueError(f"{path} has no test_evaluator {what}, which the study's tables are made from: add one.")
    return None


def plan_table(plan: Mapping[str, PlannedRun]) -> str:
    """The runs in words, a line each."""
    width = max(map(len, plan), default=0)
    lines = []
    for run in plan.values():
        what = run.settings.get("source") or run.settings.get("data_config") or f"figure {run.settings.get('number')}"
        what = f"{Path(str(what)).name}, test" if "tested" in run.settings else what
        after = f"   after {', '.join(run.needs)}" if run.needs and run.kind != "figure" else ""
        lines.append(f"{run.id:{width}}  {Path(str(what)).name}{after}")
    return "\n".join([*lines, f"{len(plan)} runs"])
