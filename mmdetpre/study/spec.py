"""The file that says what a study compares: initializations, tasks, seeds. All its paths are resolved here, once."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from mmdetpre.config_files import CONFIG_ROOT
from mmdetpre.study.cluster.request import KubernetesRequest, SlurmRequest, read_kubernetes, read_slurm
from mmdetpre.study.figures import FIGURES, IMAGES, numbers
from mmdetpre.study.kinds import FIGURE_RUNS, PRETRAINING, PRETRAINING_TEST, PROPOSALS, task_kinds, toolboxes
from mmdetpre.study.layout import BACKBONE, work_dir
from mmdetpre.study.spec_checks import distinct_seeds, require_keys, require_types, whole_number
from mmdetpre.study.tracker import BACKENDS
from mmdetpre.utils.stages import STAGES, TRAINABLE, trainable_text
from mmdetpre.utils.yaml_file import read_yaml

SCRATCH = "scratch"
LABEL_FRACTION = "label_fraction"
"""Key of a config: the part of its training images that it keeps."""
PER = ("seed", "init")
"""What a network of region proposals is trained for: each run of a detector, or each initialization."""
LAUNCHERS = ("none", "pytorch", "slurm")
_LAUNCH = ("launcher", "gpus", "mim_arguments")
_NOT_IN_FILE = ("path", "pairs", "paper_pairs", *_LAUNCH)


class Found(NamedTuple):
    """A path of the study's file: what the file says, and the path that this is."""

    written: str
    path: Path


@dataclass(frozen=True)
class ProposalNetwork:
    """The network of region proposals whose mistakes become the negative chips of a detector.

    Attributes:
        config: Its config, a network alone such as ``configs/det/rpn_voc.py``; model, initialization and images are
            taken from the detector's.
        per: ``seed``: one is trained for each run of the detector, as the paper does for its one run; ``init``: the
            seeds of an initialization share that of the first.
        options: Config values by dotted key.
    """

    config: Found
    per: str = "seed"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Init:
    """An initialization of the backbone: a pre-training of the study, a file, or nothing (``scratch``).

    Attributes:
        key: Its key.
        title: What the report calls it.
        toolbox, config, options: The pre-training; ``options`` are config values by dotted key. The config of a
            ``checkpoint`` is the model that it is of, which ``layers`` tasks need.
        checkpoint: Path or address of weights instead, as the file says it.
        weights: Path or address that a backbone is loaded from: the checkpoint, or what the pre-training leaves; None:
            from scratch.
        proposals: Where its negative chips come from; None: it is trained without.
    """

    key: str
    title: str
    toolbox: str | None = None
    config: Found | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    weights: str | None = None
    proposals: ProposalNetwork | None = None

    @property
    def pretrained_here(self) -> bool:
        """Whether the study trains it."""
        return self.config is not None and self.checkpoint is None


