#!/usr/bin/env bash
# Train a classifier of mmpretrain from a backbone file, with slurm. Settings: ../common.sh.
#   PARTITION=name GPUS=8 tools/benchmarks/mmpretrain/mim_slurm_train.sh CONFIG BACKBONE [arguments of mim train...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark train mmpretrain slurm "$@"
