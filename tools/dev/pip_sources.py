"""Prints pip's package sources as settings of uv, for a shell to evaluate.

Example: eval "$(python tools/dev/pip_sources.py)"

Settings of uv that are already in the environment win. pip's constraints are left out on purpose.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping

PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def pip_settings(listing: str) -> dict[str, str]:
    """Settings by name from the output of ``pip config list``; a later level overrides an earlier one."""
    levels: dict[str, dict[str, str]] = {}
    for line in listing.splitlines():
        key, found, value = line.partition("=")
        level, _, name = key.rpartition(".")
        if found and level:
            levels.setdefault(level.strip(":"), {})[name] = value.strip("'\"")
    merged: dict[str, str] = {}
    for level in ("global", "install", "env"):
        merged.update(levels.get(level, {}))
    return merged


def uv_settings(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Environment variables that make uv use the same sources as pip."""
    result = {}
    for name, variable in PIP_TO_UV.items():
        values = settings.get(name, "").replace("\\n", " ").split()
        if values and variable not in environment:
            result[variable] = ("," if name == "find-links" else " ").join(values)
    if "UV_INDEX" in result and "UV_INDEX_STRATEGY" not in environment:
        result["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does: the best version of all sources
    return result


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    listing = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    for variable, value in uv_settings(pip_settings(listing), os.environ).items():
        print(f"export {variable}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
