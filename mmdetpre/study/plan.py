"""The runs of a study: what each does, with which config, and what it needs before.

A plan is written into the study's folder as one job file per run, a resolved config per training, and ``study.json``.
A file is written only where its content changes, so that its modification time shows the workflow which runs a changed
study file or config concerns.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdetpre.console.last_words import error_line
from mmdetpre.study.figures import FIGURES, GAINS, IMAGES
from mmdetpre.study.kinds import FIGURE, FIGURE_RUNS, KINDS, PRETRAINING, PRETRAINING_TEST, PROPOSALS, Kind
from mmdetpre.study.layout import config_path, holds, job_path, work_dir, write_json_if_changed
from mmdetpre.study.proposals_config import EVALUATOR, FOLDER, proposals_config
from mmdetpre.study.records import PLAN_FORMAT
from mmdetpre.study.spec import SCRATCH, Init, ProposalNetwork, Study, Task
from mmdetpre.transfer.backbone_init import KEY, OLD_KEY, TABLE, apply_changes, chosen_init
from mmdetpre.utils.config_writer import resolved_text, write_config
from mmdetpre.utils.own_files import require_inside

_ABOVE = "Written by the study: the config of its run {run}, with all bases and options resolved."


@dataclass
class PlannedRun:
    """One run of a study.

    Attributes:
        id: Such as ``voc_detection/coco/seed0``.
        task: Key of the task, ``pretraining``, ``proposals`` or ``figures``.
        kind: Its kind, of `mmdetpre.study.kinds.KINDS`.
        init, seed: If it has one.
        needs: Ids of runs that come first.
        settings: What the run has to know, as JSON can hold it.
        config: Values of the resolved config that is trained, or None.
    """

    id: str
    task: str
    kind: str
    init: str | None = None
    seed: int | None = None
    needs: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None


def make_plan(study: Study) -> dict[str, PlannedRun]:
    """All runs of a study, by id, each after those that it needs.

    Raises:
        ValueError: If a config does not have the evaluator that the tables are made from, or a task no initialization.
    """
    runs = [run for init in study.inits.values() if init.pretrained_here for run in _pretraining(study, init)]
    for task in study.tasks.values():
        of_task = _runs_of_task(study, task)
        if not of_task:
            raise ValueError(f"{study.path}: task {task.key} has no run: give it an init that it can be trained from.")
        runs += of_task
    plan = {run.id: run for run in runs}
    _share_trainings(plan)
    return plan | {run.id: run for run in _figures(study, plan)}


def write_plan(study: Study, plan: Mapping[str, PlannedRun]) -> None:
    """Write job files, configs and ``study.json`` into the study's folder, where they are new or changed.

    The key ``start`` of these files is what is called initialization everywhere else.
    """
    for run in plan.values():
        for path in (job_path(study.out, run.id), config_path(study.out, run.id)):
            require_inside(path, study.out)
        if run.config is not None:
            text = resolved_text(run.config, _ABOVE.format(run=run.id))
            if not holds(path := config_path(study.out, run.id), text):
                write_config(path, text, run.config)
            run.settings["config_digest"] = hashlib.sha256(text.encode()).hexdigest()
        write_json_if_changed(job_path(study.out, run.id), {"id": run.id, **_facts(run), "settings": run.settings})
    inits: dict[str, dict[str, str]] = {}
    for key, init in study.inits.items():
        inits[key] = {"title": init.title}
        if init.pretrained_here:
            inits[key]["run"] = f"{PRETRAINING}/{key}"
        elif init.checkpoint:
            inits[key]["checkpoint"] = init.checkpoint
    tables = {run.task: run.settings["table"] for run in plan.values() if "table" in run.settings}
    content = {
        "format": PLAN_FORMAT,
        "file": str(study.path),
        "name": study.name,
        "title": study.title,
        "seeds": list(study.seeds),
        "reference": study.reference,
        **({} if study.photos else {"photos": False}),
        **({"tracker": study.tracker} if study.tracker else {}),
        "threads": study.threads,
        "gpus": study.gpus,
        "launch": _launch(study),
        "starts": inits,
        "tasks": {
            key: {
                "kind": task.kind,
                "title": task.title,
                "data": key,
                "table": tables.get(key, KINDS[task.kind].table),
                "column": task.column,
            }
            | ({"occlusion": task.occlusion.written} if task.occlusion else {})
            | ({"fraction": task.fraction, "whole": task.whole} if task.whole else {})
            | ({"trainable": task.trainable} if task.trainable is not None else {})
            | ({"rows_of": task.rows_of} if task.rows_of else {})
            for key, task in study.tasks.items()
        },
        "runs": {run.id: _facts(run) for run in plan.values()},
    }
    write_json_if_changed(study.out / "study.json", content)


def _facts(run: PlannedRun) -> dict[str, Any]:
    return {"task": run.task, "kind": run.kind, "start": run.init, "seed": run.seed, "needs": run.needs}


def _pretraining(study: Study, init: Init) -> list[PlannedRun]:
    """Proposals, where negative chips are wanted, the training, and for a detector its test at all scales."""
    assert init.config is not None
    name, seed = f"{PRETRAINING}/{init.key}", study.seeds[0]
    cfg = _load(init.config.path, init.options)
    _initialize(cfg, init.config.path)
    cfg["randomness"] = dict(cfg.get("randomness") or {}, seed=seed)
    settings: dict[str, Any] = {"toolbox": init.toolbox, "source": init.config.written, "options": dict(init.options)}
    run = PlannedRun(name, PRETRAINING, PRETRAINING, init.key, seed, [], settings)
    runs = _proposals(study, init.proposals, run, cfg, f"{PROPOSALS}/{name}", seed)
    run.config = cfg
    runs.append(run)
    if init.toolbox == "mmdet" and _measures(cfg):
        settings = {"toolbox": "mmdet", "source": init.config.written, "tta": bool(cfg.get("tta_model"))}
        test = f"{PRETRAINING_TEST}/{init.key}"
        settings["tested"] = name
        runs.append(PlannedRun(test, PRETRAINING, PRETRAINING_TEST, init.key, seed, [name], settings))
    return runs


def _share_trainings(plan: dict[str, PlannedRun]) -> None:
    """Let transfers that are a pre-training in every value test its checkpoint: nothing is trained twice."""
    pretrained = {run.id: _trained(plan, run) for run in plan.values() if run.kind == PRETRAINING}
    for run in [run for run in plan.values() if KINDS[run.kind].cells]:
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
    """The run that makes the proposals of a detector, whose run then waits for it and mines with them."""
    if network is None:
        return []
    folder = str(work_dir(study.out, name) / FOLDER)
    try:
        trained = proposals_config(_load(network.config.path, network.options), cfg, folder, seed)
    except ValueError as error:
        raise ValueError(f"{network.config.path} cannot make the proposals of {run.id}: {error}.") from error
    if cfg["train_dataloader"]["dataset"].get("proposals"):
        raise ValueError(f"{study.path}: {run.id} has proposals from the study and from its config: leave one out.")
    settings = {"toolbox": "mmdet", "source": network.config.written, "options": dict(network.options)}
    made = PlannedRun(name, PROPOSALS, PROPOSALS, run.init, seed, list(run.needs), settings, trained)
    cfg["train_dataloader"]["dataset"]["proposals"] = folder
    run.settings["proposals"] = name
    run.needs.append(name)
    return [made]


def _runs_of_task(study: Study, task: Task) -> list[PlannedRun]:
    kind, inits = KINDS[task.kind], [study.inits[key] for key in task.inits]
    if kind.toolbox:
        trained = [init for init in inits if init.key in task.configs]
        return [run for init in trained for seed in task.seeds for run in _training(study, task, kind, init, seed)]
    probed = [init for init in inits if init.key != SCRATCH and (init.config or not kind.of_detector)]
    return [_probe(study, task, init) for init in probed]


def _training(study: Study, task: Task, kind: Kind, init: Init, seed: int) -> list[PlannedRun]:
    """A transfer, after the proposals of its negative chips where it has some."""
    name = f"{task.key}/{init.key}/seed{seed}"
    source, path = task.configs[init.key]
    cfg = _load(path, task.options)
    cfg["randomness"] = dict(cfg.get("randomness") or {}, seed=seed)
    _initialize(cfg, path, init)
    own = _own_evaluator(cfg, kind, path)
    if own is not None:
        results = str(work_dir(study.out, name) / "test" / "results")
        own.update(outfile_prefix=results, overwrite=True)
    shown_as = task.rows_of or task.key
    settings: dict[str, Any] = {
        "toolbox": kind.toolbox,
        "source": source,
        "options": dict(task.options),
        "tta": task.tta,
        "column": task.column,
        "own_table": kind.paper_task not in (None, shown_as),
    }
    if task.rows_of:
        settings["rows_of"] = task.rows_of
    if task.occlusion:
        settings["occlusion"] = str(task.occlusion.path)
    if own is None and kind.evaluator:  # another metric: what it gives are the columns
        table = (kind.other_metrics or {}).get(shown_as)
        settings |= {"table": table or kind.table, "own_table": table is None}
        if task.occlusion:
            raise ValueError(
                f"{study.path}: task {task.key} has occlusion, which needs the detections that {kind.evaluator} writes:"
                f" set it as test_evaluator of {path.name}, or remove occlusion."
            )
    run = PlannedRun(name, task.key, task.kind, init.key, seed, _needs(init), settings)
    shared = task.proposals is not None and task.proposals.per == "init"
    made_by = f"{PROPOSALS}/{task.key}/{init.key}" if shared else f"{PROPOSALS}/{name}"
    runs = _proposals(study, task.proposals, run, cfg, made_by, task.seeds[0] if shared else seed)
    run.config = cfg
    return [*runs, run]


def _initialize(cfg: dict[str, Any], path: Path, init: Init | None = None) -> None:
    """Resolve the initialization of a config; for one of the study: what the config sets for its key, and the file."""
    entry = (cfg.get(TABLE) or {}).get(init.key) if init else None
    if init and isinstance(entry, str):
        raise ValueError(f"{path} is not for {init.key}: {entry}.")
    if init and entry is not None:
        cfg[KEY] = {"name": init.key}
    apply_changes(cfg)
    settings = dict(chosen_init(cfg) or {})
    cfg.pop(OLD_KEY, None)
    cfg.pop(TABLE, None)
    if init:
        settings |= {"checkpoint": init.weights, "name": init.key}
    if settings.get("checkpoint") is None:
        settings.pop("name", None)
    if settings:
        cfg[KEY] = settings


def _probe(study: Study, task: Task, init: Init) -> PlannedRun:
    pretraining = f"{PRETRAINING}/{init.key}" if init.pretrained_here else None
    model = config_path(study.out, pretraining) if pretraining else init.config.path if init.config else None
    settings = {
        "data_config": str(task.data_config),
        "backbone": init.weights,
        "model_config": str(model) if model else None,
        "checkpoint": init.checkpoint,
        "pretraining": pretraining,
        "column": task.column,
        "layers": list(task.layers) if task.layers else None,
        "crop": task.crop,
        "resize_edge": task.resize_edge,
        "options": dict(task.options),
    }
    return PlannedRun(f"{task.key}/{init.key}", task.key, task.kind, init.key, None, _needs(init), settings)


def _figures(study: Study, plan: Mapping[str, PlannedRun]) -> list[PlannedRun]:
    """The figures that the study's tasks give: of the first task of their kind, and of its first seed."""
    without = {run.task for run in plan.values() if "table" in run.settings}  # their detections are not kept
    runs = []
    if IMAGES in study.figures:
        shown = [task for key, task in study.tasks.items() if task.kind in GAINS and key not in without]
        runs += [run for task in shown if task.fraction == 1 and not task.rows_of for run in _images(study, task, plan)]
    for number in study.figures:
        if number == IMAGES:
            continue
        figure = FIGURES[int(number)]
        task = next((t for key, t in study.tasks.items() if t.kind == figure.kind and key not in without), None)
        if task is None:
            continue
        of_task = _first_runs(task, plan)
        if figure.of_two:
            inits = list(_pair(study, int(number), task.key, of_task))
        else:  # Figure 1 also shows differences: to the first
            inits = sorted(of_task, key=lambda key: key != study.reference)
        if not inits:
            continue
        needs = [of_task[key] for key in inits]
        titles = {key: study.inits[key].title for key in inits}
        settings: dict[str, Any] = {
            "number": number,
            "task": task.key,
            "title": task.title,
            "runs": {title: of_task[key] for key, title in titles.items()},
            "backbones": {title: study.inits[key].weights for key, title in titles.items() if key != SCRATCH},
        }
        if not KINDS[figure.kind].toolbox:  # of images whose features are stored
            settings |= {
                "images": str(work_dir(study.out, needs[-1]) / "test"),  # a run that this one waits for
                "data_config": str(task.data_config),
                "crop": task.crop,
                "resize_edge": task.resize_edge,
            }
        runs.append(PlannedRun(f"{FIGURE_RUNS}/{number}", FIGURE_RUNS, FIGURE, None, None, needs, settings))
    return runs


