#!/usr/bin/env bash
# Train a detector of mmdet from a backbone file, with slurm. Settings: ../common.sh.
#   PARTITION=name GPUS=8 tools/benchmarks/mmdetection/mim_slurm_train.sh CONFIG BACKBONE [arguments of mim train...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark train mmdet slurm "$@"
