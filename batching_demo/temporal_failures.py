"""What the SDK's long messages about failed connections mean, in one line with true advice."""

import re

from batching_demo.temporal_target import ADDRESS, EMBEDDED, PROFILE, TemporalTarget

_CAUSE = re.compile(r'(?:message|error): "([^"]+)"')
_STATUS = re.compile(r'code: (\w+), message: "([^"]*)"')
_CERTIFICATE = re.compile(r"InvalidCertificate\((.+?)\)+$")
_NO_TLS = ("InvalidContentType", "CorruptMessage", "MessageTooLarge")
"""What a TLS client meets at a server that answers in plain text."""
_REFUSED = ("Unauthenticated", "PermissionDenied")


def explain(message: str, target: TemporalTarget) -> str:
    """Name the server, what decided it, the last cause, and what to do."""
    where = f"at {target.address} ({target.address_from})"
    status = _STATUS.search(message)
    if status and status[1] in _REFUSED:
        return (
            f"Temporal {where} refuses the login ({last_cause(message)}): correct TEMPORAL_API_KEY"
            " or the client certificate"
        )
    if any(sign in message for sign in _NO_TLS):
        return (
            f"what answers {where} does not use TLS, which {target.tls_from} asks for: set"
            " TEMPORAL_TLS=false if that is right"
        )
    if certificate := _CERTIFICATE.search(message):
        return (
            f"the certificate of Temporal {where} is not trusted ({certificate[1]}): name its CA"
            " with TEMPORAL_TLS_SERVER_CA_CERT_PATH, and its host with TEMPORAL_TLS_SERVER_NAME"
        )
    if status:
        tls = "" if target.tls_from else ", or it wants TLS: set TEMPORAL_TLS=true"
        return (
            f"what answers {where} does not speak Temporal's protocol ({last_cause(message)}):"
            f" it is another port than Temporal's{tls}"
        )
    return f"Temporal does not answer {where}: {last_cause(message)}: {_advice(target)}"


def _advice(target: TemporalTarget) -> str:
    if target.address_from == ADDRESS:
        return f"start that server, or correct {ADDRESS}"
    if target.address_from.startswith("profile"):
        return f"start that server, or choose another with {ADDRESS} or {PROFILE}"
    if target.address_from.startswith(EMBEDDED):
        return "start it again with `batching-demo dev up`"
    return f"start one with `batching-demo dev up`, or set {ADDRESS}"


def last_cause(message: str) -> str:
    """Shorten the message of the SDK about a failed connection to its last cause, one line."""
    causes: list[str] = _CAUSE.findall(message)
    lines = [line.strip() for text in (*reversed(causes), message) for line in text.splitlines()]
    return next(filter(None, lines), "no reason given")
