"""The Dockerfile, as far as it can be judged without building it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.root import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LAST_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]


def test_compose_builds_an_image_of_this_version() -> None:
    tags = re.findall(r"image: batching-demo:(\S+)", (ROOT / "docker-compose.yml").read_text())
    assert tags == [PROJECT["version"]]


def test_the_image_holds_what_an_installation_needs_and_nothing_else() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copies = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    copied = {name for names in copies if "--from=build" not in names for name in names}
    assert ignored[0] == "*"
    assert sent == copied == {"pyproject.toml", "README.md", "LICENSE", "alembic", "batching_demo"}


def test_the_image_has_no_builder_in_it_and_runs_as_nobody() -> None:
    assert " uv" not in LAST_STAGE
    assert "\nUSER 65532:65532\n" in LAST_STAGE


def test_signals_reach_the_program_and_no_shell() -> None:
    assert re.findall(r"^(?:ENTRYPOINT|CMD|STOPSIGNAL).*", LAST_STAGE, re.MULTILINE) == [
        'ENTRYPOINT ["batching-demo"]'
    ]


def test_labels_say_what_the_project_says() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', LAST_STAGE))

    assert labels.pop("description")
    assert labels == {
        "title": PROJECT["name"],
        "version": PROJECT["version"],
        "licenses": PROJECT["license"],
    }


def test_all_that_the_image_begins_with_has_a_full_version() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert len(images) == 2
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:\d+\.\d+\.\d+-slim", images[0])
    assert all("==" in name for name in re.findall(r"pip install .* (\S+)$", DOCKERFILE, re.M))


def test_the_image_follows_what_hadolint_asks_for() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    result = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")
