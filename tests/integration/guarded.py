"""A broker that asks who comes, in every way it can, and lets nobody do what they were not granted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from journey_stream.worker.config import Settings
from tests.support.certificates import Certificates, make_certificates
from tests.support.granting import set_scram_password
from tests.support.kafka import KafkaBroker, free_port

USERS_MAX = 400
SCRAM_USER, OAUTH_CLIENT, SECRET = "scrambled", "journey-oauth", "hush-hush-hush"
LISTENERS = {
    "GUARDED": "SASL_PLAINTEXT",
    "MUTUAL": "SSL",
    "SCRAM": "SASL_SSL",
    "OAUTH": "SASL_SSL",
}


class Guarded(NamedTuple):
    """`addresses` by listener; on `open` anybody may do anything."""

    broker: KafkaBroker
    addresses: dict[str, str]
    certificates: Certificates

    @property
    def open(self) -> str:
        return self.broker.bootstrap

    def as_user(self, settings: Settings, user: str) -> Settings:
        """The same settings, of one of the users `u0` and so on."""
        values: dict[str, Any] = {
            "bootstrap_servers": self.addresses["GUARDED"],
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": user,
            "sasl_password": f"{user}-secret",
        }
        return Settings(**(settings.model_dump(exclude_defaults=True) | values))


@contextmanager
def guarded_broker(directory: Path) -> Iterator[Guarded]:
    certificates = make_certificates(directory)
    broker = KafkaBroker(directory / "broker")
    ports = {name: free_port() for name in LISTENERS}
    addresses = {name: f"localhost:{port}" for name, port in ports.items()}
    listeners = "".join(f",{name}://127.0.0.1:{port}" for name, port in ports.items())
    advertised = "".join(f",{name}://{address}" for name, address in addresses.items())
    kinds = "".join(f",{name}:{kind}" for name, kind in LISTENERS.items())
    users = " ".join(f'user_u{number}="u{number}-secret"' for number in range(USERS_MAX))
    jaas = "org.apache.kafka.common.security"
    broker.properties |= {
        "listeners": broker.properties["listeners"] + listeners,
        "advertised.listeners": broker.properties["advertised.listeners"] + advertised,
        "listener.security.protocol.map": broker.properties["listener.security.protocol.map"] + kinds,
        "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": f"{jaas}.plain.PlainLoginModule required {users};",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.scram.scram-sha-256.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": f"{jaas}.scram.ScramLoginModule required;",
        "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.oauth.oauthbearer.sasl.jaas.config": (
            f'{jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
        ),
        "listener.name.mutual.ssl.client.auth": "required",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:ANONYMOUS;User:CN=journey;User:{SCRAM_USER};User:{OAUTH_CLIENT}",
    }
    with broker:
        asyncio.run(set_scram_password(broker.bootstrap, SCRAM_USER, SECRET))
        yield Guarded(broker, addresses, certificates)
