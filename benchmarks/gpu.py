"""What SNIPER with ResNet-101 and deformable conv5 costs on one GPU: steps, operators, the loader, multi-scale tests.

    python benchmarks/gpu.py                           # all cases, as many as --seconds allow; again for the rest
    python benchmarks/gpu.py --device cpu --dry-run    # every code path on a tiny model; its figures mean nothing

``benchmarks/gpu.sh`` prepares a machine without network for it. Cases are batches of 16, 32 and 64 chips of 512 x 512
pixels in float32, TF32 and bfloat16 (``AmpOptimWrapper``; what it leaves in float32 takes TF32), with ``channels_last``
and with ``torch.compile`` of the stages without deformable convolutions. A step is mmengine's ``train_step``: copy to
the device, losses, gradients, new weights, on a batch in pinned memory as the loader stacks it. Every step is waited
for; the median counts. The limit is the time that the counted matrix products of the step would take at the rate that
the card reaches on large random matrices of the same type. Parts of a step are read in steps of their own, since
reading them waits for the device. Then the operators of ``operators.py`` on the device, the way of a batch to it beside
mmdet's, and how many chips of generated photos the workers of the loader bring there in a second, beside the fastest
step. A case that runs out of memory says so, and the next one goes on. Results are kept after every case, and cases
that are in the results already are not run again.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import chip_loader
import inference
import mmcv
import mmdet
import operators
import torch
from arithmetic import count_operations, matrix_rate, wait
from detector_batch import CONFIG, build_detector, build_optim_wrapper, chip_batch, training_step
from mmcv.ops import DeformConv2d
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmengine.config import Config
from mmengine.optim.optimizer import amp_optimizer_wrapper
from mmengine.registry import DefaultScope
from side_by_side import Row, in_turn, number, run
from torch.utils.data import DataLoader

from mmdetpre.compat.gpu_settings import MIXED, GpuSettings
from mmdetpre.datasets import parcel_collate
from mmdetpre.models import ChipDataPreprocessor
from mmdetpre.operators.stand_in import operators_in_use
from mmdetpre.utils.plain_text import counted

DRY_CONFIG = CONFIG.parent / "sniper_openimages_sample.py"
# A ResNet-50 of a sixteenth of the width, so that the sample's neck and heads fit, with deformable conv5.
DRY_OPTIONS = {
    "model.backbone.depth": 50,
    "model.backbone.base_channels": 4,
    "model.backbone.dcn": dict(_delete_=True, type="mmdetpre.DCN", deform_groups=1),
    "model.backbone.stage_with_dcn": (False, False, False, True),
    "model.roi_head.bbox_head.num_classes": 80,
    "model.train_cfg.rpn_proposal.max_per_img": 8,
    "model.train_cfg.rcnn.num_rois": 8,
}
TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
PARTS = ("data to device", "backbone and neck", "RPN and proposals", "RoI head", "backward", "optimizer", "rest")


@dataclass(frozen=True)
class Case:
    """One way to run the training step."""

    batch: int
    precision: str
    channels_last: bool = False
    compiled: bool = False

    def __str__(self) -> str:
        ways = [self.precision, "channels_last" * self.channels_last, "stages 1 to 3 compiled" * self.compiled]
        return f"batch {self.batch}, {', '.join(filter(None, ways))}"


def cases(batches: Iterable[int], compiled: bool) -> list[Case]:
    """All batches of the quick ways first: what takes minutes to compile comes last."""
    ways = [("fp32", False), ("tf32", False), ("bf16", False), ("bf16", True)]
    plain = [Case(batch, *way) for batch in batches for way in ways]
    return plain + [Case(batch, "bf16", True, True) for batch in batches if compiled]


@contextmanager
def precision(kind: str) -> Iterator[None]:
    """Allows TF32 in matrix products and convolutions or forbids it; torch's own choice differs between the two."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = kind != "fp32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def measure(case: Case, args: argparse.Namespace) -> dict[str, Any]:
    """Seconds, memory (bytes), operations, parts (seconds) and waits of one training step."""
    gpu = torch.device(args.device).type == "cuda"
    config, options = (DRY_CONFIG, DRY_OPTIONS) if args.dry_run else (CONFIG, {})
    with precision(case.precision):
        model = build_detector(None if args.dry_run else 101, args.device, config, options)
        if case.channels_last:
            model.to(memory_format=torch.channels_last)
        GpuSettings(tf32=case.precision != "fp32").apply(model)
        wrapper = build_optim_wrapper(model, config, **(MIXED if case.precision == "bf16" else {}))
        batch = pinned(chip_batch(case.batch, config=config), gpu)

        def step() -> None:
            training_step(model, batch, wrapper)
            wait(args.device)

        operations = count_operations(step, model)
        if case.compiled:
            compile_plain_stages(model.backbone)
        for _ in range(args.warm_up):
            step()
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        times = in_turn(dict(step=step), args.repeats, warm_up=False)["step"]
        return dict(
            seconds=times.median,
            fastest=min(times.seconds),
            slowest=max(times.seconds),
            bytes=torch.cuda.max_memory_allocated() if gpu else None,
            operations=operations,
            parts=parts_of_a_step(model, wrapper, step, args.device, args.repeats),
            waits=waits_of_a_step(lambda: training_step(model, batch, wrapper)) if gpu else None,
            rate=matrix_rate(args.device, TYPES[case.precision], 256 if args.dry_run else None),
        )


