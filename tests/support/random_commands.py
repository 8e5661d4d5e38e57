"""Random calls of the commands, in random environments, on servers that refuse at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click

from batching_demo.cli.app import app
from tests.support.commands import tree

COMMANDS = {path: one for path, one in tree(app) if not isinstance(one, click.Group)}
STARTS_SERVERS = {("dev", "up"), ("demo",)}
NOBODY = "127.0.0.1:1"
"""No server listens there."""
NUMBERS = ["-1", "0", "1", "2", "7", "100", "1e3", "nan", "inf", "-0", " 5", "9" * 40, "0x10", ""]
TEXTS = [
    *("", " ", "x", "-", "--", "orders", "{0} %s %(x)s", "a\nb", "\t", "\\", "'\"`$(x)"),
    *("日本", "é", "😀" * 60, "\x1b[31m", "\udc80\udcff", "x" * 5_000, "../..", "new", "\u202e"),
]
ADDRESSES = [
    *(NOBODY, "localhost:1", "127.0.0.1", ":7233", "127.0.0.1:0", "127.0.0.1:99999", "[::1]:1"),
    *("http://127.0.0.1:1", "user:hunter2@127.0.0.1:1", "::1", "a b:1", "127.0.0.1:x", "é:1"),
]
DATABASES = [
    *(f"postgresql://u:hunter2@{NOBODY}/d", f"postgres://{NOBODY}/d?sslmode=require"),
    *("postgresql://", "postgresql://[", f"postgresql://u:p@ss@{NOBODY}/d", "mysql://h/d", "d"),
    *(f"postgresql://{NOBODY}/d?connect_timeout=x", f"postgresql://{NOBODY}/d\n", "\udcff"),
    *("postgresql://127.0.0.1:x/d", "postgresql://u:%zz@127.0.0.1:1/d", f"dbname=d host={NOBODY}"),
]
ANY_VALUES = {
    "BATCHING_DEMO_BUILD_ID": ["", "1.0", "__x", "a b"],
    "BATCHING_DEMO_DEPLOYMENT_NAME": ["", "shop", "a.b", "é"],
    "BATCHING_DEMO_LINGER": NUMBERS,
    "BATCHING_DEMO_LOG_FORMAT": ["text", "json", "xml"],
    "BATCHING_DEMO_MAX_RECORDS": NUMBERS,
    "BATCHING_DEMO_METRICS_BIND": ["", "x", "127.0.0.1", "127.0.0.1:0", "256.0.0.1:80", "é:1"],
    "BATCHING_DEMO_POLLERS": NUMBERS,
    "COLUMNS": ["1", "40", "x"],
    "LC_ALL": ["C", "POSIX", "xx_XX.nonsense"],
    "NO_COLOR": ["1"],
    "PGHOST": ["127.0.0.1", "/nowhere", ""],
    "PGPASSFILE": ["/nowhere", "/dev/null"],
    "PGPORT": ["1", "x"],
    "PGSERVICE": ["other"],
    "PGSSLMODE": ["require", "nonsense"],
    "PYTHONIOENCODING": ["latin-1", "ascii"],
    "PYTHONUTF8": ["0", "1"],
    "TEMPORAL_API_KEY": ["hunter2", "a\nb", "é"],
    "TEMPORAL_NAMESPACE": ["shop", "", "a b", "é"],
    "TEMPORAL_PROFILE": ["default", "absent", "broken"],
    "TEMPORAL_TLS": ["true", "false", "maybe"],
    "TEMPORAL_TLS_CLIENT_CERT_PATH": ["/nowhere", "/dev/null"],
    "TEMPORAL_TLS_SERVER_CA_CERT_DATA": ["x"],
    "TERM": ["dumb", "xterm"],
}
CONFIGURATIONS = [
    *("", "[profile.default]", "[profile.default", "address = 1", "\x00", "é = 'é'"),
    f'[profile.default]\naddress = "{NOBODY}"\nnamespace = "shop"\n',
    f'[profile.default]\naddress = "{NOBODY}"\n[profile.default.tls]\ndisabled = false\n',
    '[profile.default]\naddress = "nowhere"\n[profile.broken]\napi_key = ["hunter2"]\n',
]
INPUTS = [
    *(b"", b"id,item\n1,apple\n", b'{"id": 1}\n', b"\xff\xfe", b"\x00" * 40, b"[1]", b'"'),
    *(b"\x1f\x8b\x08broken", "id;é\n1;2\n".encode("latin-1"), b"{" * 3_000),
]


@dataclass(frozen=True)
class Call:
    """One call of a command."""

    arguments: list[str]
    environment: Mapping[str, str]
    standard_input: bytes


class Calls:
    """Makes calls.

    Args:
        directory: For state, configuration and input files.
        seed: The same seed makes the same calls.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        self._directory = directory
        self._random = Random(seed)  # no secret
        self._files = self._write("input", [".csv", ".ndjson", "", ".csv.gz"], INPUTS)
        encoded = [text.encode() for text in CONFIGURATIONS]
        self._configurations = self._write("temporal", [".toml"], encoded)

    def _write(self, name: str, suffixes: list[str], contents: list[bytes]) -> list[str]:
        written = []
        for number, content in enumerate(contents):
            path = self._directory / f"{name} {number}{suffixes[number % len(suffixes)]}"
            path.write_bytes(content)
            written.append(str(path))
        return [*written, "/nowhere", str(self._directory), "/dev/null"]

    def one(self) -> Call:
        """Make a call of any command."""
        path = self._random.choice(list(COMMANDS))
        return Call(
            arguments=[*path, *self._arguments(COMMANDS[path])],
            environment=self._environment(starts_servers=path in STARTS_SERVERS),
            standard_input=self._random.choice(INPUTS),
        )

    def _arguments(self, command: click.Command) -> Iterator[str]:
        for parameter in command.params:
            chance = 0.8 if isinstance(parameter, click.Argument) else 0.25
            while self._random.random() < chance:
                yield from self._given(parameter)
                if self._random.random() < 0.8:
                    break
        if self._random.random() < 0.05:
            yield self._random.choice(["--help", "--absent", "absent", *TEXTS])

    def _given(self, parameter: click.Parameter) -> Iterator[str]:
        if isinstance(parameter, click.Argument):
            yield self._value(parameter)
            return
        name = self._random.choice([*parameter.opts, *parameter.secondary_opts])
        if isinstance(parameter, click.Option) and parameter.is_flag:
            yield name
        else:
            yield f"{name}={self._value(parameter)}"

    def _value(self, parameter: click.Parameter) -> str:
        if self._random.random() < 0.1:
            return self._random.choice(TEXTS)
        if isinstance(parameter.type, click.Choice):
            return self._random.choice([str(one) for one in parameter.type.choices])
        if isinstance(parameter.type, click.IntRange | click.FloatRange):
            return self._random.choice(NUMBERS)
        if parameter.name in ("path", "edit", "file"):
            return self._random.choice([*self._files, "-"])
        return self._random.choice(TEXTS)

    def _environment(self, *, starts_servers: bool) -> dict[str, str]:
        state = self._random.choice(["state", "state é", "s t a t e"])
        environment = {
            "HOME": str(self._directory),
            "LANG": self._random.choice(["C", "C.UTF-8", "xx_XX", "de_DE.ISO-8859-1"]),
            "PATH": "/usr/bin:/bin",
            "TEMPORAL_ADDRESS": self._random.choice(ADDRESSES),
            # Below a file, nothing can be made, so that no server starts.
            "XDG_STATE_HOME": "/dev/null" if starts_servers else str(self._directory / state),
        }
        if self._random.random() < 0.8:
            environment["DATABASE_URL"] = self._random.choice(DATABASES)
        if self._random.random() < 0.4:
            environment["TEMPORAL_CONFIG_FILE"] = self._random.choice(self._configurations)
        for name in self._random.sample(list(ANY_VALUES), k=self._random.choice([0, 0, 1, 2, 4])):
            environment[name] = self._random.choice(ANY_VALUES[name])
        return environment