def _first_runs(task: Task, plan: Mapping[str, PlannedRun]) -> dict[str, str]:
    """Initialization -> run of the first seed."""
    first = (run for run in plan.values() if run.task == task.key and run.seed in (None, task.seeds[0]))
    return {str(run.init): run.id for run in first}


def _images(study: Study, task: Task, plan: Mapping[str, PlannedRun]) -> list[PlannedRun]:
    """For each initialization the images in which it gains and loses most, over scratch or else the reference."""
    runs, of_task = [], _first_runs(task, plan)
    base = next((init for init in (SCRATCH, study.reference) if init in of_task), next(iter(of_task), ""))
    for init in (init for init in of_task if init != base):
        needs = [of_task[base], of_task[init]]
        settings: dict[str, Any] = {
            "number": IMAGES,
            "task": task.key,
            "kind": task.kind,
            "init": init,
            "title": task.title,
            "runs": dict(zip((study.inits[base].title, study.inits[init].title), needs, strict=True)),
        }
        name = f"{FIGURE_RUNS}/{IMAGES}/{task.key}/{init}"
        runs.append(PlannedRun(name, FIGURE_RUNS, FIGURE, None, None, needs, settings))
    return runs


def _pair(study: Study, number: int, task: str, runs: Collection[str]) -> tuple[str, ...]:
    """The two initializations of a figure; none where the task has no runs of two."""
    wanted = study.pair_of(number)
    if number in study.pairs and not set(wanted) <= set(runs):
        without = next(init for init in wanted if init not in runs)
        raise ValueError(
            f"{study.path}: contrast: figure {number} is to show {wanted[0]} and {wanted[1]}, but the task {task} has"
            f" no run of {without}: name another init."
        )
    pairs = (wanted, (study.reference, study.contrast))
    return next((pair for pair in pairs if pair[0] != pair[1] and set(pair) <= set(runs)), ())


