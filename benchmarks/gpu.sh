#!/usr/bin/env bash
# Tests and measures SNIPER on a machine with one NVIDIA GPU, torch 2.11 with CUDA and nvcc; it needs no network.
#
# Usage: benchmarks/gpu.sh [STEP...]         steps, each under ten minutes; without any: build test measure
#
#   prepare   on a machine with network, after `make setup`: fetches into gpu_wheels/ what the GPU machine lacks.
#             HAVE=FILE names the packages that are there (`pip list --format=freeze` there; without: only torch,
#             torchvision and NumPy). Copy the repository with gpu_wheels/ to the GPU machine.
#   build     installs them into SITE beside what the machine has, and compiles mmcv's operators for its GPU. Stopped
#             half-way it goes on from there. The finished wheel is left in OUT: put it into gpu_wheels/ and the next
#             machine need not compile. Where `make setup` made a .venv with CUDA operators, nothing is to be done.
#   test      the detectors' tests on CUDA: heads, targets, losses, training step, mixed precision, inference
#   measure   benchmarks/gpu.py; what does not fit into its time is left for the next call
#
#   OUT=benchmarks/results/gpu   results and logs; WORK=/tmp/mmdetpre_gpu   what must outlast a call; PYTHON, MAX_JOBS
#
# Without a GPU, the last step can be tried: MEASURE="--device cpu --dry-run" benchmarks/gpu.sh measure
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT="$PWD"
OUT="${OUT:-benchmarks/results/gpu}"
WORK="${WORK:-/tmp/mmdetpre_gpu}"
SITE="$WORK/site"
if [ -z "${PYTHON:-}" ]; then
    if [ -x .venv/bin/python ]; then PYTHON="$ROOT/.venv/bin/python"; else PYTHON=python3; fi
fi
MMCV=mmcv-2.1.0
mkdir -p "$OUT" "$WORK"
OUT="$(cd "$OUT" && pwd)"
export PYTHONPATH="$SITE:$ROOT${PYTHONPATH:+:$PYTHONPATH}" # our packages before the machine's own
export PATH="$SITE/bin:$PATH" # ninja

fail() { printf 'gpu.sh: %s\n' "$1" >&2; exit 1; }

# Runs a command within nine and a half minutes, its output also in OUT.
logged() {
    local log="$OUT/$1"; shift
    set +e
    timeout --signal=INT --kill-after=10 570 "$@" 2>&1 | tee "$log"
    local status="${PIPESTATUS[0]}"
    set -e
    return "$status"
}

operators_for_gpu() {
    "$PYTHON" -c '
import torch, mmcv.ops, mmdet, mmdetpre
from mmcv._ext import get_compiling_cuda_version as version
assert torch.cuda.is_available(), "torch sees no GPU"
assert version() != "not available", "the operators of mmcv are for the CPU only"
print("mmcv", mmcv.__version__, "for CUDA", version(), "on", torch.cuda.get_device_name())'
}

prepare() {
    "$PYTHON" benchmarks/gpu_packages.py ${HAVE:+--have "$HAVE"}
}

# Wheels of gpu_wheels/ whose package the machine lacks; setuptools always, for mmcv's build needs an older one.
missing_wheels() {
    "$PYTHON" - <<'PY'
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

for wheel in sorted(Path("gpu_wheels").glob("*.whl")):
    name = wheel.name.split("-")[0]
    if name == "mmcv":
        continue
    try:
        distribution(name)
    except PackageNotFoundError:
        print(wheel)
    else:
        if name == "setuptools":
            print(wheel)
PY
}

install() {
    "$PYTHON" -m pip install --quiet --no-index --no-deps --no-cache-dir --disable-pip-version-check --upgrade \
        --target "$SITE" "$@"
}

build() {
    if operators_for_gpu 2>"$WORK/missing.txt"; then return; fi
    [ "$PYTHON" != "$ROOT/.venv/bin/python" ] || fail "in .venv: $(tail -n 1 "$WORK/missing.txt"). Run FORCE_CUDA=1 make setup"
    "$PYTHON" -c 'import torch; assert torch.cuda.is_available()' || fail "torch sees no GPU with $PYTHON"
    [ -d gpu_wheels ] || fail "there is no gpu_wheels/: run 'benchmarks/gpu.sh prepare' where there is network"
    local wheels ready
    mapfile -t wheels < <(missing_wheels)
    echo "Installing ${#wheels[@]} packages into $SITE"
    [ "${#wheels[@]}" = 0 ] || install "${wheels[@]}"
    for ready in gpu_wheels/"$MMCV"-*.whl "$WORK/$MMCV"/dist/*.whl; do
        [ -f "$ready" ] || continue
        if install "$ready" && operators_for_gpu; then return; fi
        echo "$ready does not fit: it was built for another Python, torch or GPU"
    done
    [ -d "$WORK/$MMCV" ] || tar -xzf "gpu_wheels/$MMCV.tar.gz" -C "$WORK"
    echo "Compiling mmcv's operators: about five minutes on 16 cores"
    compile || fail "mmcv is not finished: see build.log; after a time-out 'build' goes on where it was"
    cp "$WORK/$MMCV"/dist/*.whl "$OUT"/
    install "$WORK/$MMCV"/dist/*.whl
    operators_for_gpu
}

# What torch's ninja has compiled stays in the source folder.
compile() {
    local archs headers
    archs="$("$PYTHON" -c 'import torch; print("%d.%d" % torch.cuda.get_device_capability())')"
    headers="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13/include"
    [ ! -d "$headers" ] || export CPATH="$headers${CPATH:+:$CPATH}" # toolkits without the cuBLAS headers
    export MMCV_WITH_OPS=1 FORCE_CUDA=1 TORCH_CUDA_ARCH_LIST="${TORCH_CUDA_ARCH_LIST:-$archs}"
    export CFLAGS="${CFLAGS:--O1 -g0}" MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}"
    rm -rf "${WORK:?}/$MMCV/dist"
    logged build.log env --chdir="$WORK/$MMCV" "$PYTHON" setup.py -q bdist_wheel
}

test_on_gpu() {
    operators_for_gpu || fail "run 'benchmarks/gpu.sh build' first"
    local junit="$OUT/test.xml"
    MMDETPRE_TEST_GPU=1 logged test.log "$PYTHON" -m pytest -q -p no:cacheprovider --junitxml="$junit" \
        tests/models tests/inference/test_detector.py
}

measure() {
    local arguments=(--results "$WORK/cases.json" "$OUT/cases.json")
    # shellcheck disable=SC2086 # several arguments
    logged measure.log "$PYTHON" -W ignore benchmarks/gpu.py "${arguments[@]}" --json "$OUT/rows.json" \
        ${MEASURE:-}
}

for step in "${@:-build test measure}"; do
    for name in $step; do
        case "$name" in
            prepare | build | measure) "$name" ;;
            test) test_on_gpu ;;
            *) fail "no step '$name': there are prepare, build, test and measure" ;;
        esac
    done
done
