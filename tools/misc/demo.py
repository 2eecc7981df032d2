"""From end to end on synthetic data: make a sample, train SNIPER from chips, test it, draw its chips and detections.

Example: mmdetpre demo            (`make demo` sets everything up and runs it)

The sample goes into data/sample of the current folder. Every step is skipped if its result exists; an interrupted
training resumes from its last checkpoint. To start from scratch, remove the folder that is printed at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from mmdetpre.checkpoints.newest_whole import newest_whole
from mmdetpre.compat.toolbox_commands import testing_command, training_command
from mmdetpre.compat.warm_start import shown_command, warm_start
from mmdetpre.config_files import find_config
from mmdetpre.datasets.chips.from_config import load_chip_dataset
from mmdetpre.datasets.from_config import open_dataset
from mmdetpre.sample import make_sample
from mmdetpre.study.runs.run_folder import environment
from mmdetpre.utils.bounded_files import read_json
from mmdetpre.utils.plain_text import printable
from mmdetpre.utils.whole_file import write_json, write_picture
from mmdetpre.visualization.chip_views import browse_chips
from mmdetpre.visualization.detections import detection_grid, draw_detections

CONFIG = find_config("sniper_openimages_sample")
METRIC = "openimages/AP50"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("work_dirs/demo"), help="folder of the results (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the training (%(default)s)")
    parser.add_argument("--sample-only", action="store_true", help="make the sample, and stop")
    return parser.parse_args()


def claim(out: Path, seed: int) -> None:
    """Makes the folder of results, or checks that what it holds is of the same settings.

    Raises:
        ValueError: If the folder is of another seed or config, or was not made by the demo.
    """
    text = Config.fromfile(CONFIG).pretty_text
    stamp = dict(seed=seed, config=hashlib.sha256(text.encode()).hexdigest())
    path = out / "demo.json"
    if not out.exists():
        out.mkdir(parents=True)
        write_json(path, stamp)
    elif not path.exists() or read_json(path) != stamp:
        raise ValueError(f"{out} holds results of another seed or config. Choose another --out, or: rm -r {out}")


def print_step(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def train(out: Path, seed: int) -> Path:
    """Trains to the last epoch, resuming where an earlier run stopped; returns the checkpoint."""
    cfg = Config.fromfile(CONFIG)
    last = out / f"epoch_{cfg.train_cfg.max_epochs}.pth"
    if last.exists():
        print(f"{last} already exists, skipped.")
        return last
    resume = ["--resume"] if newest_whole(out).path else []
    arguments = ["--work-dir", out, *resume, "--cfg-options", f"randomness.seed={seed}"]
    shown_command(training_command("mmdet", CONFIG, *arguments), cwd=".", env=environment())
    return last


def test(checkpoint: Path, out: Path) -> float:
    """mAP at IoU 0.5 of a checkpoint on the validation part."""
    result = out / "metrics.json"
    if not (result.exists() and result.stat().st_mtime >= checkpoint.stat().st_mtime):
        folder = out / "test"
        shutil.rmtree(folder, ignore_errors=True)
        command = testing_command("mmdet", CONFIG, checkpoint, "--work-dir", folder)
        shown_command(command, cwd=".", env=environment())
        (metrics,) = folder.glob("*/*.json")
        write_json(result, read_json(metrics))
    return read_json(result)[METRIC]


def test_untrained(out: Path) -> float:
    """mAP at IoU 0.5 of the detector before training."""
    result = out / "metrics_before_training.json"
    if not result.exists():
        cfg = Config.fromfile(CONFIG)
        cfg.work_dir, cfg.experiment_name = str(out / "test_before_training"), "before_training"
        runner = Runner.from_cfg(cfg)
        runner.model.init_weights()
        write_json(result, runner.test())
    return read_json(result)[METRIC]


def draw_chips(folder: Path, count: int = 4) -> None:
    """What `tools/analysis_tools/browse_chips.py` draws."""
    dataset = load_chip_dataset(CONFIG)
    partial = folder.with_name("chips.partial")
    browse_chips(dataset, partial, count, force=True)
    partial.rename(folder)


def draw_findings(checkpoint: Path, path: Path, count: int = 8, score_thr: float = 0.3) -> None:
    """A grid of validation images: ground truth beside detections."""
    from mmdet.apis import inference_detector, init_detector  # takes seconds, which the first step need not wait for

    model = init_detector(str(CONFIG), str(checkpoint), device="cpu")
    dataset = open_dataset(CONFIG, "val")
    pictures = []
    for index in range(count):
        info = dataset.get_data_info(index)
        truth = InstanceData(
            bboxes=[i["bbox"] for i in info["instances"]], labels=[i["bbox_label"] for i in info["instances"]]
        )
        found = inference_detector(model, info["img_path"]).pred_instances
        image = cv2.cvtColor(cv2.imread(info["img_path"]), cv2.COLOR_BGR2RGB)
        pictures.append(draw_detections(image, truth, found, dataset.metainfo["classes"], score_thr))
    write_picture(path, detection_grid(pictures, score_thr=score_thr))


def main() -> int:
    args = parse_args()
    out = args.out.resolve()
    began = time.monotonic()
    try:
        claim(out, args.seed)
        print_step("1/5 Make the sample (OpenImages layout)")
        make_sample("data/sample")
        if args.sample_only:
            print("Sample ready: data/sample")
            return 0
        with warm_start(environment()):
            print_step("2/5 Train SNIPER on chips of the sample")
            checkpoint = train(out, args.seed)
            print_step("3/5 Test the checkpoint, and the detector before training")
            after = test(checkpoint, out)
        before = test_untrained(out)
        print_step("4/5 Draw mined chips")
        chips = out / "chips"
        if not chips.exists():
            draw_chips(chips)
        print_step("5/5 Draw detections")
        detections = out / "detections.png"
        if not detections.exists() or detections.stat().st_mtime < checkpoint.stat().st_mtime:
            draw_findings(checkpoint, detections)
    except subprocess.CalledProcessError as error:
        print(
            f"\nThe demo stopped at the command above (exit {error.returncode}). Run it again to continue.",
            file=sys.stderr,
        )
        return 1
    except (OSError, ValueError) as error:
        print(f"\nThe demo stopped: {printable(error)}", file=sys.stderr)
        return 1
    print(
        f"\nmAP@0.5 on the {Path('data/sample')} validation images: {after:.3f} (before training {before:.3f})"
        f"\nmined chips: {chips}/\ndetections:  {detections}\ncheckpoint:  {checkpoint}"
        f"\n{time.monotonic() - began:.0f} s. To start from scratch: rm -r {out}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