def pinned(batch: dict, gpu: bool) -> dict:
    """The batch with its images in memory that a GPU reads by itself."""
    return {**batch, "inputs": batch["inputs"].pin_memory()} if gpu else batch


def compile_plain_stages(backbone: Any) -> None:
    """Compiles the stages that have no deformable convolution.

    mmcv's operator breaks the graph at each of its blocks; the backbone as a whole then falls into pieces, of which
    torch compiles eight and leaves the others as they were.
    """
    for stage in map(backbone.get_submodule, backbone.res_layers):
        if not any(isinstance(layer, DeformConv2d) for layer in stage.modules()):
            stage.compile()


def parts_of_a_step(model: Any, wrapper: Any, step: Callable[[], None], device: str, repeats: int) -> dict[str, float]:
    """Median seconds of the parts of a step; the device is waited for at their borders."""
    places = {
        "data to device": (model.data_preprocessor, "forward"),
        "backbone and neck": (model, "extract_feat"),
        "RPN and proposals": (model.rpn_head, "loss_and_predict"),
        "RoI head": (model.roi_head, "loss"),
        "backward": (wrapper, "backward"),
        "optimizer": (wrapper, "step"),
    }
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            wait(device)
            began = time.perf_counter()
            result = work(*args, **kwargs)
            wait(device)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
            return result

        return call

    for name, (owner, method) in places.items():
        setattr(owner, method, timed(name, getattr(owner, method)))
    found: list[dict[str, float]] = []
    try:
        for _ in range(repeats):
            spent.clear()
            began = time.perf_counter()
            step()
            whole = time.perf_counter() - began
            found.append({**spent, "rest": whole - sum(spent.values())})
    finally:
        for owner, method in places.values():
            delattr(owner, method)
    return {name: median(each[name] for each in found) for name in PARTS}


