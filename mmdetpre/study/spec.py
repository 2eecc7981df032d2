"""The file that says what a study compares: starts, tasks, seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.paper.values import FIGURE_PAIRS
from mmdetpre.utils.plain_text import name_problem, path_problem
from mmdetpre.utils.yaml_file import read_yaml

SCRATCH = "scratch"
TOOLBOXES = ("mmdet", "mmsegmentation", "mmpretrain")
TRAINED = {"detection": "mmdet", "segmentation": "mmsegmentation", "classification": "mmpretrain"}
"""Kind of a task that is trained -> toolbox."""
PROBED = ("linear", "layers")
PER = ("seed", "start")
"""What a network of region proposals is trained for: each run of a detector, or each start."""
FIGURES, FIGURES_OF_TWO = tuple(range(1, 10)), (2, 3, 5, 6, 9)
OWN_RUNS = ("pretraining", "pretraining_test", "proposals", "figures")
"""First part of the names of runs that belong to no task."""
LAUNCHERS = ("none", "pytorch", "slurm")
_LAUNCH = ("launcher", "gpus", "mim_arguments")
_EXPECTED = {str: "a text (in quotes)", int: "a whole number", bool: "true or false", list: "a list", dict: "settings"}
_TYPES = (
    dict.fromkeys(
        ("out", "config", "scratch_config", "data_config", "checkpoint", "column", "toolbox", "launcher"), str
    )
    | dict.fromkeys(("title", "reference", "kind", "occlusion"), str)
    | dict.fromkeys(("crop", "resize_edge"), int)
    | dict.fromkeys(("figures", "sample_layouts", "mim_arguments", "layers"), list)
    | {"tta": bool, "options": dict}
)
"""Types of the settings; a study's name may also be a number."""


@dataclass(frozen=True)
class ProposalNetwork:
    """The network of region proposals whose mistakes become the negative chips of a detector.

    Attributes:
        config: Its config, a network alone such as ``configs/det/rpn_voc.py``; model, start and images are taken from
            the detector's.
        per: ``seed``: one is trained for each run of the detector, as the paper does for its one run; ``start``: the
            seeds of a start share that of the first.
        options: Config values by dotted key.
    """

    config: str
    per: str = "seed"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Start:
    """An initialisation of the backbone: a pre-training of the study, a file, or nothing (``scratch``).

    Attributes:
        key: Its key.
        title: What the report calls it.
        toolbox, config, options: The pre-training; ``options`` are config values by dotted key.
        checkpoint: Path or address of weights instead. A ``config`` beside it is then the model that they are of,
            which ``layers`` tasks need.
        proposals: Where its negative chips come from; None: it is trained without.
    """

    key: str
    title: str
    toolbox: str | None = None
    config: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    proposals: ProposalNetwork | None = None

    @property
    def pretrained_here(self) -> bool:
        """Whether the study trains it."""
        return self.config is not None and self.checkpoint is None


