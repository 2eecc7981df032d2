#!/usr/bin/env bash
# Test what mim_dist_train.sh trained from a backbone file, on this machine. Settings: ../common.sh.
#   GPUS=8 tools/benchmarks/mmsegmentation/mim_dist_test.sh CONFIG BACKBONE [arguments of mim test...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
benchmark test mmsegmentation dist "$@"
