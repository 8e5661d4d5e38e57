#!/usr/bin/env python3
"""Pin the newest version of every dependency in the constraints of pyproject.toml."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = re.compile(r"^constraint-dependencies = \[.*?\]$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Resolve without the old pins, and write the new ones."""
    pyproject = ROOT / "pyproject.toml"
    text = pyproject.read_text()
    pins = resolve(PINS.sub("constraint-dependencies = []", text))
    listed = "".join(f'    "{pin}",\n' for pin in pins)
    pyproject.write_text(PINS.sub(f"constraint-dependencies = [\n{listed}]", text))
    sys.stderr.write(f"pinned {len(pins)} packages\n")


def resolve(pyproject: str) -> list[str]:
    """Return pins for every group and platform, as uv resolves a copy of the project."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        (copy / "pyproject.toml").write_text(pyproject)
        subprocess.run([find_uv(), "lock", "--quiet", "--project", copy], check=True)
        packages = tomllib.loads((copy / "uv.lock").read_text())["package"]
    return sorted(pin(package) for package in packages if "registry" in package["source"])


def pin(package: dict[str, object]) -> str:
    """Return a package as a constraint, with a marker where its version depends on the platform."""
    markers = package.get("resolution-markers", [])
    assert isinstance(markers, list)
    condition = " or ".join(f"({marker})" for marker in markers)
    return f"{package['name']}=={package['version']}" + (f" ; {condition}" if condition else "")


def find_uv() -> str:
    """Return the path of uv: the one that scripts/bootstrap.sh has brought, or the one on PATH."""
    # The one that was brought is there because the other one does not do.
    private = [str(path) for path in ROOT.glob(".uv/*/bin")]
    uv = shutil.which("uv", path=os.pathsep.join([*private, os.environ.get("PATH", os.defpath)]))
    if uv is None:
        sys.exit("no uv: run scripts/test once, which brings it")
    return uv


if __name__ == "__main__":
    main()
