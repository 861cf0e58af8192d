"""Certificates for tests: an authority, a broker called localhost, and a client, all in PEM."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

KEY_PASSWORD = "locked-up"


class Certificates(NamedTuple):
    authority: Path
    broker: Path
    """Key and certificate in one file, as Kafka takes it."""

    client: Path
    client_key: Path
    locked_key: Path
    """The client's key under KEY_PASSWORD."""

    another_authority: Path


def make_certificates(directory: Path) -> Certificates:
    """All of them, by OpenSSL 3."""
    authority, key = _authority(directory, "authority")
    another, _ = _authority(directory, "another")
    broker, broker_key = _signed(directory, "broker", "/CN=localhost", authority, key, "subjectAltName=DNS:localhost")
    client, client_key = _signed(directory, "client", "/CN=journey", authority, key, "extendedKeyUsage=clientAuth")
    both, locked = directory / "broker.pem", directory / "locked.key"
    both.write_text(broker_key.read_text() + broker.read_text())
    _openssl("pkcs8", "-topk8", "-in", client_key, "-out", locked, "-passout", f"pass:{KEY_PASSWORD}")
    return Certificates(authority, both, client, client_key, locked, another)


def _authority(directory: Path, name: str) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    _request(key, certificate, f"/CN={name}")
    return certificate, key


def _signed(
    directory: Path, name: str, subject: str, authority: Path, authority_key: Path, extension: str
) -> tuple[Path, Path]:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    signing = ["-CA", authority, "-CAkey", authority_key, "-addext", extension]
    _request(key, certificate, subject, *signing, "-addext", "basicConstraints=critical,CA:FALSE")
    return certificate, key


def _request(key: Path, certificate: Path, subject: str, *more: str | Path) -> None:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "30"]
    _openssl("req", "-x509", *curve, "-keyout", key, "-out", certificate, "-subj", subject, *more)


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
