"""The parameters of a database URL: libpq's, and what is made of each."""

from collections.abc import Mapping

VARIABLES: Mapping[str, str] = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
    "load_balance_hosts": "PGLOADBALANCEHOSTS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslnegotiation": "PGSSLNEGOTIATION",
    "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
    "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    "sslcertmode": "PGSSLCERTMODE",
    "sslcrldir": "PGSSLCRLDIR",
    "sslsni": "PGSSLSNI",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "gsslib": "PGGSSLIB",
    "require_auth": "PGREQUIREAUTH",
    "requirepeer": "PGREQUIREPEER",
}
"""libpq's environment variables, which give what a URL does not say.

PGSERVICE and PGHOSTADDR are left out: with them a complete URL would lead to another database.
PGCLIENTENCODING is for what psql shows.
"""

FREE = frozenset(
    {
        *("host", "port", "user", "dbname", "password", "passfile"),
        *("application_name", "fallback_application_name", "options"),
        *("sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl", "krbsrvname"),
    }
)
"""Parameters that may be any text."""

NUMBERS = frozenset(
    {
        *("connect_timeout", "tcp_user_timeout"),
        *("keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        "prepared_statement_cache_size",
    }
)

TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
TLS_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

CHOICES: Mapping[str, tuple[str, ...]] = {
    "sslmode": TLS_MODES,
    "sslnegotiation": ("postgres", "direct"),
    "ssl_min_protocol_version": TLS_VERSIONS,
    "ssl_max_protocol_version": TLS_VERSIONS,
    "target_session_attrs": (
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "load_balance_hosts": ("disable", "random"),
    # Of these, asyncpg does what the allowed values say by itself, and nothing else.
    "channel_binding": ("prefer", "disable"),
    "client_encoding": ("utf8", "UTF8", "utf-8", "UTF-8", "auto"),
    "gssencmode": ("prefer", "disable"),
    "gsslib": ("gssapi", "sspi"),
    "max_protocol_version": ("3.0", "3.2", "latest"),
    "min_protocol_version": ("3.0",),
    "replication": ("false", "off", "no", "0"),
    "sslcertmode": ("allow",),
    "sslcompression": ("0", "1"),
    "sslsni": ("1",),
}
"""Parameters that may have few values."""

ADVICE: Mapping[str, str] = {
    "channel_binding": "write prefer, and sslmode=verify-full to know the server",
    "currentSchema": "write options=-csearch_path%3DNAME",
    "hostaddr": "write the address in place of the host",
    "require_auth": "remove it, and write sslmode=verify-full to know the server",
    "schema": "write options=-csearch_path%3DNAME",
    "search_path": "write options=-csearch_path%3DNAME",
    "service": "write into the URL what the service file says",
    "servicefile": "write into the URL what the service file says",
}
"""What to do about parameters and values that cannot be kept, if it is not to remove them."""

FIXED_SETTINGS: Mapping[str, str] = {
    "client_encoding": "the driver needs UTF-8",
    "default_transaction_isolation": "verdicts need READ COMMITTED",
}
"""Settings of the session that nobody else may make, and why."""

DRIVER_ONLY = frozenset({"prepared_statement_cache_size"})
"""SQLAlchemy's own; libpq would refuse it."""

DRIVER_TLS = frozenset(
    {
        *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
        *("sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version"),
        *("krbsrvname", "gsslib"),
    }
)
"""Parameters that asyncpg reads by the same names and rules as libpq."""

KNOWN = FREE | NUMBERS | CHOICES.keys()
