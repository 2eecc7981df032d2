"""Start-up: what importing mmdetpre adds, and what a run takes from `mim train` to the end of its first iteration.

    python benchmarks/start_up.py
    python benchmarks/start_up.py --parts import types --repeats 1      # without training

Processor time of new processes, with their files in the disk cache, so that other work on the machine counts little.

* What the package adds to a run of mmdet: mmdet's registries are imported first, then the types that the config of a
  SNIPER detector names, one package of mmdetpre after another; numba is not among them, for it is imported when a
  kernel is called.
* `mim train` of the sample's SNIPER detector against mmdet's own Faster R-CNN and CocoDataset, with the same ResNet-18
  of quarter width, images, batch size and regions per image, and without worker processes. mim starts the training
  script twice, once with `-h` to see what options it has. A hook of the benchmark notes the processor time at each step
  of the run and ends it. First steps are not alike: Faster R-CNN keeps its wide pyramid and head. The same command as a
  study runs it is a fork of a process that has imported the toolboxes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from side_by_side import Row, in_turn, run

if TYPE_CHECKING:
    from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
OURS = ROOT / "configs" / "det" / "sniper_coco_sample.py"
PACKAGES = ("transfer", "hooks", "models", "datasets", "evaluation")

IMPORT = """
import json, sys, time
{first}
began = time.process_time()
{then}
print(json.dumps({{"all": time.process_time() - began}}))
"""

ADDED = """
import json, sys, time
from importlib import import_module
for part in ("datasets", "engine", "evaluation", "models", "visualization"):
    import_module(f"mmdet.{part}")
names, packages = json.loads(sys.argv[1])
added, began = {}, time.process_time()
for package in ("mmdetpre", *(f"mmdetpre.{package}" for package in packages)):
    module = import_module(package)
    for name in names:
        if name in module.__all__:
            getattr(module, name)
    added[package] = (now := time.process_time()) - began
    began = now
print(json.dumps(added | {"all": sum(added.values())}))
"""

EVERY = """
from mmdetpre import datasets, evaluation, hooks, models, transfer
for package in (datasets, evaluation, hooks, models, transfer):
    for name in package.__all__:
        getattr(package, name)
"""

HOOK = """
import json, time
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

marks = {"imports and config": time.process_time()}

@HOOKS.register_module()
class StartUpMarks(Hook):
    priority = "LOWEST"

    def __init__(self, file, mining):
        self.file = file
        self.mark("model and hooks")
        if mining:
            from mmdetpre.datasets import ChipMiningSampler

            mine = ChipMiningSampler._mine

            def timed(sampler):
                began = time.process_time()
                mine(sampler)
                marks["mining"] = marks.get("mining", 0) + time.process_time() - began

            ChipMiningSampler._mine = timed

    def mark(self, name):
        marks[name] = time.process_time()

    def before_train_epoch(self, runner):
        self.mark("data and loops")

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.mark("first batch")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.mark("first step")
        with open(self.file, "w") as file:
            json.dump(marks, file)
        raise SystemExit(0)
"""

STEPS = ("imports and config", "model and hooks", "data and loops", "first batch", "first step")


def in_new_process(script: str, *arguments: str) -> dict[str, float]:
    """What a script prints as JSON in its last line."""
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def processor_time(command: list[str], environment: dict[str, str]) -> float:
    """Seconds that a command and all processes it waits for take."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def types_named(config: Any) -> set[str]:
    """Names of our types in a config."""
    if isinstance(config, dict):
        own = str(config.get("type", ""))
        found = {own.removeprefix("mmdetpre.")} if own.startswith("mmdetpre.") else set()
        return found.union(*map(types_named, config.values()))
    return set().union(*map(types_named, config)) if isinstance(config, list | tuple) else set()


def medians(ways: Mapping[str, Callable[[], dict[str, float]]], repeats: int) -> dict[str, dict[str, float]]:
    """Median of each of the times that each way returns."""
    values: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    runs = {name: lambda name=name, way=way: values[name].append(way()) for name, way in ways.items()}
    in_turn(runs, repeats, warm_up=False)
    return {name: {key: median(one[key] for one in found) for key in found[0]} for name, found in values.items()}


def import_rows(repeats: int) -> Iterator[Row]:
    hosts = "import mmcv, mmengine"
    ways = {
        "hosts": partial(in_new_process, IMPORT.format(first="", then=hosts)),
        "ours": partial(in_new_process, IMPORT.format(first=f"{hosts}, mmcv.ops", then="import mmdetpre")),
    }
    seconds = medians(ways, repeats)
    yield Row(
        what="import mmdetpre, added to mmengine and mmcv",
        unit="s (CPU)",
        ours=seconds["ours"]["all"],
        theirs=seconds["hosts"]["all"],
        against="import mmengine, mmcv (torch above all)",
        bound=0.5,
    )


def type_rows(repeats: int) -> Iterator[Row]:
    from mmengine.config import Config

    names = sorted(types_named(Config.fromfile(OURS, import_custom_modules=False).to_dict()))
    toolboxes = "import mmdet.models, mmdet.datasets, mmdet.evaluation, mmseg.datasets, mmpretrain.datasets"
    ways = {
        "named": partial(in_new_process, ADDED, json.dumps([names, PACKAGES])),
        "every": partial(in_new_process, IMPORT.format(first=toolboxes, then=EVERY)),
    }
    seconds = medians(ways, repeats)
    total = seconds["named"].pop("all")
    for package, added in seconds["named"].items():
        yield Row(what=f"{package}: what a SNIPER config needs, beside mmdet", unit="s (CPU)", ours=added)
    yield Row(what=f"all of these: {len(names)} types added to mmdet's", unit="s (CPU)", ours=total, bound=0.5)
    what = "every type of every package, beside the three toolboxes"
    yield Row(what=what, unit="s (CPU)", ours=seconds["every"]["all"])


