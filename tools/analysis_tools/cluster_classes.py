"""Cluster the classes of a chip data set into super-classes for R-FCN-3000, by what a backbone sees in their boxes.

The mean feature of each class (the backbone's last map, averaged over each box) is clustered with K-means. The file
goes into the config as roi_head.super_classes, with roi_head.classes being the class list of the data set.

Example: python tools/analysis_tools/cluster_classes.py configs/det/sniper_imagenet_loc.py resnet101.pth --clusters 20
         --out data/imagenet_loc/clusters_20.json
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from mmengine.config import DictAction

from mmdetpre.analysis.super_classes.chip_features import class_means_of_config
from mmdetpre.analysis.super_classes.clusters import cluster_classes, write_clusters
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.transfer.load_report import BackboneNotLoaded


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="training config whose train_dataloader.dataset is a mmdetpre.ChipDataset")
    parser.add_argument("checkpoint", help="weights of the backbone, alone or in a detector or classifier")
    parser.add_argument("--clusters", type=int, required=True, help="number of super-classes")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--seed", type=int, default=0, help="seed of K-means (%(default)s)")
    parser.add_argument("--max-chips", type=int, help="look at about so many chips instead of all")
    parser.add_argument("--device", default="cpu", help="where the backbone runs (%(default)s)")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, help="override config values, as key=value")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    if args.out.exists() and not args.force:  # before the work, not after it
        raise FileExistsError(f"{args.out} exists: choose another --out, or add --force to overwrite it.")
    means, classes = class_means_of_config(
        args.config, args.checkpoint, args.device, args.max_chips, options=args.cfg_options
    )
    clusters = cluster_classes(means.mean(classes), args.clusters, args.seed)
    settings = dict(
        config=args.config,
        checkpoint=Path(args.checkpoint).name,
        checkpoint_sha256=_sha256(args.checkpoint),
        clusters=args.clusters,
        seed=args.seed,
        max_chips=args.max_chips,
        boxes=int(means.counts.sum()),
    )
    write_clusters(args.out, classes, clusters, settings, force=args.force)
    for cluster in range(args.clusters):
        members = [c for c, k in zip(classes, clusters, strict=True) if k == cluster]
        print(f"{cluster}: {len(members)} classes: {', '.join(members[:8])}{', ...' if len(members) > 8 else ''}")
    print(f"Written to {args.out}")
    return 0


def _sha256(path: str) -> str | None:
    """Digest of a local checkpoint; an address has none."""
    if not Path(path).is_file():
        return None
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


if __name__ == "__main__":
    run_tool(main, BackboneNotLoaded)