def _launch(study: Study) -> list[str]:
    """Arguments of ``mim train`` and ``mim test``."""
    launcher = [] if study.launcher == "none" else ["--launcher", study.launcher, "--gpus", str(study.gpus)]
    return [*launcher, *study.mim_arguments]


def _needs(init: Init) -> list[str]:
    return [f"{PRETRAINING}/{init.key}"] if init.pretrained_here else []


@cache
def _read(path: Path) -> Config:
    try:
        return Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is its author's Python, in which anything can be wrong
        raise ValueError(f"{path} cannot be read as a config: {error_line(error)}") from error


def _load(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a config, changed by options."""
    cfg = Config(_read(path).to_dict())
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"The options {dict(options)} do not fit {path}: {error}") from error
    return dict(cfg.to_dict())


def _evaluators(cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = cfg.get("test_evaluator") or []
    return list(given) if isinstance(given, list | tuple) else [given]


def _own_evaluator(cfg: Mapping[str, Any], kind: Kind, path: Path) -> dict[str, Any] | None:
    """The evaluator that writes what Tables 2 to 4 and the figures are made from; None: there is another one.

    Raises:
        ValueError: If there must not be another one, or none measures.
    """
    if kind.evaluator is None:
        return None
    own = next((evaluator for evaluator in _evaluators(cfg) if evaluator.get("type") == kind.evaluator), None)
    if own is None and (kind.other_metrics is None or not _measures(cfg)):
        what = f"of type {kind.evaluator}"
        if kind.other_metrics is not None:
            what = f"that measures, such as {kind.evaluator} or CocoMetric"
        raise ValueError(f"{path} has no test_evaluator {what}, which the study's tables are made from: add one.")
    return own


def plan_table(plan: Mapping[str, PlannedRun]) -> str:
    """The runs, a line each."""
    width = max(map(len, plan), default=0)
    lines = []
    for run in plan.values():
        what = run.settings.get("source") or run.settings.get("data_config") or f"figure {run.settings.get('number')}"
        what = f"{Path(str(what)).name}, test" if "tested" in run.settings else what
        after = f"   after {', '.join(run.needs)}" if run.needs and run.kind != FIGURE else ""
        lines.append(f"{run.id:{width}}  {Path(str(what)).name}{after}")
    return "\n".join([*lines, f"{len(plan)} runs"])