@dataclass(frozen=True)
class Task:
    """What the initializations are tested on.

    Attributes:
        key: Its key.
        kind: Its kind, of `mmdetpre.study.kinds.task_kinds`.
        title: What the report calls it.
        inits: Keys of its initializations.
        seeds: Its seeds.
        configs: Key of an initialization -> config of the training; one that is not here is not trained.
        data_config: Config with the data of a probe.
        column: Column of Tables 5 to 7.
        tta: Test at several scales.
        options: Config values by dotted key.
        layers: Layers of a ``layers`` task; None: those of Table 7.
        crop, resize_edge: Pixels of the images of a probe; None: 224 and 256.
        occlusion: Of a detection task: file or folder of annotated levels of occlusion (Table 3), see
            :func:`~mmdetpre.evaluation.errors.occlusion_file.read_occlusion_levels`; None: levels are those of flags or
            boxes.
        proposals: Where the negative chips of a detector come from; None: it is trained without.
        fraction: Part of the training images that it has.
        whole: Key of the same task with other parts, where it is one of several; else empty.
        trainable: How many of the last stages of the backbone are trained; None: all that the config does.
        rows_of: Key of the task whose tables its results are rows of, where it is one of several that differ in what is
            trained; empty for the first of these.
    """

    key: str
    kind: str
    title: str
    inits: tuple[str, ...]
    seeds: tuple[int, ...]
    configs: Mapping[str, Found]
    data_config: Path | None
    column: str
    tta: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] | None = None
    crop: int | None = None
    resize_edge: int | None = None
    occlusion: Found | None = None
    proposals: ProposalNetwork | None = None
    fraction: float = 1.0
    whole: str = ""
    trainable: int | None = None
    rows_of: str = ""


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        path: Its file.
        name, title: What it is called.
        out: Its folder.
        seeds: Seeds of the transfer runs.
        reference: Initialization that differences are to.
        contrast: Initialization that is shown beside it in figures of two.
        inits, tasks: By key, in order.
        figures: Figures of the paper to draw, and `IMAGES`.
        tracker: Experiment tracker that trainings report to, of `mmdetpre.study.tracker.BACKENDS`, or None.
        photos: Whether the page of the report shows figures with photos of the data.
        sample_layouts: Layouts of the synthetic sample that are made before the study, where they are missing.
        launcher: Of ``mim train`` and ``mim test``: ``none``, ``pytorch`` or ``slurm``.
        gpus: GPUs of one training or test; the study uses so many at a time.
        mim_arguments: Further arguments of ``mim train`` and ``mim test``, such as ``--partition NAME``.
        threads: Processor threads of one run.
        pairs: Figure -> the two initializations that it shows, where the file names them.
        slurm, kubernetes: What its runs ask of a cluster.
        paper_pairs: Other figures of two show the paper's pair, where the study has both. So it is where the file gives
            no initialization for all of them.
    """

    path: Path
    name: str
    title: str
    out: Path
    seeds: tuple[int, ...]
    reference: str
    contrast: str
    inits: Mapping[str, Init]
    tasks: Mapping[str, Task]
    figures: tuple[int | str, ...]
    photos: bool = True
    tracker: str | None = None
    sample_layouts: tuple[str, ...] = ()
    launcher: str = "none"
    gpus: int = 1
    mim_arguments: tuple[str, ...] = ()
    threads: int = 1
    pairs: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    paper_pairs: bool = False
    slurm: SlurmRequest = field(default_factory=SlurmRequest)
    kubernetes: KubernetesRequest = field(default_factory=KubernetesRequest)

    def pair_of(self, number: int) -> tuple[str, str]:
        """The two initializations that a figure shows."""
        if number in self.pairs:
            return self.pairs[number]
        paper = FIGURES[number].paper_pair
        if self.paper_pairs and paper and set(paper) <= set(self.inits):
            return paper
        return self.reference, self.contrast


def read_study(path: str | Path) -> Study:
    """Read the file of a study.

    Paths of configs are looked for beside the file, in the current folder and among the shipped configs.

    Args:
        path: YAML file, such as ``tools/study/sample.yaml``.

    Raises:
        FileNotFoundError: If the file, or a config that it names, is not there.
        ValueError: If it is not such a file; the message names the key.

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
    content = _in_new_words(content, path)
    known = [*(f.name for f in fields(Study) if f.name not in _NOT_IN_FILE), "launch"]
    require_keys(content, known, ("name", "out", "seeds", "inits", "tasks"), str(path))
    require_types(content, str(path))
    launch = content.get("launch") or {}
    require_keys(launch, _LAUNCH, (), f"{path}: launch")
    require_types(launch, f"{path}: launch")
    if launch.get("launcher", "none") not in LAUNCHERS:
        raise ValueError(f"{path}: launch: launcher is {launch['launcher']!r}: choose one of {', '.join(LAUNCHERS)}.")
    out, seeds = Path(content["out"]), distinct_seeds(content["seeds"], f"{path}: seeds")
    inits = {key: _init(key, value, path, out) for key, value in _items(content, "inits", path)}
    tasks: dict[str, Task] = {}
    for key, value in _items(content, "tasks", path):
        where = f"{path}: task {key}"
        for part in _parts(_task(key, value, path, inits, seeds), value.get("fractions"), where):
            for variant in _variants(part, value.get(TRAINABLE), where):
                if variant.key in tasks:
                    raise ValueError(f"{path}: two tasks are called {variant.key}: rename one.")
                tasks[variant.key] = variant
    others = [key for key in inits if key != SCRATCH] or [SCRATCH]
    reference = str(content.get("reference", "imagenet_cls" if "imagenet_cls" in inits else others[0]))
    contrast, pairs = _contrast(content.get("contrast"), reference, others[-1], f"{path}: contrast")
    study = Study(
        path=path,
        name=str(content["name"]),
        title=str(content.get("title", content["name"])),
        out=out,
        seeds=seeds,
        reference=reference,
        contrast=contrast,
        inits=inits,
        tasks=tasks,
        figures=tuple((*FIGURES, IMAGES) if content.get("figures") is None else content["figures"]),
        photos=content.get("photos") is not False,
        tracker=content.get("tracker"),
        sample_layouts=tuple(content.get("sample_layouts") or ()),
        launcher=str(launch.get("launcher", "none")),
        gpus=whole_number(launch.get("gpus", 1), 1, f"{path}: launch: gpus"),
        mim_arguments=tuple(map(str, launch.get("mim_arguments") or ())),
        threads=whole_number(content.get("threads", 1), 1, f"{path}: threads"),
        pairs=pairs,
        paper_pairs=not isinstance(content.get("contrast"), str),
        slurm=read_slurm(content.get("slurm"), f"{path}: slurm"),
        kubernetes=read_kubernetes(content.get("kubernetes"), f"{path}: kubernetes"),
    )
    for name, asked in (("slurm", study.slurm.gpus), ("kubernetes", study.kubernetes.gpus)):
        if study.launcher == "pytorch" and asked not in (None, 0, study.gpus):
            raise ValueError(
                f"{path}: {name}: gpus is {asked}, but launch starts {study.gpus} processes, one per GPU: leave it out,"
                " or set it to 0 for trainings without GPUs."
            )
    among = f"which is not one of its inits: {', '.join(inits)}"
    for name in ("reference", "contrast"):
        if getattr(study, name) not in inits:
            raise ValueError(f"{path}: {name} is '{getattr(study, name)}', {among}.")
    for number, pair in pairs.items():
        if unknown := [key for key in pair if key not in inits]:
            raise ValueError(f"{path}: contrast: figure {number} names '{unknown[0]}', {among}.")
    if study.tracker not in (None, *BACKENDS):
        raise ValueError(f"{path}: tracker is {study.tracker!r}: choose one of {', '.join(BACKENDS)}, or remove it.")
    if wrong := [number for number in study.figures if number not in (*FIGURES, IMAGES)]:
        raise ValueError(f"{path}: there is no figure {wrong[0]}, choose from {numbers(FIGURES)} and {IMAGES}.")
    if taken := [key for key in tasks if key in (PRETRAINING, PRETRAINING_TEST, PROPOSALS, FIGURE_RUNS)]:
        raise ValueError(f"{path}: '{taken[0]}' is what the study calls runs of its own: rename the task.")
    return study


