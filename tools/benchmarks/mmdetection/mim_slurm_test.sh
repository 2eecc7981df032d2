#!/usr/bin/env bash
# Test what mim_slurm_train.sh trained from a backbone file, with slurm. Settings: ../common.sh.
#   PARTITION=name GPUS=8 tools/benchmarks/mmdetection/mim_slurm_test.sh CONFIG BACKBONE [arguments of mim test...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark test mmdet slurm "$@"
