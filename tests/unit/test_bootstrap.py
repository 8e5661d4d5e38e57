"""Which uv the scripts use."""

import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def program(path: Path, version: str) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho 'uv {version} (of a test)'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("least", "version", "is_taken"),
    [("", "0.6.17", False), ("", "0.10.2", True), ("13", "0.10.2", False), ("13", "1.0.0", True)],
)
def test_the_uv_on_the_path_is_taken_if_it_is_new_enough(
    least: str, version: str, is_taken: bool, tmp_path: Path
) -> None:
    (tmp_path / ".venv").mkdir()
    brought = program(tmp_path / ".uv" / "0.13.9" / "bin" / "uv", "0.13.9")
    on_path = program(tmp_path / "bin" / "uv", version)
    script = f"set -eu; root={tmp_path}; least_uv={least}; . {SCRIPTS}/bootstrap.sh; command -v $uv"
    environment = {"PATH": f"{on_path.parent}:/usr/bin:/bin"}
    found = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True)
    assert found.stdout == f"{on_path if is_taken else brought}\n", found.stderr
