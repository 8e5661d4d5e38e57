"""A database URL: what providers hand out, what is refused, and that no message has a password."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.database.connection.hosts import USUAL_HOSTS
from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.reading import describe_database, read_parameters
from batching_demo.database.connection.vocabulary import KNOWN, VARIABLES
from batching_demo.settings import Settings, SettingsError
from tests.support.root import ROOT

CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
PASSWORDS = st.text(CHARACTERS, min_size=1, max_size=20)
TEXTS = st.text(CHARACTERS, min_size=1, max_size=8)


def read(text: str, **environ: str) -> ConnectionParameters:
    return read_parameters(text, environ)


def refusal(text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        read(text, **environ)
    return str(refused.value)


# As their documentation shows them, with other names.
PROVIDERS = {
    "Neon": (
        "postgresql://ann:s3cret@ep-cool-1.eu-2.aws.neon.tech/shop"
        "?sslmode=require&channel_binding=prefer&options=endpoint%3Dep-cool-1",
        {"options": "endpoint=ep-cool-1"},
    ),
    "Supabase": (
        "postgres://postgres.abcd:s3cret@aws-0-eu-west-3.pooler.supabase.com:6543/postgres",
        {},
    ),
    "Heroku": ("postgres://ann:s3cret@ec2-1.compute-1.amazonaws.com:5432/d5abc", {}),
    "RDS": (
        "postgresql://ann:s3cret@shop.abc.eu-west-1.rds.amazonaws.com:5432/shop"
        "?sslmode=verify-full&sslrootcert=/certs/global-bundle.pem",
        {},
    ),
    "Azure": (
        "postgresql://ann%40shop:s3cret@shop.postgres.database.azure.com/postgres?sslmode=require",
        {},
    ),
    "Crunchy": (
        "postgres://application:s3cret@p.abc.db.postgresbridge.com:5432/postgres",
        {},
    ),
    "Aiven": ("postgres://avnadmin:s3cret@shop.a.aivencloud.com:17024/shop?sslmode=require", {}),
    "Fly": ("postgres://postgres:s3cret@shop-db.flycast:5432/shop?sslmode=disable", {}),
    "Patroni": (
        "postgresql://ann:s3cret@db-a:5432,db-b:5433/shop?target_session_attrs=read-write"
        "&connect_timeout=5&application_name=shop%20writer&keepalives=1&keepalives_idle=30",
        {"application_name": "shop writer"},
    ),
    "search path": (
        "postgresql://ann:s3cret@db/shop?options=-csearch_path%3Dapp%20-c%20work_mem%3D8MB",
        {"search_path": "app", "work_mem": "8MB"},
    ),
    "all that changes nothing": (
        "postgresql://ann:s3cret@db/shop?gssencmode=prefer&sslsni=1&sslcompression=0&krbsrvname=x"
        "&client_encoding=utf8&fallback_application_name=x&sslcertmode=allow&sslkey=",
        {},
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_providers_hand_out_is_read(provider: str) -> None:
    text, settings = PROVIDERS[provider]
    parameters = read(text)
    assert parameters.password == "s3cret"
    assert {**parameters.server_settings, **parameters.start_settings} == settings
    assert "s3cret" not in f"{parameters!r} {parameters.describe()}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://ann@db/shop", "db:5432/shop"),
        ("postgresql+asyncpg://ann@db/shop", "db:5432/shop"),
        ("postgresql://ann@db:5433", "db:5433/ann"),
        ("postgresql://ann@a,b:6000,[::1]:7000/shop", "a:5432,b:6000,[::1]:7000/shop"),
        ("postgresql://ann@a,b/shop?port=6000", "a:6000,b:6000/shop"),
        ("postgresql://ann@/shop?host=a:6000&host=b:7000", "a:6000,b:7000/shop"),
        ("postgresql://ann@/shop?host=a,b&port=6000,7000", "a:6000,b:7000/shop"),
        ("postgresql://ann@other:1/shop?host=/run/pg&port=5433", "/run/pg:5433/shop"),
        ("postgresql://ann@%2Frun%2Fpg:5433/shop", "/run/pg:5433/shop"),
        ("postgresql://ann@/shop?host=::1", "[::1]:5432/shop"),
        ("postgresql:///shop?user=ann", ",".join(f"{h}:5432" for h in USUAL_HOSTS) + "/shop"),
        ("postgresql://ann@db/a b", "db:5432/a b"),
        ("postgresql://db/?user=ann&dbname=a%20b", "db:5432/a b"),
    ],
)
def test_where_a_url_leads(text: str, place: str) -> None:
    parameters = read(text)
    assert (parameters.describe(), parameters.user) == (place, "ann")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://a@db/x\n", "ends with a newline"),
        (" postgresql://a@db/x", "begins with a space"),
        ("postgresql://a@db/x\ty", "contains a tab"),
        ("\ufeffpostgresql://a@db/x", "begins with an invisible character"),
        ('"postgresql://a@db/x"', "quotes"),
        ("postgresql://a@db/x'", "quotes"),
        ("db.example", "not a URL: write postgresql://user:password@host:5432/database"),
        ("host=db password=x", "not a URL"),
        ("mysql://a@db/x", "does not begin with postgresql://"),
        ("postgresql://a:b%@db/x", "write %25 for an %"),
        ("postgresql://a@db:five/x", "port in DATABASE_URL is not a number"),
        ("postgresql://a@db:65536/x", "port in DATABASE_URL is not a number"),
        ("postgresql://a@db:1,db:2,db/x?port=1,2", "port in DATABASE_URL: write one for each host"),
        ("postgresql://a@db/%ff", "not UTF-8"),
        ("postgresql://a@db/x%00", "%00"),
        ("postgresql://a@db/x?sslmode", "a parameter without a value"),
        ("postgresql://a@db/x?sslmod=require", "parameter sslmod in DATABASE_URL is not supported"),
        ("postgresql://a@db/x?schema=app", "write options=-csearch_path%3DNAME"),
        ("postgresql://a@db/x?service=other", "the service file"),
        ("postgresql://a@db/x?hostaddr=::1", "write the address in place of the host"),
        ("postgresql://a@db/x?pgbouncer=true", "pgbouncer in DATABASE_URL is not supported"),
        ("postgresql://a@db/x?a%0Ab=1", "has a parameter that is unknown"),
        ("postgresql://db/x?user=a&password=secret&ret=1", "write %26 for an & in a value"),
        ("postgresql://db/x?user=a&sslpassword=secret&ret=1", "write %26 for an & in a value"),
        ("postgresql://a@db/x?sslmode=true", "can only be disable"),
        ("postgresql://a@db/x?channel_binding=require", "channel_binding in DATABASE_URL can only"),
        ("postgresql://a@db/x?channel_binding=require", "write prefer, and sslmode=verify-full"),
        ("postgresql://a@db/x?sslmode=full", "can only be disable or allow or prefer or require"),
        ("postgresql://a@db/x?sslsni=0", "sslsni in DATABASE_URL can only be 1"),
        ("postgresql://a@db/x?target_session_attrs=master", "can only be any or read-write"),
        ("postgresql://a@db/x?connect_timeout=5s", "connect_timeout in DATABASE_URL is"),
        ("postgresql://a@db/x?options=--default-transaction-isolation%3Dx", "need READ COMMITTED"),
        ("postgresql://a@db/x?options=-c%20Client_Encoding%3Dx", "the driver needs UTF-8"),
        ("postgresql://a@db/x?sslrootcert=system&sslmode=require", "write sslmode=verify-full"),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_named(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize("character", "@/#?:%")
def test_an_unescaped_password_is_ambiguous(character: str) -> None:
    message = refusal(f"postgresql://ann:first{character}second@db.example/shop")
    assert "is ambiguous" in message
    assert not any(part in message for part in ("first", "second", "ann", "db.example"))


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PGSSLMODE": "full"}, "PGSSLMODE can only be"),
        ({"PGCHANNELBINDING": "require"}, "PGCHANNELBINDING can only be prefer"),
        ({"PGREQUIREAUTH": "scram-sha-256"}, "PGREQUIREAUTH is not supported"),
        ({"PGPORT": "five"}, "PGPORT is not a number"),
    ],
)
def test_a_variable_that_decides_is_named(variables: dict[str, str], told: str) -> None:
    assert refusal("postgresql://ann@db/shop", **variables).startswith(told)


def test_variables_give_what_the_url_does_not_say() -> None:
    variables = {
        "PGHOST": "other",
        "PGPORT": "6000",
        "PGUSER": "bob",
        "PGDATABASE": "store",
        "PGPASSWORD": "s3cret",
        "PGOPTIONS": "-c search_path=app",
        "PGTARGETSESSIONATTRS": "primary",
        "PGSERVICE": "other",
        "PGHOSTADDR": "127.0.0.9",
    }
    bare = read("postgresql://", **variables)
    assert (bare.describe(), bare.user, bare.password) == ("other:6000/store", "bob", "s3cret")
    assert bare.server_settings == {"search_path": "app"}
    assert bare.choice("target_session_attrs", "any") == "primary"
    said = read("postgresql://ann:pw@db:5433/shop?options=-cjit%3Doff", **variables)
    assert (said.describe(), said.user, said.password) == ("db:5433/shop", "ann", "pw")
    assert said.server_settings == {"jit": "off"}


def test_a_database_is_described_with_what_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db")
    settings = Settings(Path(), "postgresql://ann:pw@/shop")
    assert describe_database(settings) == "db:5432/shop from DATABASE_URL and PGHOST"
    embedded = Settings(Path(), "postgresql://ann:pw@db/shop", None, ("the embedded Postgres",))
    assert describe_database(embedded) == "db:5432/shop, the embedded Postgres"


def test_the_docs_name_every_parameter_and_its_variable() -> None:
    documents = ROOT / "docs" / "configuration.md"
    rows = [row.split("|")[1:3] for row in documents.read_text().splitlines() if row[:3] == "| `"]
    names, variables = (
        {name for row in rows for name in row[at].split("`")[1::2]} for at in (0, 1)
    )
    assert KNOWN - names == set()
    silent = {"PGSSLCERTMODE", "PGSSLSNI", "PGSSLCRLDIR", "PGREQUIREAUTH", "PGREQUIREPEER"}
    assert set(VARIABLES.values()) - variables == silent


def test_a_url_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    text = f"file://{file}"
    assert refusal(text) == f"DATABASE_URL_FILE: cannot read {file}: No such file or directory"
    file.write_text("postgresql://ann:pw@db/shop\n")
    assert read(text).describe() == "db:5432/shop"
    file.write_text("postgresql://ann:pw@db/shop\n\n")
    assert "DATABASE_URL_FILE ends with a newline" in refusal(text)


@given(user=TEXTS, password=PASSWORDS, database=TEXTS, option=TEXTS)
def test_an_escaped_url_gives_every_part_again(
    user: str, password: str, database: str, option: str
) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    query = f"application_name={quote(option, safe='')}"
    parameters = read(f"postgresql://{login}@db/{quote(database, safe='')}?{query}")
    assert (parameters.user, parameters.password) == (user, password)
    assert parameters.database == database
    assert parameters.start_settings == {"application_name": option}


@given(
    # Letters that no message has, and all that has a meaning in a URL.
    password=st.text("αβγδ@/#?:%&=,+[]'\" \n", min_size=4),
    rest=st.sampled_from(["@db/shop", "@db/shop?sslmode=nope", "@db:x/shop", "@a,b/s?port=1,2,3"]),
)
def test_no_message_has_any_part_of_a_password(password: str, rest: str) -> None:
    try:
        told = read(f"postgresql://u:{password}{rest}").describe()
    except SettingsError as error:
        told = str(error)
    pieces = {password[at : at + 4] for at in range(len(password) - 3)}
    assert not [piece for piece in pieces if piece in told]