def _in_new_words(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The settings of a file in today's words; those of before are read for one release more, with one warning."""
    old: dict[str, str] = {}

    def renamed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if "starts" in value and "inits" not in value:
            old["starts"] = "inits"
            value = {"inits" if key == "starts" else key: item for key, item in value.items()}
        if isinstance(proposals := value.get("proposals"), dict) and proposals.get("per") == "start":
            old["per: start"] = "per: init"
            value = value | {"proposals": proposals | {"per": "init"}}
        if any("{start}" in str(value.get(key)) for key in ("config", "scratch_config")):
            old["{start}"] = "{init}"
        return value

    found = dict(renamed(content))
    for name in ("inits", "tasks"):
        if isinstance(found.get(name), dict):
            found[name] = {key: renamed(value) for key, value in found[name].items()}
    if old:
        words = ", ".join(f"`{before}` is now `{now}`" for before, now in old.items())
        warnings.warn(f"{path}: {words}; the next release no longer reads the old words.", FutureWarning, stacklevel=3)
    return found


def _find(path: Path, written: str) -> Found:
    """A config by its path: beside the file of the study, below the current folder, or among the shipped ones.

    Raises:
        FileNotFoundError: If it is in none of these.
    """
    for place in (path.parent / written, Path(written), CONFIG_ROOT.parent / written):
        if place.is_file():
            return Found(written, place.resolve())
    raise FileNotFoundError(
        f"{path} names the config {written}, which is not there: looked in {path.parent}, the current folder and the"
        " shipped configs (`mmdetpre config` lists them)."
    )


def _init(key: str, value: Any, path: Path, out: Path) -> Init:
    where, value = f"{path}: init {key}", value or {}
    require_keys(value, [f.name for f in fields(Init) if f.name not in ("key", "weights")], (), where)
    require_types(value, where)
    title, checkpoint = str(value.get("title", key)), value.get("checkpoint")
    if "=" in title:
        raise ValueError(f"{where} has the title {title!r}: leave out the =, which ends a name on command lines.")
    given = [name for name in ("config", "checkpoint") if value.get(name)]
    if key == SCRATCH and given:
        raise ValueError(f"{where} has a {given[0]}: this key means no weights at all, give the init another one.")
    if key != SCRATCH and not given:
        raise ValueError(f"{where} has neither a config (a pre-training) nor a checkpoint (a file): give one.")
    if given == ["config"] and value.get("toolbox") not in toolboxes():
        raise ValueError(f"{where} has the toolbox {value.get('toolbox')!r}: choose one of {', '.join(toolboxes())}.")
    weights = checkpoint
    if given == ["config"]:
        weights = str(work_dir(out, f"{PRETRAINING}/{key}") / BACKBONE)
    elif checkpoint is not None and (path.parent / checkpoint).is_file():
        weights = str(path.parent / checkpoint)
    return Init(
        key,
        title,
        value.get("toolbox"),
        _find(path, value["config"]) if value.get("config") else None,
        dict(value.get("options") or {}),
        checkpoint,
        weights,
        _proposals(value, where, path, given == ["config"] and value.get("toolbox") == "mmdet"),
    )


def _task(key: str, value: Any, path: Path, inits: Mapping[str, Init], seeds: tuple[int, ...]) -> Task:
    where, kinds = f"{path}: task {key}", task_kinds()
    ours = ("key", "configs", "fraction", "whole", "trainable", "rows_of")
    known = [f.name for f in fields(Task) if f.name not in ours]
    require_keys(value, [*known, "config", "scratch_config", "fractions", TRAINABLE], ("kind",), where)
    require_types(value, where)
    if value["kind"] not in kinds:
        raise ValueError(f"{where} is of kind {value['kind']!r}: choose one of {', '.join(kinds)}.")
    kind = kinds[value["kind"]]
    if not value.get(kind.data_key):
        raise ValueError(f"{where} has no {kind.data_key}, which a task of kind {value['kind']} needs.")
    if value.get("occlusion") and "occlusion" not in kind.takes:
        able = ", ".join(name for name, other in kinds.items() if "occlusion" in other.takes)
        raise ValueError(f"{where} is of kind {value['kind']}: occlusion is for tasks of kind {able}, remove it.")
    if not isinstance(value.get("inits") or [], list):
        raise ValueError(f"{where}: inits is {value['inits']!r}, expected a list of keys.")
    proposals = _proposals(value, where, path, "proposals" in kind.takes)
    own_seeds = None if value.get("seeds") is None else distinct_seeds(value["seeds"], f"{where}: seeds")
    own_inits = tuple(map(str, value.get("inits") or inits))
    if unknown := [name for name in own_inits if name not in inits]:
        raise ValueError(f"{where} names the init '{unknown[0]}': there is {', '.join(inits)}.")
    configs = {
        name: _find(path, written.replace("{init}", name).replace("{start}", name))
        for name in own_inits
        if (written := value.get("scratch_config" if name == SCRATCH else "config"))
    }
    return Task(
        key=key,
        kind=value["kind"],
        title=str(value.get("title", key)),
        inits=own_inits,
        seeds=own_seeds or seeds,
        configs=configs,
        data_config=_find(path, value["data_config"]).path if value.get("data_config") else None,
        column=value.get("column") or key,
        tta=bool(value.get("tta")),
        options=dict(value.get("options") or {}),
        layers=None if value.get("layers") is None else tuple(map(str, value["layers"])),
        crop=value.get("crop"),
        resize_edge=value.get("resize_edge"),
        occlusion=_occlusion(value.get("occlusion"), where, path),
        proposals=proposals,
    )


def _parts(task: Task, fractions: Any, where: str) -> list[Task]:
    """The task with each of its parts of the training images, from small to great; the whole keeps the task's key."""
    if fractions is None:
        return [task]
    numbers = fractions if isinstance(fractions, list) else [fractions]
    if not numbers or not all(type(f) in (int, float) and 0 < f <= 1 for f in numbers):
        raise ValueError(f"{where}: fractions is {fractions!r}: give a list of numbers above 0 up to 1: [0.1, 1.0].")
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{where}: fractions is {fractions!r}: a number is there twice.")
    parts = []
    for fraction in sorted(map(float, numbers)):
        percent = f"{100 * fraction:g}"
        key = task.key if fraction == 1 else f"{task.key}_{percent.replace('.', '_')}pct"
        title = task.title if fraction == 1 else f"{task.title}, {percent} % of the labels"
        column = task.column if fraction == 1 else f"{task.column}_{percent.replace('.', '_')}pct"
        options = task.options if fraction == 1 else {**task.options, LABEL_FRACTION: fraction}
        parts.append(
            replace(task, key=key, title=title, column=column, options=options, fraction=fraction, whole=task.key)
        )
    return parts


def _variants(task: Task, given: Any, where: str) -> list[Task]:
    """The task with each number of trained stages, from all to none; the first keeps the task's key if that is all.

    From scratch everything is trained: stages that stay random would have to be made up for by the others.
    """
    if given is None:
        return [task]
    numbers = given if isinstance(given, list) else [given]
    if not numbers or not all(one == "all" or (type(one) is int and 0 <= one <= STAGES) for one in numbers):
        raise ValueError(
            f"{where}: {TRAINABLE} is {given!r}: give a list of what of the backbone is trained: all, or a number of"
            f" last stages from 0 (none) to {STAGES}: [all, 1, 0]."
        )
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{where}: {TRAINABLE} is {given!r}: one is there twice.")
    if not task_kinds()[task.kind].toolbox:
        raise ValueError(f"{where} is of kind {task.kind}, whose backbone is frozen: leave {TRAINABLE} out.")
    inits = tuple(name for name in task.inits if name != SCRATCH)
    variants: list[Task] = []
    for trainable in sorted((STAGES + 1 if one == "all" else int(one) for one in numbers), reverse=True):
        rows_of = variants[0].key if variants else ""
        if trainable > STAGES:
            variants.append(task)
            continue
        if not inits:
            raise ValueError(f"{where} is trained from scratch alone, where {TRAINABLE} can only be all.")
        key = f"{task.key}_{trainable_text(trainable).removesuffix(' trained').replace(' ', '_')}"
        options = {**task.options, TRAINABLE: trainable}
        variants.append(replace(task, key=key, inits=inits, options=options, trainable=trainable, rows_of=rows_of))
    return variants


def _occlusion(written: str | None, where: str, path: Path) -> Found | None:
    """Annotated levels of a task: beside the file of the study, or below the current folder.

    Raises:
        FileNotFoundError: If they are in neither.
    """
    if written is None:
        return None
    for place in (path.parent / written, Path(written)):
        if place.exists():
            return Found(written, place.resolve())
    raise FileNotFoundError(
        f"{where}: occlusion names {written}, which is not there: looked in {path.parent} and the current folder. Give"
        " the .mat file or folder of Hoiem et al., or a CSV file image,class,x1,y1,x2,y2,level; or remove the key, and"
        " Table 3 goes without levels."
    )


def _proposals(settings: Mapping[str, Any], where: str, path: Path, trained: bool) -> ProposalNetwork | None:
    value = settings.get("proposals")
    if value is None:
        return None
    if not trained:
        raise ValueError(f"{where} has proposals, which only a detector that the study trains can use: leave them out.")
    where = f"{where}: proposals"
    require_keys(value, [f.name for f in fields(ProposalNetwork)], ("config",), where)
    require_types(value, where)
    if value.get("per", "seed") not in PER:
        raise ValueError(f"{where}: per is {value['per']!r}: choose one of {', '.join(PER)}.")
    options = dict(value.get("options") or {})
    return ProposalNetwork(_find(path, value["config"]), value.get("per", "seed"), options)


def _contrast(value: Any, reference: str, default: str, where: str) -> tuple[str, dict[int, tuple[str, str]]]:
    """What all figures of two show, and the pairs of single ones: a name, or ``default`` and numbers of figures."""
    if not isinstance(value, dict):
        return str(default if value is None else value), {}
    of_two = [number for number, figure in FIGURES.items() if figure.of_two]
    pairs = {}
    for number, inits in value.items():
        if number == "default":
            continue
        if type(number) is not int or number not in of_two:
            raise ValueError(
                f"{where}: {number!r} is not a figure of two inits: those are {numbers(of_two)}, and 'default'."
            )
        pair = (reference, inits) if isinstance(inits, str) else inits
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"{where}: figure {number} has {inits!r}: give an init, or a list of two.")
        pairs[number] = (str(pair[0]), str(pair[1]))
    return str(value.get("default", default)), pairs


def _items(content: Mapping[str, Any], name: str, path: Path) -> Iterator[tuple[str, Any]]:
    value = content[name]
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{path}: {name} is {value!r}, expected a key with settings for each of them.")
    if wrong := [key for key in value if not isinstance(key, str) or not key.isidentifier()]:
        raise ValueError(f"{path}: {wrong[0]!r} in {name} is not a plain name: use letters, digits and _.")
    yield from value.items()
