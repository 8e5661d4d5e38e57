"""Variables that are read, secrets that are files, and what each pod may know."""

import re
from pathlib import Path

from batching_demo.settings import Settings
from batching_demo.temporal.target import choose_temporal
from tests.support.manifests import VERSION, Manifests, Pod, every_folder, every_overlay
from tests.support.root import ROOT

KNOWN_VARIABLES = set(
    re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "configuration.md").read_text())
)
SECRETS = "/etc/batching-demo/secrets/"


@every_folder
def test_every_variable_is_one_that_is_read(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        assert manifests.environment(pod).keys() <= KNOWN_VARIABLES


@every_folder
def test_no_secret_stands_in_the_environment(manifests: Manifests) -> None:
    assert manifests.of("Secret") == []
    for pod in manifests.pods.values():
        assert all("value" in one for one in pod.container.get("env", []))
        assert all(one.keys() == {"configMapRef"} for one in pod.container.get("envFrom", []))
        named = manifests.environment(pod)
        secret = {name for name in named if re.search("DATABASE_URL|KEY|TOKEN|FROM|QUEUE", name)}
        assert all(name.endswith("_FILE") for name in secret)
        assert not re.search(r"://[^/\s]*@", str(named))


@every_folder
def test_every_file_that_a_variable_names_is_mounted(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        named = {v for n, v in pod.env.items() if n.endswith("_FILE") and v.startswith(SECRETS)}
        mounted = pod.mounts("secret")
        assert {path.rpartition("/")[0] for path in named} <= mounted.keys()
        assert all(path.startswith(SECRETS) for path in mounted)
        assert all(secret["defaultMode"] == 0o440 for secret in mounted.values())


@every_folder
def test_roles_of_the_database_fit_what_is_done(manifests: Manifests) -> None:
    roles = {
        name: [
            secret["secretName"]
            for path, secret in pod.mounts("secret").items()
            if "postgres" in path
        ]
        for name, pod in manifests.pods.items()
    }

    assert roles.pop("migrate") == ["postgres-owner"]
    assert roles.pop("main-worker") == []
    assert all(secrets == ["postgres-writer"] for secrets in roles.values())


@every_folder
def test_the_main_service_knows_nothing_of_the_database(manifests: Manifests) -> None:
    named = manifests.environment(manifests.pods["main-worker"])

    assert not [name for name in named if "DATABASE" in name or name.startswith("PG")]


def as_mounted(manifests: Manifests, pod: Pod, folder: Path) -> dict[str, str]:
    """Return the environment of a pod, with its files of Temporal's in another folder."""
    environment = manifests.environment(pod)
    secret = environment.pop("TEMPORAL_API_KEY_FILE", None)
    if secret:
        environment["TEMPORAL_API_KEY"] = "hunter2"
    for file in ("tls.crt", "tls.key"):
        (folder / file).write_text("of a client")
    mounted, _, name = environment.get("TEMPORAL_CONFIG_FILE", "").rpartition("/")
    if mounted:
        text = manifests.config(pod.mounts("configMap")[mounted]["name"])[name]
        (secrets,) = (path for path in pod.mounts("secret") if path.endswith("/temporal"))
        (folder / name).write_text(text.replace(secrets, str(folder)))
        environment["TEMPORAL_CONFIG_FILE"] = str(folder / name)
    return environment


@every_overlay
def test_workers_are_told_where_temporal_is(manifests: Manifests, tmp_path: Path) -> None:
    logins = {
        "overlays/temporal-cloud": ("TEMPORAL_API_KEY", ""),
        "overlays/temporal-cloud-mtls": ("", f"profile production of {tmp_path}/temporal.toml"),
    }
    for name in ("batcher-worker", "main-worker"):
        pod = manifests.pods[name]
        target = choose_temporal(Settings(None), as_mounted(manifests, pod, tmp_path))
        security = target.security
        assert re.fullmatch(r"[a-z0-9.-]+:7233", target.address)
        assert (target.is_named, bool(target.namespace_from)) == (True, True)
        expected = logins.get(manifests.folder, ("", ""))
        assert (security.api_key, security.client_certificate) == expected


@every_folder
def test_workers_have_a_version_only_where_it_is_asked_for(manifests: Manifests) -> None:
    asked_for = manifests.folder == "overlays/versioned"
    for name in ("batcher-worker", "main-worker"):
        named = manifests.environment(manifests.pods[name])
        assert ("BATCHING_DEMO_DEPLOYMENT_NAME" in named) is asked_for
        assert named.get("BATCHING_DEMO_BUILD_ID") == (VERSION if asked_for else None)
