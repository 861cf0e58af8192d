"""How every client of ours reaches the brokers: TLS, a certificate of our own, and who we say we are.

Files are read when a client is made. So a password, a key or a certificate that is replaced counts from the next
connection of a new client on, at the latest after a restart.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journey_stream.worker.oauth import Endpoint, token_provider
from journey_stream.worker.secret_files import UnusableFile, read_secret, require_file

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings

OAUTHBEARER = "OAUTHBEARER"


def client_options(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client is given. Raises UnusableFile, an OSError, that names the setting and the file."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == OAUTHBEARER:
            options["sasl_oauth_token_provider"] = token_provider(_endpoint(settings))
        else:
            options["sasl_plain_username"] = settings.sasl_username
            options["sasl_plain_password"] = _password(settings)
    return options


def principal(settings: Settings) -> str:
    """Who we are to the brokers, as far as that can be told from here: they may map names to others."""
    if settings.security_protocol.startswith("SASL"):
        by_token = settings.sasl_mechanism == OAUTHBEARER
        return f"User:{settings.oauth_client_id if by_token else settings.sasl_username}"
    return f"User:(the subject of {settings.ssl_certfile})" if settings.ssl_certfile else "User:ANONYMOUS"


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or later. The broker's certificate is always checked, its name unless `ssl_check_hostname` is off.

    Raises UnusableFile.
    """
    context = trusting("ssl_cafile", settings.ssl_cafile)
    context.check_hostname = settings.ssl_check_hostname
    certificate, key = settings.ssl_certfile, settings.ssl_keyfile
    if certificate is None or key is None:
        return context
    require_file("ssl_certfile", certificate)
    require_file("ssl_keyfile", key)
    locked = settings.ssl_keyfile_password_file
    # Without a password, OpenSSL would ask for that of a locked key at the terminal, and wait.
    password = "" if locked is None else read_secret("ssl_keyfile_password_file", locked)
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)
    except OSError as error:
        expected = (
            f"the private key of ssl_certfile {certificate}, both in PEM, and ssl_keyfile_password_file with its "
            f"password if it is locked ({_reason(error)})"
        )
        raise UnusableFile("ssl_keyfile", key, expected) from error
    return context


def trusting(field: str, cafile: Path | None) -> ssl.SSLContext:
    """A context that trusts the authorities of a file, or those of the system. Raises UnusableFile."""
    if cafile is not None:
        require_file(field, cafile)
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=cafile)
    except OSError as error:
        expected = f"certificates of authorities in PEM ({_reason(error)})"
        raise UnusableFile(field, cafile, expected) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def connection_mistakes(settings: Settings) -> Iterator[tuple[str, object, str]]:
    """Field, whether it is wrong, and what was expected, for what does not fit together."""
    protocol = settings.security_protocol
    sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
    by_token = settings.sasl_mechanism == OAUTHBEARER
    by_password, password = sasl and not by_token, settings.sasl_password or settings.sasl_password_file
    yield "sasl_username", by_password and not settings.sasl_username, f"a user name for {protocol}"
    yield (
        "sasl_password",
        by_password and not password,
        f"a password for {protocol}; sasl_password_file names a file with it",
    )
    yield (
        "sasl_password",
        settings.sasl_password and settings.sasl_password_file,
        "one of sasl_password and sasl_password_file",
    )
    yield (
        "security_protocol",
        not sasl and (settings.sasl_username or password or settings.oauth_client_id),
        "SASL_SSL or SASL_PLAINTEXT, since a SASL user or password is given",
    )
    yield (
        "security_protocol",
        not tls and (settings.ssl_cafile or settings.ssl_certfile),
        "SSL or SASL_SSL, since a certificate is given",
    )
    yield "ssl_keyfile", settings.ssl_certfile and not settings.ssl_keyfile, "the private key of ssl_certfile"
    yield "ssl_certfile", settings.ssl_keyfile and not settings.ssl_certfile, "the certificate of ssl_keyfile"
    yield (
        "sasl_mechanism",
        by_token and (settings.sasl_username or password),
        "PLAIN or SCRAM-SHA-…, since a user or password is given; OAUTHBEARER goes by oauth_client_id",
    )
    for field in ("oauth_token_url", "oauth_client_id", "oauth_client_secret_file"):
        given = getattr(settings, field)
        yield field, sasl and by_token and not given, "a value, for sasl_mechanism OAUTHBEARER"
        yield field, given and not by_token, "the setting sasl_mechanism OAUTHBEARER beside it"


def _password(settings: Settings) -> str:
    if settings.sasl_password_file is not None:
        return read_secret("sasl_password_file", settings.sasl_password_file)
    assert settings.sasl_password is not None
    return settings.sasl_password.get_secret_value()


def _endpoint(settings: Settings) -> Endpoint:
    url, client, secret = settings.oauth_token_url, settings.oauth_client_id, settings.oauth_client_secret_file
    assert url is not None
    assert client is not None
    assert secret is not None
    if settings.oauth_cafile is not None:
        trusting("oauth_cafile", settings.oauth_cafile)
    return Endpoint(url, client, secret, settings.oauth_scope, settings.oauth_cafile)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
