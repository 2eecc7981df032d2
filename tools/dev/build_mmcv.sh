#!/usr/bin/env bash
# Compiles mmcv with its own operators and puts it into .venv in place of mmcv-lite. Nobody needs it: torchvision's operators
# do the same. It is there to hold them against mmcv's (tests and benchmarks then compare both).
#
# Usage: make setup WITH_MMCV_OPS=1        (about 6 minutes on 2 cores, once per machine; needs a C++ compiler and Python.h)
#
#   FORCE_CUDA=0|1           without or with CUDA (default: with, if nvcc and a GPU are there)
#   MAX_JOBS=N               compilers that run at once (default: all cores)
#   XDG_CACHE_HOME=DIR       the finished wheel is kept in DIR/mmdetpre (default: ~/.cache/mmdetpre)
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$ROOT"
CXX="${CXX:-c++}"
VENV="$ROOT/.venv"
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/mmdetpre"
MMCV_VERSION=2.1.0

fail() { printf '\nSet-up stopped: %s\n' "$1" >&2; exit 1; }

# Path of nvcc, or nothing.
find_nvcc() {
    local nvcc="${CUDA_HOME:-/usr/local/cuda}/bin/nvcc"
    if [ -x "$nvcc" ]; then echo "$nvcc"; else command -v nvcc || true; fi
}

check_compiler() {
    local source="$VENV/compiler-check.cpp" include
    include="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
    command -v "$CXX" >/dev/null || fail "no C++ compiler '$CXX'; mmcv's operators need one. On Debian or Ubuntu: apt-get install g++ (or set CXX)"
    [ -f "$include/Python.h" ] || fail "Python.h is not in $include; mmcv's operators need it. On Debian or Ubuntu: apt-get install python3-dev"
    printf '#include <vector>\nint main() { return std::vector<int>().size(); }\n' >"$source"
    "$CXX" -std=c++17 -o "$VENV/compiler-check" "$source" || fail "'$CXX' cannot compile a C++17 program (output above). Set CXX to one that can"
    rm -f "$source" "$VENV/compiler-check"
}

# Decides whether mmcv's operators are built with CUDA; sets cuda (0 or 1) and cuda_why.
choose_cuda() {
    local nvcc torch_cuda nvcc_cuda
    nvcc="$(find_nvcc)"
    torch_cuda="$("$VENV/bin/python" -c 'import torch; print((torch.version.cuda or "none").split(".")[0] if torch.cuda.is_available() else "none")' 2>/dev/null)"
    nvcc_cuda="$([ -n "$nvcc" ] && "$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p' || true)"
    cuda=0
    if [ "${FORCE_CUDA:-}" = 0 ]; then
        cuda_why="for the CPU, as FORCE_CUDA=0 says"
    elif [ "${FORCE_CUDA:-}" = 1 ]; then
        [ -n "$nvcc_cuda" ] || fail "FORCE_CUDA=1, but there is no nvcc. Install the CUDA toolkit and set CUDA_HOME, or leave FORCE_CUDA out"
        cuda=1
        cuda_why="with CUDA, as FORCE_CUDA=1 says"
    elif [ "$torch_cuda" = none ]; then
        cuda_why="for the CPU (torch sees no GPU)"
    elif [ -z "$nvcc_cuda" ]; then
        cuda_why="for the CPU only: there is a GPU but no nvcc. For operators on the GPU install CUDA $torch_cuda, set CUDA_HOME, and run this again"
    elif [ "$nvcc_cuda" != "$torch_cuda" ]; then
        cuda_why="for the CPU only: nvcc is of CUDA $nvcc_cuda, torch of CUDA $torch_cuda. For operators on the GPU install CUDA $torch_cuda and run this again"
    else
        cuda=1
        cuda_why="with CUDA $nvcc_cuda"
    fi
}

# Name of the cache directory of a wheel: everything that its binary depends on.
wheel_key() {
    "$VENV/bin/python" - "$MMCV_VERSION" "$cuda" <<'PY'
import os, platform, sys
import torch

version, cuda = sys.argv[1], sys.argv[2] == "1"
target = "cpu"
if cuda:
    archs = os.environ.get("TORCH_CUDA_ARCH_LIST") or "%d.%d" % torch.cuda.get_device_capability()
    target = "cuda" + archs.replace(" ", "_").replace(";", "_")
python = "cp%d%d" % sys.version_info[:2]
print("-".join(["mmcv", version, "torch", torch.__version__, python, sys.platform, platform.machine(), target]))
PY
}

build_mmcv() {
    local target="$1" work log status=0
    mkdir -p "$CACHE"
    work="$(mktemp -d "$CACHE/build.XXXXXX")"
    log="$work/build.log"
    # torch's build helper turns CUDA on whenever a GPU is visible, nvcc or not: hide the GPU for a CPU build.
    if [ "$cuda" = 1 ]; then
        export FORCE_CUDA=1
        local headers
        headers="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cu13/include"
        [ -d "$headers" ] && export CPATH="$headers${CPATH:+:$CPATH}" # toolkits without the cuBLAS headers
    else
        export FORCE_CUDA=0 CUDA_VISIBLE_DEVICES=""
    fi
    # -O1 without debug symbols halves the compile time; the operators are bound by memory, not by the optimiser.
    MMCV_WITH_OPS=1 CFLAGS="${CFLAGS:--O1 -g0}" MAX_JOBS="${MAX_JOBS:-$(getconf _NPROCESSORS_ONLN)}" \
        "$VENV/bin/python" -m pip wheel -v --no-build-isolation --no-deps --no-binary mmcv --no-cache-dir \
        --wheel-dir "$work" "mmcv==$MMCV_VERSION" 2>&1 | "$VENV/bin/python" tools/dev/build_progress.py "$log" || status=$?
    if [ "$status" != 0 ]; then
        tail -n 25 "$log" >&2
        fail "mmcv did not build; its last lines stand above, all of them in $log"
    fi
    mkdir -p "$target"
    mv "$work"/mmcv-*.whl "$target"/
    rm -rf "$work"
}

check_compiler
choose_cuda
wheels="$CACHE/$(wheel_key)"
if compgen -G "$wheels/mmcv-*.whl" >/dev/null; then
    echo "      found in $wheels"
else
    echo "      building $cuda_why; about 6 minutes on 2 cores, once per machine"
    build_mmcv "$wheels"
fi
"$VENV/bin/uv" pip uninstall --quiet --python "$VENV/bin/python" mmcv-lite
"$VENV/bin/uv" pip install --quiet --compile-bytecode --reinstall --python "$VENV/bin/python" --no-deps "$wheels"/mmcv-*.whl
