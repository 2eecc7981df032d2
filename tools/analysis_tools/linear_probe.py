"""Linear probe of stored features: softmax regression on a layer of TRAIN, tested on TEST (Tables 6 and 7).

TRAIN and TEST are folders of extract_features.py. The regularization is chosen on a part of the training images, once
per seed; the result holds accuracy, balanced accuracy, 95 % intervals, the spread over the seeds and the sweep.

Example: python tools/analysis_tools/linear_probe.py work_dirs/features/caltech256_train \\
    work_dirs/features/caltech256_test --layer conv5_pooled --out work_dirs/probes/caltech256_conv5.json
"""

from __future__ import annotations

import argparse

from mmdetpre.analysis.probes.linear import linear_probe
from mmdetpre.cli.feature_arguments import add_linear_settings, add_probe, run_probe
from mmdetpre.cli.run_tool import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_probe(parser)
    add_linear_settings(parser)
    parser.add_argument("--validation", type=float, default=0.2, help="part to choose by (%(default)s)")
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    return run_probe(args, lambda data: linear_probe(data, args.l2, args.seeds, args.validation))


if __name__ == "__main__":
    run_tool(main)
