"""What secures the connections to Temporal, what decided that, and what its failures mean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batching_demo.settings import SettingsError

if TYPE_CHECKING:
    from temporalio.envconfig import ClientConfigProfile

API_KEY, TLS = "TEMPORAL_API_KEY", "TEMPORAL_TLS"
CLIENT_CERTIFICATE, CLIENT_KEY = f"{TLS}_CLIENT_CERT_PATH", f"{TLS}_CLIENT_KEY_PATH"
AUTHORITY, SERVER_NAME = f"{TLS}_SERVER_CA_CERT_PATH", f"{TLS}_SERVER_NAME"
ASKING_FOR_TLS = (TLS, API_KEY)
"""Beginnings of the variables that turn TLS on."""
_NO_TLS = ("InvalidContentType", "CorruptMessage", "MessageTooLarge")
"""What a TLS client meets at a server that answers in plain text."""
_UNUSABLE = re.compile(
    r"Error\(Transport, ((?:InvalidCertificate|InconsistentKeys|NoCertificates|\w+ParseError).*)\)$"
)
"""What is wrong with the files of the client, which no server has seen yet."""
_UNTRUSTED = re.compile(r"error: InvalidCertificate\((.+)\) \}")
_NAMES = re.compile(r'DnsName\(\\"(.+?)\\"\)')
_MOST_NAMES = 3
_TIME = re.compile("Expired|NotValidYet")
_ALERT = re.compile(r"received fatal alert: (\w+)")
_CERTIFICATE_ALERT = re.compile(r"Cert|UnknownCA|AccessDenied|DecryptError|HandshakeFailure")
"""What a server says of the certificate of a client, or without one."""


@dataclass(frozen=True)
class Security:
    """The variables, or the profile, that say how connections are secured; empty where none does.

    Without TLS only `api_key` may be there.
    """

    tls: str = ""
    """What turned it on."""
    authority: str = ""
    server_name: str = ""
    client_certificate: str = ""
    client_key: str = ""
    api_key: str = ""


def read_security(
    profile: "ClientConfigProfile", variables: Mapping[str, str], origin: str
) -> Security:
    """Find out what decides.

    Args:
        profile: What counts in the end.
        variables: Those of Temporal.
        origin: The profile of the file, for what no variable says.

    Raises:
        SettingsError: There is a client's certificate without its key, or a key without it.
    """

    def decided(value: object, *names: str) -> str:
        return next((name for name in names if name in variables), origin) if value else ""

    api_key = decided(profile.api_key, API_KEY)
    asked_by = next((name for name in variables if name.startswith(ASKING_FOR_TLS)), origin)
    tls = profile.tls
    if tls is None:
        # An API key turns it on by itself.
        return Security(tls=asked_by if api_key else "", api_key=api_key)
    if tls.disabled:
        return Security(api_key=api_key)
    certificate = decided(tls.client_cert, CLIENT_CERTIFICATE, f"{TLS}_CLIENT_CERT_DATA")
    key = decided(tls.client_private_key, CLIENT_KEY, f"{TLS}_CLIENT_KEY_DATA")
    if certificate and not key:
        raise SettingsError(f"{certificate} names a certificate without its key: set {CLIENT_KEY}")
    if key and not certificate:
        raise SettingsError(f"{key} names a key without its certificate: set {CLIENT_CERTIFICATE}")
    return Security(
        tls=asked_by,
        authority=decided(tls.server_root_ca_cert, AUTHORITY, f"{TLS}_SERVER_CA_CERT_DATA"),
        server_name=decided(tls.server_name, SERVER_NAME),
        client_certificate=certificate,
        client_key=key,
        api_key=api_key,
    )


def explain_tls(message: str, where: str, security: Security) -> str | None:
    """Explain a message of the SDK that is about TLS; None if it is about something else."""
    if any(sign in message for sign in _NO_TLS):
        return (
            f"what answers {where} does not use TLS, which {security.tls} asks for: set {TLS}=false"
            " if that is right"
        )
    unusable = _UNUSABLE.search(message)
    if unusable and security.client_certificate:
        return (
            f"the client certificate of {security.client_certificate} and the key of"
            f" {security.client_key} cannot be used ({unusable[1]}): name a certificate of version"
            " 3 in PEM, and its own key"
        )
    if untrusted := _UNTRUSTED.search(message):
        return f"the certificate of Temporal {where} {_untrusted(untrusted[1], security)}"
    alert = _ALERT.search(message)
    if alert and _CERTIFICATE_ALERT.search(alert[1]):
        what, advice = what_it_wants(security)
        return f"Temporal {where} {what} ({alert[1]}): {advice}"
    return None


def _untrusted(reason: str, security: Security) -> str:
    if reason == "UnknownIssuer":
        if security.authority:
            return f"comes from an authority that {security.authority} does not hold: correct it"
        return (
            "comes from an authority that this machine does not trust: name the file of that"
            f" authority with {AUTHORITY}"
        )
    if reason.startswith("NotValidForName"):
        names = ", ".join(_NAMES.findall(reason)[:_MOST_NAMES]) or "no host"
        advice = f"correct {security.server_name}" if security.server_name else f"set {SERVER_NAME}"
        return f"is for {names}: {advice}, if that is the server that you mean"
    if "CaUsedAsEndEntity" in reason:
        return "is that of an authority: the server needs one that the authority has issued"
    clock = ", or this machine the right time" if _TIME.match(reason) else ""
    return f"is not valid ({reason}): the server needs another one{clock}"


def what_it_wants(security: Security) -> tuple[str, str]:
    """Return what a server does that turns clients away without a word of gRPC, and what helps."""
    if not security.tls:
        return "wants TLS", f"set {TLS}=true"
    if not security.client_certificate:
        return "wants a client certificate", f"set {CLIENT_CERTIFICATE} and {CLIENT_KEY}"
    refused = security.client_certificate
    return f"refuses the client certificate of {refused}", "name one that it accepts"
