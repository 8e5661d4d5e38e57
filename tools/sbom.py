"""Print what of Python is in the image, as a software bill of materials in CycloneDX 1.5."""

import json
import re
import subprocess
import sys
from typing import Any

from packaging.markers import Marker

from tools.refresh_pins import ROOT, find_uv

LIKE_THE_DOCKERFILE = ("--frozen", "--no-default-groups", "--all-extras")
MARKER = "uv:package:marker"


def main() -> None:
    """Print it, the same each time as long as the locked versions are."""
    python = python_of_the_image()
    document = for_python(locked(), python)
    document["components"].append(
        {"type": "platform", "bom-ref": f"python@{python}", "name": "python", "version": python}
    )
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def python_of_the_image() -> str:
    """Return the version that the Dockerfile begins with."""
    (version,) = set(re.findall(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(), re.M))
    return str(version)


def locked() -> dict[str, Any]:
    """Return what uv has locked for the image, without what differs from call to call."""
    export = (find_uv(), "export", "--quiet", "--project", ROOT, "--format", "cyclonedx1.5")
    result = subprocess.run([*export, *LIKE_THE_DOCKERFILE], check=True, stdout=subprocess.PIPE)
    document: dict[str, Any] = json.loads(result.stdout)
    del document["serialNumber"], document["metadata"]["timestamp"]
    return document


def for_python(document: dict[str, Any], python: str) -> dict[str, Any]:
    """Leave out what is installed for other versions of Python only."""
    version = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    kept = [one for one in document["components"] if _is_for(one, version)]
    names = {one["bom-ref"] for one in (*kept, document["metadata"]["component"])}
    dependencies = [
        {**one, "dependsOn": [name for name in one.get("dependsOn", []) if name in names]}
        for one in document["dependencies"]
        if one["ref"] in names
    ]
    return {**document, "components": kept, "dependencies": dependencies}


def _is_for(component: dict[str, Any], version: dict[str, str]) -> bool:
    properties = component.get("properties", [])
    markers = [one["value"] for one in properties if one["name"] == MARKER]
    return all(Marker(marker).evaluate(version) for marker in markers)


if __name__ == "__main__":
    main()
