#!/usr/bin/env bash
# Makes the environment of this checkout: .venv with the locked packages and mmdetpre itself. Nothing is compiled.
#
# Usage: tools/dev/setup_env.sh            (`make setup` calls it; a second run finds everything standing)
#
#   PYTHON=python3.11        the interpreter to use (3.10 to 3.13)
#   WITH_MMCV_OPS=1          also compile mmcv's own operators (tools/dev/build_mmcv.sh), to compare with
#   MMDETPRE_HOST=onedl      instead make .venv-onedl, with OneDL's packages in place of OpenMMLab's (3.11 to 3.13)
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$ROOT"
PYTHON="${PYTHON:-python3}"
HOST="${MMDETPRE_HOST:-openmmlab}"
case "$HOST" in
    openmmlab) NAME=.venv LOCK=requirements/lock.txt ;;
    onedl) NAME=.venv-onedl LOCK=requirements/onedl_lock.txt WITH_MMCV_OPS=0 ;;
    *) printf 'Set-up stopped: MMDETPRE_HOST=%s is neither openmmlab nor onedl\n' "$HOST" >&2; exit 1 ;;
esac
VENV="$ROOT/$NAME"
STAMP="$VENV/.setup-stamp"
STEPS=$((4 + ${WITH_MMCV_OPS:-0}))
step=0

fail() { printf '\nSet-up stopped: %s\n' "$1" >&2; exit 1; }

begin() { step=$((step + 1)); step_start=$SECONDS; printf '[%d/%d] %s\n' "$step" "$STEPS" "$1"; }

finish() { printf '      %s (%d s)\n' "${1:-done}" "$((SECONDS - step_start))"; }

# Runs a command; where its own progress display is off (no terminal), prints a sign of life every 15 seconds.
with_heartbeat() {
    local what="$1"; shift
    if [ -t 2 ]; then "$@"; return; fi
    local start=$SECONDS beat status=0
    ( while sleep 15 &>/dev/null && kill -0 $$ 2>/dev/null; do printf '      %s: %d s so far\n' "$what" "$((SECONDS - start))"; done ) &
    beat=$!
    "$@" || status=$?
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
    return "$status"
}

# What the environment is made from: if none of it changed, nothing needs to be done.
fingerprint() {
    {
        printf '%s\n' "$ROOT" "${WITH_MMCV_OPS:-0}" "${FORCE_CUDA:-auto}"
        cat "$LOCK" setup.cfg setup.py pyproject.toml mmdetpre/version.py mmdetpre/operators/startup.py tools/dev/*.sh
    } | cksum
}

check_python() {
    command -v "$PYTHON" >/dev/null || fail "no '$PYTHON' on this machine. Name a Python 3.10 to 3.13: make setup PYTHON=/path/to/python3.11"
    local version
    version="$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" ||
        fail "'$PYTHON' does not run, see above. Name a Python 3.10 to 3.13: make setup PYTHON=/path/to/python3.11"
    case "$HOST $version" in
        "onedl 3.10") fail "$PYTHON is Python $version; OneDL's packages are pinned for 3.11 to 3.13. Name one: make test-onedl PYTHON=python3.11" ;;
    esac
    case "$version" in
        3.10 | 3.11 | 3.12 | 3.13) ;;
        *) fail "$PYTHON is Python $version; the pinned packages exist for 3.10 to 3.13. Name one: make setup PYTHON=python3.11" ;;
    esac
}

# uv reads its own settings, not pip's. It gets pip's package sources, so that a machine set up for a mirror works as it
# is, but not pip's constraints, which may rule out the torch that everything here is pinned to.
share_package_sources() {
    local settings
    settings="$("$VENV/bin/python" tools/dev/pip_sources.py)" || fail "pip's settings cannot be read (output above)"
    eval "$settings"
}

# uv by its lines in the lock, and everything else by uv: no file is taken that has not the hash that was locked.
install_uv() {
    local output version
    output="$("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        -r <(sed -n '/^uv==/,/[0-9a-f]$/p' requirements/lock.txt) 2>&1)" && return
    if grep -qiE 'connection|resol(ve|ution)|unreachable|timed out|proxy' <<<"$output"; then
        fail "no package index answers ($(tail -n 1 <<<"$output")). Connect this machine, or name a mirror or a proxy: pip config set global.index-url URL; export HTTPS_PROXY=URL"
    fi
    version="$("$VENV/bin/python" -m pip --version | cut -d ' ' -f 2)"
    if [ "${version%%.*}" -lt 21 ]; then
        fail "pip $version is too old to install uv. Remove $NAME and run this again, or: $NAME/bin/python -m pip install --upgrade pip"
    fi
    fail "pip $version cannot install uv: $(tail -n 3 <<<"$output")"
}

# A home that cannot be written to has no cache: what is downloaded stays in the environment until it is installed.
find_cache() {
    local cache
    cache="$("$VENV/bin/uv" cache dir 2>/dev/null)" || cache=""
    if [ -n "$cache" ] && mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ]; then return; fi
    echo "      ${cache:-the cache of uv} cannot be written to: packages are downloaded into $NAME and not kept"
    export UV_CACHE_DIR="$VENV/.uv-cache"
}

install_locked() {
    # An environment of before may hold a compiled mmcv, whose files are those of mmcv-lite.
    "$VENV/bin/uv" pip uninstall --quiet --python "$VENV/bin/python" mmcv mmcv-lite 2>/dev/null || true
    "$VENV/bin/uv" pip install --require-hashes --compile-bytecode --python "$VENV/bin/python" -r "$LOCK"
}

if [ -x "$VENV/bin/python" ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(fingerprint)" ]; then
    echo "Environment is up to date: $NAME"
    exit 0
fi

begin "Virtual environment $NAME"
if [ -x "$VENV/bin/python" ] && "$VENV/bin/python" -c '' 2>/dev/null; then
    PYTHON="$VENV/bin/python"
    check_python
else
    check_python
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV" || fail "$PYTHON cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv"
fi
rm -f "$STAMP"
install_uv
finish "$("$VENV/bin/python" --version), $("$VENV/bin/uv" --version)"

begin "Packages of $LOCK (a download of about 3 GB where they are not cached)"
share_package_sources
find_cache
with_heartbeat "packages" install_locked || fail "not all packages could be installed (output above). Run this again: it goes on with what is missing"
finish

if [ "${WITH_MMCV_OPS:-0}" = 1 ]; then
    begin "mmcv with its own operators"
    tools/dev/build_mmcv.sh
    finish
fi

begin "mmdetpre, editable"
"$VENV/bin/uv" pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation --editable .
# mim looks for an installed package in site-packages only, where an editable one is not: link its configs and tools.
site="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
mkdir -p "$site/mmdetpre"
ln -sfn "$ROOT/mmdetpre/.mim" "$site/mmdetpre/.mim"
# The toolboxes' commands import mmcv's operators before they read a config: mmdetpre/operators/startup.py.
cp mmdetpre/operators/startup.py "$site/mmdetpre_startup.py"
echo "import mmdetpre_startup" >"$site/mmdetpre_startup.pth"
finish

rm -rf "$VENV/.uv-cache"
begin "Check"
"$VENV/bin/python" - <<'PY'
import mmcv.ops, mmdet, mmdetpre
from mmdetpre.operators.stand_in import operators_in_use

print(f"      mmdetpre {mmdetpre.__version__} with mmdet {mmdet.__version__}; operators: {operators_in_use()}")
PY
finish
fingerprint >"$STAMP"
printf 'Environment ready in %d s: %s\n' "$SECONDS" "$NAME"
