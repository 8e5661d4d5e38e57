"""docker-compose.yml against the compose schema, and what must hold of its secrets."""

import re
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML
from temporalio.common import SearchAttributeKey

from batching_demo.temporal.search_attributes import KEYS
from tests.support.root import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCUMENT: dict[str, Any] = YAML(typ="safe").load(COMPOSE)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
PROMETHEUS: dict[str, Any] = YAML(typ="safe").load(COMPOSE.parent / "monitoring" / "prometheus.yml")
LOGINS: str = DOCUMENT["configs"]["logins"]["content"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
MAIN_SERVICE = ("main-worker", "main-start")


def test_the_file_fits_the_compose_schema() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]

    result = subprocess.run([*check, COMPOSE], capture_output=True, text=True)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned_to_a_full_version(name: str) -> None:
    assert re.fullmatch(r"[\w./-]+:v?\d+(\.\d+)+", SERVICES[name]["image"])


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_and_one_folder_to_write_to(name: str) -> None:
    service = SERVICES[name]
    (folder,) = re.findall(r"XDG_STATE_HOME=(\S+)", (COMPOSE.parent / "Dockerfile").read_text())
    (tmpfs,) = service["tmpfs"]

    assert tmpfs.split(":")[0] == folder

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"user", "privileged", "cap_add", "volumes"} & set(service)


@pytest.mark.parametrize("name", OURS)
def test_a_worker_is_healthy_when_it_is_ready(name: str) -> None:
    command = SERVICES[name].get("command", [])
    port = command[-1].partition(":")[2] if "--metrics-bind" in command else ""
    (probed,) = re.findall(
        r"127\.0\.0\.1:(\d+)/readyz", str(SERVICES[name].get("healthcheck"))
    ) or [""]

    assert probed == port
    assert bool(probed) == name.endswith("worker")


@pytest.mark.parametrize("name", SERVICES)
def test_passwords_come_from_outside(name: str) -> None:
    environment = SERVICES[name].get("environment", {})

    passwords = [value for key, value in environment.items() if re.search("PASSWORD|PWD", key)]

    assert all(re.match(r"\$\{[A-Z]+_PASSWORD:\?", value) for value in passwords)
    assert not re.search(r"://[^/@\s]*:[^/@\s]*@", str(environment))


def test_only_what_makes_the_roles_is_a_superuser() -> None:
    superusers = {
        name
        for name, service in SERVICES.items()
        if "POSTGRES_PASSWORD" in str(service.get("environment"))
        or "postgres@" in str(service.get("environment"))
    }

    assert superusers == {"postgres", "roles", "logins"}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("migrate", "batching_owner"),
        ("batcher-worker", "batching_writer"),
        ("intake-worker", "batching_writer"),
    ],
)
def test_each_role_has_a_password_of_its_own(name: str, role: str) -> None:
    environment, kind = SERVICES[name]["environment"], role.removeprefix("batching_")

    assert environment["DATABASE_URL"].startswith(f"postgresql://{role}@")
    assert environment["PGPASSWORD"].startswith(f"${{{kind.upper()}_PASSWORD:?")
    assert f"ALTER ROLE {role} LOGIN PASSWORD :'{kind}';" in LOGINS
    assert (
        SERVICES["logins"]["environment"][f"{kind.upper()}_PASSWORD"] == environment["PGPASSWORD"]
    )


@pytest.mark.parametrize(
    ("name", "user", "password"),
    [
        ("temporal", "POSTGRES_USER", "POSTGRES_PWD"),
        ("temporal-schema", "SQL_USER", "SQL_PASSWORD"),
    ],
)
def test_temporal_has_a_role_of_its_own(name: str, user: str, password: str) -> None:
    environment = SERVICES[name]["environment"]

    assert environment[user] == "temporal"
    assert environment[password] == SERVICES["logins"]["environment"]["TEMPORAL_PASSWORD"]


@pytest.mark.parametrize("name", MAIN_SERVICE)
def test_the_main_service_knows_nothing_of_the_database(name: str) -> None:
    service = SERVICES[name]

    assert set(service["environment"]) == {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
    assert service["networks"] == ["temporal"]
    assert not {"env_file", "secrets", "network_mode"} & set(service)


def test_postgres_is_reached_by_those_on_the_database_network_only() -> None:
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert "ports" not in SERVICES["postgres"]
    assert DOCUMENT["networks"]["database"] == {"internal": True}


@pytest.mark.parametrize("job", PROMETHEUS["scrape_configs"], ids=lambda job: str(job["job_name"]))
def test_prometheus_scrapes_workers_where_they_serve(job: dict[str, Any]) -> None:
    (discovery,) = job["dns_sd_configs"]
    (name,) = discovery["names"]
    command = SERVICES[name]["command"]

    assert command[-2:] == ["--metrics-bind", f"0.0.0.0:{discovery['port']}"]
    assert set(SERVICES[name]["networks"]) & set(SERVICES["prometheus"]["networks"])


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_monitoring_reads_files_that_exist_and_changes_none(name: str) -> None:
    mounts = [one for one in SERVICES[name]["volumes"] if one.startswith("./")]

    assert mounts
    for mount in mounts:
        source, _, mode = mount.split(":")
        assert (COMPOSE.parent / source).exists()
        assert mode == "ro"


def test_only_this_machine_reaches_what_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: str(key.name))
def test_search_attributes_are_registered(key: SearchAttributeKey[Any]) -> None:
    script = SERVICES["temporal-namespace"]["command"][-1]
    kind = key.indexed_value_type.name.title()

    assert f"search-attribute create --name {key.name} --type {kind} || true\n" in script


def test_starters_and_queues_run_only_when_asked_for() -> None:
    on_request = {name for name, service in SERVICES.items() if "profiles" in service}

    assert on_request == {"batcher-start", "main-start", "valkey", "intake-worker"}
