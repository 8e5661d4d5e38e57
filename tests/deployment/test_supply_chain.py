"""What the image is made of, and whether any of it is known to be vulnerable."""

import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.support.root import ROOT
from tools import audit, sbom
from tools.refresh_pins import find_uv

PINS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What scripts/sbom prints."""
    sbom.main()
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def versions(document: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["version"] for one in document["components"]}


def installed_in_the_image() -> dict[str, str]:
    """Read what uv has locked in its other format, whose markers pip understands."""
    export = (find_uv(), "export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes")
    text = subprocess.check_output([*export, *sbom.LIKE_THE_DOCKERFILE], cwd=ROOT, text=True)
    lines = [line for line in text.splitlines() if "==" in line]
    python = {"python_full_version": sbom.python_of_the_image()}
    pinned = [
        one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate(python)
    ]
    return {one.name: str(one.specifier).removeprefix("==") for one in pinned}


def test_the_bill_names_what_is_installed_in_the_image(printed: dict[str, Any]) -> None:
    found = versions(printed)

    assert found.pop("python") == sbom.python_of_the_image()
    assert found == installed_in_the_image()
    assert {f"{name}=={version}" for name, version in found.items()} <= set(PINS)


def test_the_bill_is_of_what_the_dockerfile_installs() -> None:
    installs = re.findall(r"uv sync (.*)", (ROOT / "Dockerfile").read_text())

    assert installs
    assert all(set(sbom.LIKE_THE_DOCKERFILE) <= set(install.split()) for install in installs)


def test_the_bill_is_the_same_each_time(printed: dict[str, Any]) -> None:
    assert (printed["bomFormat"], printed["specVersion"]) == ("CycloneDX", "1.5")
    assert not {"serialNumber", "timestamp"} & {*printed, *printed["metadata"]}


def test_what_is_for_another_python_is_left_out() -> None:
    document = sbom.locked()

    old, new = (versions(sbom.for_python(document, python)) for python in ("3.11.2", "3.13.14"))

    assert old.keys() - new.keys() == {"async-timeout"}


class Vulnerabilities(BaseHTTPRequestHandler):
    """Answers as OSV does: one package has a vulnerability, by the name of which it is known."""

    vulnerable = ""
    broken: Mapping[str, tuple[int, bytes]] = {}
    """What it answers to a method instead."""

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        queries = json.loads(self.rfile.read(length))["queries"]
        found = [query["package"]["name"] == self.vulnerable for query in queries]
        known = {"vulns": [{"id": "TEST-1", "modified": "2026-01-01T00:00:00Z"}]}
        self._answer({"results": [known if one else {} for one in found]})

    def do_GET(self) -> None:
        self._answer({"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "bad"})

    def _answer(self, document: dict[str, Any]) -> None:
        right = (200, json.dumps(document).encode())
        status, content = self.broken.get(self.command, right)
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def service(vulnerable: str, **broken: tuple[int, bytes]) -> Iterator[str]:
    attributes = {"vulnerable": vulnerable, "broken": broken}
    handler = type("Handler", (Vulnerabilities,), attributes)
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_known_vulnerability_fails_the_audit(capfd: pytest.CaptureFixture[str]) -> None:
    with service("click") as url:
        assert audit.main(["--service-url", url]) == 1

    assert "TEST-1: bad" in capfd.readouterr().out


def test_an_image_without_known_vulnerabilities_passes(capfd: pytest.CaptureFixture[str]) -> None:
    # Only the tests use it.
    with service("pytest") as url:
        assert audit.main(["--service-url", url]) == 0

    assert "no known vulnerabilities" in capfd.readouterr().err


def test_the_audit_is_skipped_where_the_service_does_not_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert audit.main(["--service-url", "http://127.0.0.1:1/"]) == 0

    assert "skipped: no audit" in capfd.readouterr().err


@pytest.mark.parametrize("answer", [(503, b"busy"), (200, b"<html>Log in to this network</html>")])
def test_the_audit_is_skipped_where_the_service_answers_something_else(
    answer: tuple[int, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    with service("click", POST=answer) as url:
        assert audit.main(["--service-url", url]) == 0

    said = capfd.readouterr().err.splitlines()
    assert said[0].startswith("error: ")
    assert said[-1].startswith("skipped: no audit")


def test_a_vulnerability_that_cannot_be_described_fails_the_audit(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with service("click", GET=(503, b"busy")) as url:
        assert audit.main(["--service-url", url]) == 2

    assert "/TEST-1" in capfd.readouterr().err


def test_any_other_failure_of_the_audit_is_one(capfd: pytest.CaptureFixture[str]) -> None:
    assert audit.main(["--service-url", "nowhere"]) == 2

    assert "nowhere" in capfd.readouterr().err