def waits_of_a_step(step: Callable[[], Any]) -> list[str]:
    """Places where the processor waits for the GPU in one step, as torch's guard reports them."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found = [one for one in caught if "synchroniz" in str(one.message)]
    return [f"{Path(one.filename).name}:{one.lineno}" for one in found]


def training_rows(case: Case, found: dict[str, Any], baseline: float | None, model: str) -> Iterator[Row]:
    what = f"train {model}, {case}"
    compared = {} if baseline is None else dict(theirs=case.batch / baseline, against="fp32, same batch")
    yield Row(
        what=what,
        unit="chips/s",
        ours=case.batch / found["seconds"],
        limit=case.batch * found["rate"] / found["operations"],
        limit_is=f"matrix products alone, {found['rate'] / 1e12:.3g} TFLOP/s",
        **compared,  # type: ignore[arg-type]
    )
    if found["bytes"] is not None:
        yield Row(what=f"{what}: peak memory", unit="GiB", ours=found["bytes"] / 2**30)
    if found["waits"] is not None:
        yield Row(what=f"{what}: waits for the GPU", unit="per step", ours=len(found["waits"]))
    whole = sum(found["parts"].values())
    for name, seconds in found["parts"].items():
        yield Row(what=f"{what}: {name}", unit="% of step", ours=100 * max(seconds, 0.0) / whole)


class Results:
    """Outcome of each case by name, in files: the first that exists is read, all are written after every case."""

    def __init__(self, files: list[Path], device: str, dry_run: bool) -> None:
        self.files = files
        about = dict(machine=machine(device), dry_run=dry_run)
        kept = next((json.loads(path.read_text()) for path in files if path.is_file()), about | dict(cases={}))
        if kept["dry_run"] != dry_run or kept["machine"] != about["machine"]:
            raise SystemExit(f"{files[0]} has results of {kept['machine']}: give another file with --results.")
        self.kept: dict[str, Any] = kept

    def of(self, name: str, work: Callable[[], Any], device: str) -> Any:
        """The outcome of a case: the one that is kept, or what ``work`` returns; ``None`` if that ran out of memory."""
        outcomes = self.kept["cases"]
        if name not in outcomes:
            began = time.perf_counter()
            try:
                outcome = dict(found=work())
            except torch.OutOfMemoryError as error:
                outcome = dict(out_of_memory=str(error).split(". ")[0])
            except Exception:  # the machine is lent for minutes: the other cases go on
                traceback.print_exc()
                print(f"  {name}: FAILED (above); the next call tries it again", file=sys.stderr, flush=True)
                return None
            outcomes[name] = outcome | dict(took=round(time.perf_counter() - began, 1))
            torch.compiler.reset()
            gc.collect()
            if torch.device(device).type == "cuda":
                torch.cuda.empty_cache()
            for path in self.files:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(self.kept, indent=1) + "\n")
        outcome = outcomes[name]
        if "out_of_memory" in outcome:
            print(f"  {name}: out of memory ({outcome['out_of_memory']})", file=sys.stderr, flush=True)
        return outcome.get("found")


def machine(device: str) -> dict[str, str]:
    """What the figures belong to."""
    gpu = torch.device(device).type == "cuda"
    return dict(
        device=torch.cuda.get_device_name(device) if gpu else platform.processor() or "CPU",
        torch=torch.__version__,
        cuda=str(torch.version.cuda),
        mmcv=mmcv.__version__,
        operators=operators_in_use(),
        mmdet=mmdet.__version__,
        python=platform.python_version(),
    )


def inference_rows(args: argparse.Namespace) -> list[dict]:
    dry = dict(config=DRY_CONFIG, depth=18, shrink=1.0, batch=2, repeats=1)
    real = dict(config=CONFIG, depth=101, shrink=1.0, batch=args.images, repeats=args.repeats)
    settings = argparse.Namespace(device=args.device, threads=1, **(dry if args.dry_run else real))
    with precision("tf32"):
        return [asdict(row) for row in inference.rows(settings)]


def operator_rows(args: argparse.Namespace) -> list[dict]:
    """The operators on the device, in float32 without TF32, so that their results can be compared."""
    sizes = dict(boxes=50, regions=4, channels=8) if args.dry_run else dict(boxes=6000, regions=300, channels=512)
    repeats = dict(repeats=1 if args.dry_run else args.repeats, seconds=0.0)
    with precision("fp32"):
        return [asdict(row) for row in operators.rows(argparse.Namespace(device=args.device, **sizes, **repeats))]


def batch_rows(args: argparse.Namespace) -> list[dict]:
    """A batch to the device and normalized: one tensor in pinned memory, beside mmdet's image after image."""
    gpu, found = torch.device(args.device).type == "cuda", []
    given = dict(Config.fromfile(DRY_CONFIG if args.dry_run else CONFIG).model.data_preprocessor, type=None)
    del given["type"]
    for count in args.batches:
        batch = chip_batch(count, config=DRY_CONFIG if args.dry_run else CONFIG)
        stacked, separate = pinned(batch, gpu)["inputs"], list(batch["inputs"])
        ours = ChipDataPreprocessor(**given, non_blocking=True).to(args.device)
        theirs = DetDataPreprocessor(**given).to(args.device)

        def waited(preprocessor: Any, images: Any) -> torch.Tensor:
            result = preprocessor({"inputs": images}, True)["inputs"]
            wait(args.device)
            return result

        ways = dict(ours=partial(waited, ours, stacked), theirs=partial(waited, theirs, separate))
        times = in_turn(ways, args.repeats)
        if not torch.equal(times["ours"].result, times["theirs"].result):
            raise RuntimeError("The two preprocessors differ: the comparison would mean nothing.")
        ours_ms, theirs_ms = (1e3 * times[way].median for way in ways)
        found.append(
            Row(
                what=f"a batch of {count} chips to the device, normalized",
                unit="ms",
                ours=ours_ms,
                theirs=theirs_ms,
                against="mmdet's preprocessor (equal results)",
            )
        )
    return [asdict(row) for row in found]


def loader_rate(args: argparse.Namespace) -> dict[str, Any]:
    """Chips per second that worker processes bring to the device, from JPEG files of generated photos."""
    gpu, workers = torch.device(args.device).type == "cuda", 1 if args.dry_run else args.workers
    look, seconds = chip_loader.LOOKS["COCO"], 0.0 if args.dry_run else 10.0
    config = Config.fromfile(chip_loader.CONFIGS / look.config)
    with TemporaryDirectory() as folder, DefaultScope.overwrite_default_scope("mmdet"), chip_loader.no_messages():
        photos = chip_loader.generated(look, 4 if args.dry_run else args.photos, 0)
        chip_loader.write_data(Path(folder), photos, 0)
        batches = chip_loader.batches_of(chip_loader.chip_dataset(config, Path(folder)), workers, 0)
        preprocessor = ChipDataPreprocessor(non_blocking=True).to(args.device)
        loader = DataLoader(batches.sampler.dataset, batch_sampler=batches, collate_fn=parcel_collate,
                            num_workers=workers, persistent_workers=True, pin_memory=gpu)  # fmt: skip

        def epoch() -> int:
            chips = sum(len(preprocessor(batch)["inputs"]) for batch in loader)
            wait(args.device)
            return chips

        epoch()  # workers start
        began, chips = time.perf_counter(), epoch()
        while time.perf_counter() - began < seconds:
            chips += epoch()
        return dict(rate=chips / (time.perf_counter() - began), workers=workers)


