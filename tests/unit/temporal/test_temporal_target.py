"""Which Temporal server is used: variables first, then what runs, then the configuration file."""

from pathlib import Path

import pytest

from batching_demo.settings import DevStackAddresses, Settings, SettingsError
from batching_demo.temporal.target import TemporalTarget, choose_temporal

EMBEDDED = DevStackAddresses(
    database_url="postgresql://embedded", temporal_address="127.0.0.1:7000", ui_url="http://ui"
)
PROFILES = """
[profile.default]
address = "other:7233"
namespace = "shop"
[profile.cloud]
address = "cloud:7233"
api_key = "hunter2"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that every Temporal program of this user reads."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "temporalio" / "temporal.toml"
    path.parent.mkdir()
    path.write_text(PROFILES)
    return path


@pytest.fixture
def no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def choose(embedded: DevStackAddresses | None = None, **variables: str) -> TemporalTarget:
    return choose_temporal(Settings(Path("state"), devstack=embedded), variables)


@pytest.mark.usefixtures("no_file")
class TestWithoutFile:
    def test_nothing_at_all(self) -> None:
        assert str(choose()) == "localhost:7233, the default, namespace default"

    def test_the_embedded_server(self) -> None:
        assert str(choose(EMBEDDED)) == "127.0.0.1:7000, the embedded Temporal, namespace default"

    def test_variables_win(self) -> None:
        target = choose(EMBEDDED, TEMPORAL_ADDRESS="a:1", TEMPORAL_NAMESPACE="shop")
        assert str(target) == "a:1 from TEMPORAL_ADDRESS, namespace shop from TEMPORAL_NAMESPACE"
        assert (target.config["target_host"], target.config["namespace"]) == ("a:1", "shop")

    def test_an_empty_variable_is_as_none(self) -> None:
        assert choose(EMBEDDED, TEMPORAL_ADDRESS="", TEMPORAL_NAMESPACE="") == choose(EMBEDDED)

    def test_tls_is_named_with_the_variable_that_asks_for_it(self) -> None:
        assert str(choose(TEMPORAL_API_KEY="hunter2")).endswith(", TLS from TEMPORAL_API_KEY")
        assert "TLS" not in str(choose(TEMPORAL_API_KEY="hunter2", TEMPORAL_TLS="false"))

    @pytest.mark.parametrize(
        "address",
        [
            *("localhost", ":7233", "localhost:", "localhost:x", "localhost:0", "localhost:65536"),
            *("http://localhost:7233", "localhost:7233/x", "::1:7233", "a b:7233", "é:7233"),
        ],
    )
    def test_a_malformed_address(self, address: str) -> None:
        with pytest.raises(SettingsError, match=r"TEMPORAL_ADDRESS names .* HOST:PORT"):
            choose(TEMPORAL_ADDRESS=address)

    def test_what_may_be_a_password_is_not_printed(self) -> None:
        with pytest.raises(SettingsError) as refused:
            choose(TEMPORAL_ADDRESS="user:hunter2@localhost:7233")
        assert "hunter2" not in str(refused.value)

    @pytest.mark.parametrize("address", ["localhost:7233", "[::1]:7233", "a_b.c-d:1", " a:1 "])
    def test_a_good_address(self, address: str) -> None:
        assert choose(TEMPORAL_ADDRESS=address).address == address.strip()

    def test_a_file_that_is_named_and_not_there(self, tmp_path: Path) -> None:
        missing = str(tmp_path / "absent.toml")
        with pytest.raises(SettingsError, match=r"TEMPORAL_CONFIG_FILE names .*does not exist"):
            choose(TEMPORAL_CONFIG_FILE=missing)

    def test_a_profile_without_a_file(self) -> None:
        with pytest.raises(SettingsError, match=r"TEMPORAL_PROFILE names a profile of .*unset it"):
            choose(TEMPORAL_PROFILE="cloud")

    def test_a_variable_that_is_no_text(self) -> None:
        with pytest.raises(SettingsError, match="TEMPORAL_API_KEY is not in UTF-8"):
            choose(TEMPORAL_API_KEY="\udcff")

    def test_a_certificate_that_is_not_there(self) -> None:
        with pytest.raises(SettingsError, match="CA_CERT_PATH: /absent cannot be read: No such"):
            choose(TEMPORAL_TLS_SERVER_CA_CERT_PATH="/absent")

    @pytest.mark.parametrize(("given", "missing"), [("CERT", "KEY"), ("KEY", "CERT")])
    def test_half_of_a_client_certificate(self, given: str, missing: str) -> None:
        half = {f"TEMPORAL_TLS_CLIENT_{given}_PATH": "/absent"}
        settings = Settings(Path("state"))
        with pytest.raises(SettingsError, match=f"set TEMPORAL_TLS_CLIENT_{missing}_PATH"):
            choose_temporal(settings, half)
        # Without TLS nobody needs it.
        assert "TLS" not in str(choose_temporal(settings, {"TEMPORAL_TLS": "false", **half}))


class TestWithFile:
    def test_it_decides_and_is_named(self, file: Path) -> None:
        origin = f"profile default of {file}"
        assert str(choose()) == f"other:7233 from {origin}, namespace shop from {origin}"

    def test_a_server_that_was_started_here_wins_over_it(self, file: Path) -> None:
        target = choose(EMBEDDED)
        assert target.config["target_host"] == "127.0.0.1:7000"
        assert target.config["namespace"] == "default"
        assert f"the embedded Temporal, not {file}" in str(target)

    @pytest.mark.parametrize("embedded", [None, EMBEDDED])
    def test_a_profile_that_is_named_wins_over_both(
        self, file: Path, embedded: DevStackAddresses | None
    ) -> None:
        target = choose(embedded, TEMPORAL_PROFILE="cloud")
        origin = f"profile cloud of {file}"
        expected = f"cloud:7233 from {origin}, namespace default, TLS from {origin}"
        assert str(target) == expected
        assert "hunter2" not in str(target)

    def test_a_variable_wins_over_it(self, file: Path) -> None:
        target = choose(TEMPORAL_ADDRESS="a:1")
        assert str(target).startswith("a:1 from TEMPORAL_ADDRESS, namespace shop from profile")

    def test_a_profile_that_it_lacks(self, file: Path) -> None:
        with pytest.raises(SettingsError, match=f"'absent', which is not in {file}"):
            choose(TEMPORAL_PROFILE="absent")

    @pytest.mark.parametrize(
        ("content", "place"),
        [
            (b'[profile.default]\napi_key = ["hunter2"]', ", line 2, column 11: "),
            (b"[profile.default", ", line 1, column 17: "),
            (b"\xff", ": "),
        ],
    )
    def test_a_broken_one(self, file: Path, content: bytes, place: str) -> None:
        file.write_bytes(content)
        with pytest.raises(SettingsError) as refused:
            choose()
        message = str(refused.value)
        assert f"configuration file {file}{place}" in message
        assert len(message.splitlines()) == 1
        assert "hunter2" not in message

    def test_a_directory_in_its_place(self, file: Path) -> None:
        file.unlink()
        file.mkdir()
        with pytest.raises(SettingsError, match=f"{file}: Is a directory"):
            choose()
