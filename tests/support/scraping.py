"""Read what a worker serves for Prometheus."""

import asyncio
import re
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.support.waiting import LONG_SECONDS, eventually

METRICS_BIND = "BATCHING_DEMO_METRICS_BIND"
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


async def scrape(address: str) -> list[Sample]:
    def read() -> str:
        with urlopen(f"http://{address}/metrics", timeout=LONG_SECONDS) as answer:
            return str(answer.read().decode())

    lines = (await asyncio.to_thread(read)).splitlines()
    return [_sample(line) for line in lines if line and not line.startswith("#")]


async def probe(address: str, path: str) -> tuple[int, str]:
    """Return the status and the text of a probe; 0 while nobody listens."""

    def ask() -> tuple[int, str]:
        try:
            with urlopen(f"http://{address}{path}", timeout=LONG_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    return await asyncio.to_thread(ask)


async def expect_ready(address: str) -> None:
    """Wait until a worker is ready."""

    async def check() -> None:
        assert await probe(address, "/readyz") == (200, "ok\n")

    await eventually(check)


def total(samples: list[Sample], name: str, **labels: str) -> float:
    """Add up what has at least these labels."""
    assert any(sample.name == name for sample in samples), f"no {name}"
    return sum(
        sample.value
        for sample in samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _sample(line: str) -> Sample:
    match = SAMPLE.fullmatch(line)
    assert match, line
    name, labels, value = match.groups()
    return Sample(name, dict(LABEL.findall(labels or "")), float(value))