def loader_row(found: dict[str, Any], steps: dict[str, float], prefix: str) -> Row:
    """The rate of the loader beside that of the fastest step: chips/s."""
    compared: dict[str, Any] = {}
    if steps:
        fastest = max(steps, key=lambda name: steps[name])
        compared = dict(theirs=steps[fastest], against=f"chips that the fastest step takes ({fastest})")
    what = f"{prefix}loader, {counted(found['workers'], 'worker')}, generated photos of COCO's size, to the device"
    return Row(what=what, unit="chips/s", ours=found["rate"], gain=1.0 if steps else None,
               reason="the step waits for its data: more workers, or photos of a smaller size", **compared)  # fmt: skip


def rows(args: argparse.Namespace) -> Iterator[Row]:
    if torch.device(args.device).type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here. On the CPU only --device cpu --dry-run makes sense.")
    if args.device == "cpu":
        if not args.dry_run:
            raise SystemExit("Cases of this size take hours on a CPU: add --dry-run for a tiny model.")
        # mmengine refuses mixed precision without a GPU, though its autocast works on the CPU.
        amp_optimizer_wrapper.is_cuda_available = lambda: True
        torch.set_num_threads(1)
    if args.dry_run:
        print("DRY RUN of a tiny model: none of these figures is a result.", file=sys.stderr)
    name = "DRY RUN tiny SNIPER" if args.dry_run else "SNIPER R-101 DCN"
    results, began, left = Results(args.results, args.device, args.dry_run), time.perf_counter(), []
    baseline: dict[int, float] = {}
    rates: dict[str, float] = {}
    by_name = {str(case): case for case in cases(args.batches, args.compile)}
    work: dict[str, Callable[[], Any]] = {key: partial(measure, case, args) for key, case in by_name.items()}
    work["operators"] = partial(operator_rows, args)
    work["batches"] = partial(batch_rows, args)
    work["loader"] = partial(loader_rate, args)
    work["inference, TF32"] = partial(inference_rows, args)
    for key, start in work.items():
        if key not in results.kept["cases"] and time.perf_counter() - began > args.seconds:
            left.append(key)
            continue
        found = results.of(key, start, args.device)
        if found is None:
            continue
        if key in by_name:
            case = by_name[key]
            rates[key] = case.batch / found["seconds"]
            if case.precision == "fp32":
                baseline[case.batch] = found["seconds"]
            reference = baseline.get(case.batch) if case.precision != "fp32" else None
            yield from training_rows(case, found, reference, name)
            for place in sorted(set(found["waits"] or [])):
                print(f"    waits at {place}", file=sys.stderr)
        elif key == "loader":
            yield loader_row(found, rates, "DRY RUN " * args.dry_run)
        else:
            end = key.removeprefix("inference") if key.startswith("inference") else f", {args.device}"
            for row in found:
                yield Row(**row | dict(what=f"{'DRY RUN ' * args.dry_run}{row['what']}{end}"))
    if left:
        print(
            f"{len(left)} cases are left after {number(args.seconds)} s; run again: {'; '.join(left)}", file=sys.stderr
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cuda", help="(%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="a tiny model: does every path of the code run?")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32, 64], metavar="N", help="chips (%(default)s)")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="also torch.compile")
    parser.add_argument("--images", type=int, default=8, help="of a scale at once in the test (%(default)s)")
    parser.add_argument("--photos", type=int, default=256, help="generated for the loader (%(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the loader (%(default)s)")
    parser.add_argument("--warm-up", type=int, default=5, help="steps before (%(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="steps, of which the median counts (%(default)s)")
    parser.add_argument("--seconds", type=float, default=420, help="no case begins later (%(default)s)")
    default = [Path("benchmarks/results/gpu/cases.json")]
    parser.add_argument(
        "--results", type=Path, nargs="+", default=default, metavar="FILE", help="where outcomes are kept"
    )


if __name__ == "__main__":
    raise SystemExit(run(__doc__, rows, arguments))