@dataclass(frozen=True)
class Task:
    """What the starts are tested on.

    Attributes:
        key: Its key.
        kind: ``detection``, ``segmentation``, ``classification`` (trained once per start and seed), ``linear`` (stored
            conv5 features) or ``layers`` (every layer of a detector).
        title: What the report calls it.
        config: Config of the training; ``{start}`` in it stands for the key of the start.
        scratch_config: Config for the start ``scratch``; None: not trained from scratch.
        data_config: Config with the data of a probe.
        column: Column of Tables 5 to 7; the key if not given.
        tta: Test at several scales.
        options: Config values by dotted key.
        layers: Layers of a ``layers`` task; None: those of Table 7.
        crop, resize_edge: Pixels of the images of a probe; None: 224 and 256.
        seeds, starts: Others than the study's, or None.
        occlusion: Of a detection task: file or folder of annotated levels of occlusion (Table 3), see
            :func:`~mmdetpre.evaluation.errors.occlusion_file.read_occlusion_levels`; None: levels are those of flags or
            boxes.
        proposals: Where the negative chips of a detector come from; None: it is trained without.
    """

    key: str
    kind: str
    title: str
    config: str | None = None
    scratch_config: str | None = None
    data_config: str | None = None
    column: str | None = None
    tta: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    crop: int | None = None
    resize_edge: int | None = None
    seeds: tuple[int, ...] | None = None
    starts: tuple[str, ...] | None = None
    occlusion: str | None = None
    proposals: ProposalNetwork | None = None


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        path: Its file.
        name, title: What it is called.
        out: Its folder.
        seeds: Seeds of the transfer runs.
        reference: Start that differences are to.
        contrast: Start that is shown beside it in figures of two.
        starts, tasks: By key, in order.
        figures: Figures of the paper to draw.
        sample_layouts: Layouts of the synthetic sample that are made before the study, where they are missing.
        launcher: Of ``mim train`` and ``mim test``: ``none``, ``pytorch`` or ``slurm``.
        gpus: GPUs of one training or test; the study uses so many at a time.
        mim_arguments: Further arguments of ``mim train`` and ``mim test``, such as ``--partition NAME``.
        threads: Processor threads of one run.
        pairs: Figure -> the two starts that it shows, where the file names them.
        paper_pairs: Other figures of two show the paper's pair, where the study has both. So it is where the file
            gives no start for all of them.
    """

    path: Path
    name: str
    title: str
    out: Path
    seeds: tuple[int, ...]
    reference: str
    contrast: str
    starts: Mapping[str, Start]
    tasks: Mapping[str, Task]
    figures: tuple[int, ...] = FIGURES
    sample_layouts: tuple[str, ...] = ()
    launcher: str = "none"
    gpus: int = 1
    mim_arguments: tuple[str, ...] = ()
    threads: int = 1
    pairs: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    paper_pairs: bool = False

    def pair_of(self, number: int) -> tuple[str, str]:
        """The two starts that a figure shows."""
        if number in self.pairs:
            return self.pairs[number]
        paper = FIGURE_PAIRS.get(number)
        if self.paper_pairs and paper and set(paper) <= set(self.starts):
            return paper
        return self.reference, self.contrast

    def occlusion_of(self, task: Task) -> Path | None:
        """Annotated levels of a task: beside the file of the study, or below the current folder.

        Raises:
            FileNotFoundError: If they are in neither.
        """
        if task.occlusion is None:
            return None
        for place in (self.path.parent / task.occlusion, Path(task.occlusion)):
            if place.exists():
                return place.resolve()
        raise FileNotFoundError(
            f"{self.path}: task {task.key}: occlusion names {task.occlusion}, which is not there: looked in"
            f" {self.path.parent} and the current folder. Give the .mat file or folder of Hoiem et al., or a CSV file"
            " image,class,x1,y1,x2,y2,level; or remove the key, and Table 3 goes without levels."
        )

    def find(self, path: str) -> Path:
        """A config by its path: beside the file, below the current folder, or among the shipped ones.

        Raises:
            FileNotFoundError: If it is in none of these.
        """
        shipped = CONFIG_ROOT.parent
        places = [self.path.parent / path, Path(path), shipped / path]
        for place in places:
            if place.is_file():
                return place.resolve()
        raise FileNotFoundError(
            f"{self.path} names the config {path}, which is not there: looked in {self.path.parent}, the current folder"
            " and the shipped configs (`mmdetpre config` lists them)."
        )


def read_study(path: str | Path) -> Study:
    """Read the file of a study.

    Paths of configs are looked for beside the file, in the current folder and among the shipped configs.

    Args:
        path: YAML file, such as ``tools/study/sample.yaml``.

    Raises:
        FileNotFoundError: If the file, or a config that it names, is not there.
        ValueError: If it is no such file; the message names the key.

    Example:
        >>> read_study("tools/study/sample.yaml").name
        'sample'
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}: give the file of a study, or let `mmdetpre study init` write one for your"
            " data; `sample` and `paper` are in the package."
        )
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no settings: see tools/study/sample.yaml for its form.")
    known = {f.name for f in fields(Study)} - {"path", "pairs", "paper_pairs", *_LAUNCH} | {"launch"}
    _require_keys(content, known, ("name", "out", "seeds", "starts", "tasks"), str(path))
    _require_types(content, str(path))
    starts = {key: _start(str(key), value, f"{path}: start {key}") for key, value in _items(content, "starts", path)}
    tasks = {key: _task(str(key), value, f"{path}: task {key}") for key, value in _items(content, "tasks", path)}
    launch = content.get("launch") or {}
    _require_keys(launch, set(_LAUNCH), (), f"{path}: launch")
    _require_types(launch, f"{path}: launch")
    if launch.get("launcher", "none") not in LAUNCHERS:
        raise ValueError(f"{path}: launch: launcher is {launch['launcher']!r}: choose one of {', '.join(LAUNCHERS)}.")
    others = [key for key in starts if key != SCRATCH]
    reference = str(content.get("reference", others[0] if others else SCRATCH))
    last = others[-1] if others else SCRATCH
    contrast, pairs = _contrast(content.get("contrast"), reference, last, f"{path}: contrast")
    study = Study(
        path=path,
        name=str(content["name"]),
        title=str(content.get("title", content["name"])),
        out=Path(content["out"]),
        seeds=_seeds(content["seeds"], f"{path}: seeds"),
        reference=reference,
        contrast=contrast,
        starts=starts,
        tasks=tasks,
        figures=tuple(content["figures"]) if content.get("figures") is not None else FIGURES,
        sample_layouts=tuple(content.get("sample_layouts") or ()),
        launcher=str(launch.get("launcher", "none")),
        gpus=_count(launch.get("gpus", 1), 1, f"{path}: launch: gpus"),
        mim_arguments=tuple(map(str, launch.get("mim_arguments") or ())),
        threads=_count(content.get("threads", 1), 1, f"{path}: threads"),
        pairs=pairs,
        paper_pairs=not isinstance(content.get("contrast"), str),
    )
    _check(study)
    return study


