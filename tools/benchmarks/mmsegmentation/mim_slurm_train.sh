#!/usr/bin/env bash
# Train a segmentor of mmsegmentation from a backbone file, with slurm. Settings: ../common.sh.
#   PARTITION=name GPUS=8 tools/benchmarks/mmsegmentation/mim_slurm_train.sh CONFIG BACKBONE [arguments of mim train...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark train mmsegmentation slurm "$@"