def configs_of_both(folder: Path) -> tuple[Config, Config]:
    """Our sample config, and mmdet's Faster R-CNN on the same images with the same backbone."""
    import mmdet
    from mmengine.config import Config

    root = f"{folder / 'data'}/"
    ours = Config.fromfile(OURS, import_custom_modules=False)
    faster_rcnn = Path(mmdet.__file__).parent / ".mim" / "configs" / "faster_rcnn" / "faster-rcnn_r50_fpn_1x_coco.py"
    theirs = Config.fromfile(faster_rcnn)
    classes = ours.classes
    ours.train_dataloader.dataset.dataset.data_root = root
    theirs.train_dataloader.dataset.update(data_root=root, metainfo=dict(classes=classes))
    theirs.train_dataloader.dataset.pipeline[2].scale = (256, 192)
    theirs.model.backbone = ours.model.backbone | dict(out_indices=(0, 1, 2, 3))
    theirs.model.neck.in_channels = [16, 32, 64, 128]
    theirs.model.roi_head.bbox_head.num_classes = len(classes)
    theirs.model.train_cfg.rcnn.sampler.num = 32  # regions, as ours
    for config, mining in ((ours, True), (theirs, False)):
        for part in ("val", "test"):
            for name in (f"{part}_dataloader", f"{part}_evaluator", f"{part}_cfg"):
                config[name] = None
        config.train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
        file = str(folder / f"{'ours' if mining else 'theirs'}.json")
        mark = dict(type="StartUpMarks", file=file, mining=mining)
        config.custom_hooks = [*config.get("custom_hooks", []), mark]
        imports = config.get("custom_imports", dict(imports=[]))["imports"]
        config.custom_imports = dict(imports=[*imports, "start_up_marks"])
    return ours, theirs


def training_rows(repeats: int) -> Iterator[Row]:
    from mmdetpre.compat.toolbox_commands import toolbox_name
    from mmdetpre.compat.warm_start import run_command, warm_start
    from mmdetpre.sample import make_sample
    from mmdetpre.study.runs.run_folder import environment

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_sample(folder / "data", layout="coco", train=64, validation=8, progress=False)
        (folder / "start_up_marks.py").write_text(HOOK)
        mim = str(Path(sys.executable).parent / "mim")
        path = {"PYTHONPATH": os.pathsep.join(filter(None, (name, os.environ.get("PYTHONPATH"))))}
        notes: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": [], "forked": []}

        def train(side: str) -> None:
            name = "ours" if side == "forked" else side
            words = [
                "train",
                toolbox_name("mmdet"),
                str(folder / f"{name}.py"),
                "--work-dir",
                str(folder / f"run_{side}"),
            ]
            if side == "forked":
                with open(folder / "log", "wb") as log:
                    if run_command(["mim", *words], cwd=folder, log=log.fileno(), env=warm):
                        raise RuntimeError(f"{' '.join(words)} failed:\n{Path(log.name).read_text()[-2000:]}")
                notes[side].append({"whole": json.loads((folder / "ours.json").read_text())["first step"]})
                return
            whole = processor_time([mim, *words], path)
            marks = json.loads((folder / f"{side}.json").read_text())
            times = {"mim, and the help it asks for": whole - marks["first step"], "whole": whole}
            times["mining"] = marks.pop("mining", 0.0)
            before = 0.0
            for step in STEPS:
                times[step], before = marks[step] - before, marks[step]
            times["data and loops"] -= times["mining"]
            notes[side].append(times)

        for side, config in zip(notes, configs_of_both(folder), strict=False):
            config.dump(folder / f"{side}.py")
        warm = environment(threads=1) | path
        with warm_start(warm):
            in_turn({side: partial(train, side) for side in notes}, max(repeats - 1, 1), warm_up=True)
        times = {
            side: {step: median(one[step] for one in runs[1:]) for step in runs[0]} for side, runs in notes.items()
        }
    yield Row(
        what="a training of a study, forked, to the first iteration",
        unit="s (CPU)",
        ours=times["forked"]["whole"],
        theirs=times["ours"]["whole"],
        against="the same by `mim train`",
        gain=3.5,
    )
    against = "Faster R-CNN of mmdet"
    for step, what in {
        "whole": "mim train to the first iteration",
        "mim, and the help it asks for": "mim train, of it mim and the help it asks for",
        "imports and config": "mim train, of it first imports and config",
        "model and hooks": "mim train, of it imports and building of model and hooks",
        "data and loops": "mim train, of it data set, loader, optimizer, loops",
        "mining": "mim train, of it mining the first chips: numba starts",
        "first batch": "mim train, of it first batch of 2",
        "first step": "mim train, of it first step (their head is wider)",
    }.items():
        theirs = times["theirs"][step]
        pair = (None, "") if step == "mining" else (theirs, against)
        yield Row(what=what, unit="s (CPU)", ours=times["ours"][step], theirs=pair[0], against=pair[1])


PARTS: dict[str, Callable[[int], Iterator[Row]]] = {
    "import": import_rows,
    "types": type_rows,
    "training": training_rows,
}


def rows(args: argparse.Namespace) -> Iterator[Row]:
    for part in args.parts:
        yield from PARTS[part](args.repeats)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (all)")
    parser.add_argument("--repeats", type=int, default=3, help="of each process, one less of mim train (default: 3)")


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
