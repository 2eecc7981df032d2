#!/usr/bin/env bash
# Train a classifier of mmpretrain from a backbone file, on this machine. Settings: ../common.sh.
#   GPUS=8 tools/benchmarks/mmpretrain/mim_dist_train.sh CONFIG BACKBONE [arguments of mim train...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark train mmpretrain dist "$@"