def of_start(config: str, key: str) -> str:
    """The config of a task for a start: ``{start}`` in it stands for the key, other braces for themselves.

    Example:
        >>> of_start("configs/voc_from_{start}.py", "coco")
        'configs/voc_from_coco.py'
    """
    return config.replace("{start}", key)


def _start(key: str, value: Any, where: str) -> Start:
    value = value or {}
    known = {f.name for f in fields(Start)} - {"key"}
    _require_keys(value, known, (), where)
    _require_types(value, where)
    if "=" in str(value.get("title", "")):
        raise ValueError(
            f"{where} has the title {value['title']!r}: leave out the =, which ends a name on command lines."
        )
    given = [name for name in ("config", "checkpoint") if value.get(name)]
    if key == SCRATCH and given:
        raise ValueError(f"{where} has a {given[0]}: this key means no weights at all, give the start another one.")
    if key != SCRATCH and not given:
        raise ValueError(f"{where} has neither a config (a pre-training) nor a checkpoint (a file): give one.")
    if given == ["config"] and value.get("toolbox") not in TOOLBOXES:
        raise ValueError(f"{where} has the toolbox {value.get('toolbox')!r}: choose one of {', '.join(TOOLBOXES)}.")
    return Start(
        key,
        str(value.get("title", key)),
        value.get("toolbox"),
        Path(value["config"]) if value.get("config") else None,
        dict(value.get("options") or {}),
        value.get("checkpoint"),
        _proposals(value.get("proposals"), where, trained=given == ["config"] and value.get("toolbox") == "mmdet"),
    )


def _task(key: str, value: Any, where: str) -> Task:
    known = {f.name for f in fields(Task)} - {"key"}
    _require_keys(value, known, ("kind",), where)
    _require_types(value, where)
    kind = value["kind"]
    kinds = (*TRAINED, *PROBED)
    if kind not in kinds:
        raise ValueError(f"{where} is of kind {kind!r}: choose one of {', '.join(kinds)}.")
    needed = "config" if kind in TRAINED else "data_config"
    if not value.get(needed):
        raise ValueError(f"{where} has no {needed}, which a task of kind {kind} needs.")
    if value.get("occlusion") and kind != "detection":
        raise ValueError(f"{where} is of kind {kind}: occlusion is for tasks of kind detection, remove it.")
    given = dict(value, title=str(value.get("title", key)), options=dict(value.get("options") or {}))
    if not isinstance(value.get("starts") or [], list):
        raise ValueError(f"{where}: starts is {value['starts']!r}, expected a list of keys.")
    for name in ("layers", "starts"):
        given[name] = None if value.get(name) is None else tuple(map(str, value[name]))
    given["proposals"] = _proposals(value.get("proposals"), where, trained=kind == "detection")
    given["seeds"] = None if value.get("seeds") is None else _seeds(value["seeds"], f"{where}: seeds")
    return Task(key=key, **given)


def _proposals(value: Any, where: str, trained: bool) -> ProposalNetwork | None:
    if value is None:
        return None
    if not trained:
        raise ValueError(f"{where} has proposals, which only a detector that the study trains can use: leave them out.")
    where = f"{where}: proposals"
    _require_keys(value, {f.name for f in fields(ProposalNetwork)}, ("config",), where)
    _require_types(value, where)
    if value.get("per", "seed") not in PER:
        raise ValueError(f"{where}: per is {value['per']!r}: choose one of {', '.join(PER)}.")
    return ProposalNetwork(**value | {"options": dict(value.get("options") or {})})


