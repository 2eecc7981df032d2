"""k nearest neighbors on stored features: a probe of a layer without training.

TRAIN and TEST are folders of extract_features.py. k is the one of --neighbors with which the training images, each
left out once, are best classified by the others.

Example: python tools/analysis_tools/knn_probe.py work_dirs/features/caltech256_train \\
    work_dirs/features/caltech256_test --layer conv5_pooled --out work_dirs/probes/caltech256_conv5_knn.json
"""

from __future__ import annotations

import argparse

from mmdetpre.analysis.probes.knn import METRICS, NEIGHBORS, knn_probe
from mmdetpre.cli.feature_arguments import add_probe, run_probe
from mmdetpre.cli.run_tool import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_probe(parser)
    parser.add_argument(
        "--neighbors", "--neighbours", type=int, nargs="+", default=NEIGHBORS, metavar="K",
        help="ks to choose from (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--metric", choices=METRICS, default="cosine", help="(%(default)s)")
    parser.add_argument("--weighted", action="store_true", help="near neighbors count more")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    return run_probe(args, lambda data: knn_probe(data, args.neighbors, args.metric, args.weighted))


if __name__ == "__main__":
    run_tool(main)
