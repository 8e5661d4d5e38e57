"""Certificates of authorities that nobody else trusts, made with openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
DAYS = "2"


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Authority:
    """An authority of its own.

    Args:
        directory: Gets all files.
        name: Tells authorities apart.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._own = Certificate(directory / f"{name}.crt", directory / f"{name}.key")
        subject = ("-subj", f"/CN={name}", "-days", DAYS)
        files = ("-keyout", str(self._own.key), "-out", str(self.certificate))
        _openssl("req", "-x509", *NEW_KEY, *subject, *files)

    @property
    def certificate(self) -> Path:
        """The file that makes others trust this authority."""
        return self._own.certificate

    def issue(self, name: str, *, host: str = "") -> Certificate:
        """Issue a certificate to a user, or to a host."""
        stem = self._directory / f"{self.certificate.stem}-{name}"
        issued = Certificate(stem.with_suffix(".crt"), stem.with_suffix(".key"))
        request, names = stem.with_suffix(".csr"), stem.with_suffix(".names")
        made = ("-keyout", str(issued.key), "-out", str(request))
        _openssl("req", *NEW_KEY, "-subj", f"/CN={name}", *made)
        # Any extension makes it a certificate of version 3, and Temporal's SDK takes no other.
        names.write_text(f"subjectAltName=DNS:{host or name}\n")
        signed_by = ("-CA", str(self.certificate), "-CAkey", str(self._own.key), "-days", DAYS)
        files = ("-in", str(request), "-out", str(issued.certificate), "-extfile", str(names))
        _openssl("x509", "-req", *signed_by, *files)
        return issued


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