def _contrast(value: Any, reference: str, default: str, where: str) -> tuple[str, dict[int, tuple[str, str]]]:
    """The start of all figures, and the pairs of single ones: a name, or ``default`` and numbers of figures."""
    if not isinstance(value, dict):
        return str(default if value is None else value), {}
    pairs = {}
    for number, starts in value.items():
        if number == "default":
            continue
        if type(number) is not int or number not in FIGURES_OF_TWO:
            known = ", ".join(map(str, FIGURES_OF_TWO))
            raise ValueError(f"{where}: {number!r} is no figure of two starts: those are {known}, and 'default'.")
        pair = (reference, starts) if isinstance(starts, str) else starts
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"{where}: figure {number} has {starts!r}: give a start, or a list of two.")
        pairs[number] = (str(pair[0]), str(pair[1]))
    return str(value.get("default", default)), pairs


def _check(study: Study) -> None:
    for name in ("reference", "contrast"):
        if getattr(study, name) not in study.starts:
            raise ValueError(
                f"{study.path}: {name} is '{getattr(study, name)}', which is no start of it: {', '.join(study.starts)}."
            )
    for number, pair in study.pairs.items():
        if unknown := [key for key in pair if key not in study.starts]:
            raise ValueError(
                f"{study.path}: contrast: figure {number} names '{unknown[0]}', which is no start of it:"
                f" {', '.join(study.starts)}."
            )
    if wrong := [number for number in study.figures if number not in FIGURES]:
        raise ValueError(f"{study.path}: there is no figure {wrong[0]}, choose from 1 to 9.")
    if taken := [key for key in study.tasks if key in OWN_RUNS]:
        raise ValueError(f"{study.path}: '{taken[0]}' is what the study calls runs of its own: rename the task.")
    networks = [
        *(start.proposals for start in study.starts.values()),
        *(task.proposals for task in study.tasks.values()),
    ]
    for network in networks:
        if network is not None:
            study.find(network.config)
    for start in study.starts.values():
        if start.config is not None:
            study.find(str(start.config))
    for task in study.tasks.values():
        if unknown := [key for key in task.starts or () if key not in study.starts]:
            raise ValueError(
                f"{study.path}: task {task.key} names the start '{unknown[0]}': there is {', '.join(study.starts)}."
            )
        study.occlusion_of(task)
        if task.data_config:
            study.find(task.data_config)
        for key in task.starts or study.starts:
            if key == SCRATCH and task.scratch_config:
                study.find(task.scratch_config)
            elif key != SCRATCH and task.config:
                study.find(of_start(task.config, key))


def _items(content: Mapping[str, Any], name: str, path: Path) -> list[tuple[str, Any]]:
    value = content[name]
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{path}: {name} is {value!r}, expected a key with settings for each of them.")
    if wrong := [key for key in value if not isinstance(key, str) or not key.isidentifier()]:
        raise ValueError(f"{path}: {wrong[0]!r} in {name} is no plain name: use letters, digits and _.")
    return list(value.items())


def _require_keys(value: Any, known: set[str], needed: tuple[str, ...], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected settings, found {value!r}.")
    if unknown := [key for key in value if key not in known]:
        raise ValueError(f"{where} has the unknown key '{unknown[0]}': it knows {', '.join(sorted(known))}.")
    if missing := [key for key in needed if key not in value]:
        raise ValueError(f"{where} lacks the key '{missing[0]}'.")


def _require_types(values: Mapping[str, Any], where: str) -> None:
    for key, value in values.items():
        kind = _TYPES.get(key)
        if (
            value is not None
            and kind is not None
            and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool))
        ):
            raise ValueError(f"{where}: {key} is {value!r}, expected {_EXPECTED[kind]}.")
        if key == "options" and value and not all(isinstance(name, str) for name in value):
            raise ValueError(
                f"{where}: options has the key {min(value, key=lambda name: isinstance(name, str))!r}: give texts."
            )
        if isinstance(value, str) and value and (problem := name_problem(value)):
            raise ValueError(f"{where}: {key} {problem}: write it on one line.")
    if "out" in values and (problem := path_problem(values["out"] or "")):
        raise ValueError(f"{where}: out {problem}: give another folder.")


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not value or not all(type(seed) is int and seed >= 0 for seed in value):
        raise ValueError(f"{where} is {value!r}: give a list of numbers, such as [0, 1, 2].")
    if len(set(value)) != len(value):
        raise ValueError(f"{where} is {value!r}: a seed stands there twice.")
    return tuple(value)


def _count(value: Any, least: int, where: str) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{where} is {value!r}: give a number of at least {least}.")
    return value
