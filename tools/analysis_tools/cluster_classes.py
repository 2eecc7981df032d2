"""Cluster the classes of a chip data set into super-classes for R-FCN-3000, by what a backbone sees in their boxes.

The mean feature of each class (the backbone's last map, averaged over each box) is clustered with K-means. The file
goes into the config as roi_head.super_classes, with roi_head.classes being the class list of the data set.

Example: python tools/analysis_tools/cluster_classes.py configs/det/sniper_imagenet_loc.py resnet101.pth --clusters 20
         --out data/imagenet_loc/clusters_20.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.analysis.super_classes.chip_features import class_means_of_config
from mmdetpre.analysis.super_classes.clusters import SuperClasses, cluster_classes
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer.load_report import BackboneNotLoaded
from mmdetpre.utils.bounded_files import file_sha256
from mmdetpre.utils.file_arguments import require_new_files
from mmdetpre.utils.results import write_results


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="training config whose train_dataloader.dataset is a mmdetpre.ChipDataset")
    parser.add_argument("checkpoint", help="weights of the backbone, alone or in a detector or classifier")
    parser.add_argument("--clusters", type=int, required=True, help="number of super-classes")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--seed", type=int, default=0, help="seed of K-means (%(default)s)")
    parser.add_argument("--max-chips", type=int, help="use about N chips instead of all")
    parser.add_argument("--device", default="cpu", help="where the backbone runs (%(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values, as key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".json",))], force=args.force)
    means, classes = class_means_of_config(
        args.config, args.checkpoint, args.device, args.max_chips, options=args.cfg_options
    )
    clusters = cluster_classes(means.mean(classes), args.clusters, args.seed).tolist()
    settings = dict(
        config=args.config,
        checkpoint=Path(args.checkpoint).name,
        checkpoint_sha256=file_sha256(args.checkpoint) if Path(args.checkpoint).is_file() else None,
        clusters=args.clusters,
        seed=args.seed,
        max_chips=args.max_chips,
        boxes=int(means.counts.sum()),
    )
    result = SuperClasses(dict(zip(classes, clusters, strict=True)), settings)
    write_results(args.out, [result], overwrite=args.force)
    print(f"{result}\nWritten to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
