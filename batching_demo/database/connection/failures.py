"""Why a connection was not made, for the person who wrote the URL."""

import ssl
from collections.abc import Sequence
from socket import gaierror

from asyncpg import (
    ClientConfigurationError,
    ConnectionDoesNotExistError,
    PostgresError,
    TargetServerAttributeNotMatched,
)

from batching_demo.database.connection.hosts import Host
from batching_demo.database.connection.parameters import ConnectionParameters
from batching_demo.database.connection.passwords import find_password, is_private
from batching_demo.database.connection.tls import tls_mode
from batching_demo.database.errors import Failure, FailureKind, sqlstate_of

Attempt = tuple[Host, BaseException]
WRONG_NAME = frozenset({62, 64})
"""OpenSSL's numbers for a certificate of another name, and of another address."""
UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
REFUSED_SETTINGS = frozenset({"22023", "42601", "42704"})


def explain(parameters: ConnectionParameters, host: Host, error: BaseException) -> Failure | None:
    """Return what is wrong and what to do; None if the URL has nothing to do with it."""
    sqlstate = reason = None
    if isinstance(error.__cause__, ssl.SSLError):
        # The server refuses our certificate after our handshake is over.
        reason = _failed_handshake(parameters, host, error.__cause__)
    elif isinstance(error, ConnectionDoesNotExistError):
        # It may have closed the connection before its reason was read.
        reason = _perhaps_refused_certificate(parameters, host)
    elif isinstance(error, PostgresError):
        sqlstate = sqlstate_of(error)
        # Its hints have lines of their own.
        reason = _refusal(parameters, host, sqlstate, str(error).partition("\n")[0])
    else:
        reason = _missing_encryption(parameters, host, error)
    return Failure(FailureKind.OPERATOR, reason, sqlstate) if reason else None


def no_host(parameters: ConnectionParameters, attempts: Sequence[Attempt]) -> Failure:
    """Return that no host serves, and why not; the operator has to act if one has to be mended."""
    failures = [explain(parameters, *attempt) for attempt in attempts]
    if len(attempts) == 1 and failures[0]:
        return failures[0]
    reasons = [
        failure.reason if failure else f"{host} {_state(parameters, error)}"
        for failure, (host, error) in zip(failures, attempts, strict=True)
    ]
    kind = FailureKind.OPERATOR if any(failures) else FailureKind.OUTAGE
    return Failure(
        kind, f"no host in {parameters.said.origin('host')} serves: {', '.join(reasons)}"
    )


def _state(parameters: ConnectionParameters, error: BaseException) -> str:
    if isinstance(error, TargetServerAttributeNotMatched):
        return f"is not {parameters.choice('target_session_attrs', 'any')}"
    if isinstance(error, PostgresError):
        return "is starting or stopping"
    if isinstance(error, TimeoutError):
        return f"does not answer within {parameters.connect_timeout:g} s"
    words: dict[type[BaseException], str] = {
        ConnectionRefusedError: "refuses connections",
        FileNotFoundError: "is not there",
        gaierror: "is an unknown name",
    }
    return words.get(type(error), "does not answer")


def _refusal(
    parameters: ConnectionParameters, host: Host, sqlstate: str | None, message: str
) -> str | None:
    """Word what Postgres itself has refused; its message holds no password."""
    if sqlstate == "28P01":
        return _wrong_password(parameters, host)
    if sqlstate == "28000":
        advice = "; it may want sslmode=require" if _is_plain(parameters) else ""
        return f"the role in {parameters.said.origin('user')} may not log in: {message}{advice}"
    if sqlstate == "3D000":
        origin = parameters.said.origin("dbname")
        return f"the database in {origin} does not exist: create it, and migrate it"
    if sqlstate in REFUSED_SETTINGS and "options" in parameters.said.values:
        return f"Postgres refuses {parameters.said.label('options')}: {message}"
    return None


def _is_plain(parameters: ConnectionParameters) -> bool:
    return tls_mode(parameters) == "disable"


def _wrong_password(parameters: ConnectionParameters, host: Host) -> str:
    if parameters.password is not None:
        return f"the password in {parameters.said.origin('password')} is wrong"
    path = parameters.password_file
    if path is not None and path.is_file():
        if not is_private(path):
            return f"the password file {path} is not used, as others may read it: chmod 600 it"
        if find_password(path, host, parameters.database, parameters.user) is not None:
            return f"the password in {path} is wrong"
    where = f", nor has {path} a line for it" if path else ""
    return f"{parameters.said.origin('host')} has no password{where}: write one into either"


def _missing_encryption(
    parameters: ConnectionParameters, host: Host, error: BaseException
) -> str | None:
    mode = tls_mode(parameters)
    place = parameters.said.label("sslmode")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _untrusted(parameters, host, error)
    if isinstance(error, ssl.SSLError):
        return _failed_handshake(parameters, host, error)
    if isinstance(error, ClientConfigurationError) and not mode.startswith("verify"):
        return f"{place} is {mode}: {error}"
    if isinstance(error, ClientConfigurationError):
        return (
            f"{place} is {mode}, which needs the certificate of an authority:"
            " write sslrootcert=FILE, or sslrootcert=system to trust those of this machine"
        )
    if isinstance(error, ConnectionError) and "SSL upgrade" in str(error):
        return f"{host} does not encrypt, and {place} is {mode}"
    return None


def _untrusted(
    parameters: ConnectionParameters, host: Host, error: ssl.SSLCertVerificationError
) -> str:
    if error.verify_code in WRONG_NAME:
        return (
            f"the certificate of {host} is for another name: write the name that is in it, or"
            " sslmode=verify-ca"
        )
    if error.verify_code in UNKNOWN_AUTHORITY:
        path = parameters.said.values.get("sslrootcert", "~/.postgresql/root.crt")
        return (
            f"the certificate of {host} is signed by an authority that sslrootcert={path} does not"
            " hold: write the file of that authority"
        )
    return f"the certificate of {host} is not valid: {error.verify_message}"


def _failed_handshake(parameters: ConnectionParameters, host: Host, error: ssl.SSLError) -> str:
    reason = (error.reason or "a certificate does not fit its key").replace("_", " ").lower()
    if "sslcert" in parameters.said.values and "alert" in reason:
        return f"{host} does not accept {parameters.said.label('sslcert')}: {reason}"
    return f"no encrypted connection to {host}: {reason}"


def _perhaps_refused_certificate(parameters: ConnectionParameters, host: Host) -> str | None:
    if "sslcert" not in parameters.said.values:
        return None
    return f"{host} closes the connection: it may not accept {parameters.said.label('sslcert')}"
