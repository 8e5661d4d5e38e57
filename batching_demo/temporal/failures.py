"""What the SDK's long messages about failed connections mean, in one line with true advice."""

import re

from batching_demo.temporal.security import API_KEY, explain_tls, what_it_wants
from batching_demo.temporal.target import ADDRESS, EMBEDDED, PROFILE, TemporalTarget

_CAUSE = re.compile(r'(?:message|error): "([^"]+)"')
_STATUS = re.compile(r'code: (\w+), message: "([^"]*)"')
_REFUSED = ("Unauthenticated", "PermissionDenied")


def explain(message: str, target: TemporalTarget) -> str:
    """Name the server, what decided it, the last cause, and what to do."""
    where = f"at {target.address} ({target.address_from})"
    status = _STATUS.search(message)
    if status and status[1] in _REFUSED:
        advice = _login_advice(target)
        return f"Temporal {where} refuses the login ({last_cause(message)}): {advice}"
    if line := explain_tls(message, where, target.security):
        return line
    if status:
        # Whether the SDK sees why a server refuses a certificate is a matter of luck.
        what, advice = what_it_wants(target.security)
        return (
            f"what answers {where} does not speak Temporal's protocol ({last_cause(message)}): it"
            f" {what} ({advice}), or is another port than Temporal's, or a proxy whose server is"
            " away"
        )
    return f"Temporal does not answer {where}: {last_cause(message)}: {_advice(target)}"


def _login_advice(target: TemporalTarget) -> str:
    security = target.security
    key = f"correct the API key in {security.api_key}" if security.api_key else f"set {API_KEY}"
    if not security.client_certificate:
        return key
    return f"{key}, or the client certificate in {security.client_certificate}"


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
