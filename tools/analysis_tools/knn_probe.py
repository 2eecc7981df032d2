"""k nearest neighbours on stored features: a probe of a layer without training.

TRAIN and TEST are folders of extract_features.py. k is the one of --neighbours with which the training images, each
left out once, are best classified by the others.

Example: python tools/analysis_tools/knn_probe.py work_dirs/features/caltech256_train \\
    work_dirs/features/caltech256_test --layer conv5_pooled --out work_dirs/probes/caltech256_conv5_knn.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdetpre.analysis.features.feature_file import read_features
from mmdetpre.analysis.probes.data import probe_data
from mmdetpre.analysis.probes.knn import METRICS, NEIGHBOURS, knn_probe
from mmdetpre.analysis.probes.scores import result_head, result_line, write_result
from mmdetpre.cli.run_tool import run_tool
from mmdetpre.utils.file_arguments import require_new_files


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, help="features with known classes")
    parser.add_argument("test", type=Path, help="features to test on")
    parser.add_argument("--layer", help="the layer; may be left out if there is one only")
    parser.add_argument("--out", type=Path, help="result to write, .json")
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument(
        "--neighbours", type=int, nargs="+", default=NEIGHBOURS, metavar="K", help="ks to choose from (%(default)s)"
    )
    parser.add_argument("--metric", choices=METRICS, default="cosine", help="(%(default)s)")
    parser.add_argument("--weighted", action="store_true", help="near neighbours count more")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    require_new_files([(args.out, (".json",))], force=args.force)
    train, test = read_features(args.train), read_features(args.test)
    data = probe_data(train, test, args.layer)
    found = knn_probe(data, args.neighbours, args.metric, args.weighted)
    result = {**result_head(train, test, data.layer, data.classes), **found}
    if args.out:
        write_result(args.out, result, overwrite=args.force)
    print(result_line(result))
    if args.out:
        print(f"Written to {args.out}")
    return 0


if __name__ == "__main__":
    run_tool(main)
