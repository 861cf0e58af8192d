"""Clients reach a real broker in every way that the settings offer, and say why when they do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.config import Settings
from journey_stream.worker.operate import write_operation
from journey_stream.worker.topics import check_topics, create_topics
from tests.integration.guarded import OAUTH_CLIENT, SCRAM_USER, SECRET, Guarded
from tests.support.certificates import KEY_PASSWORD
from tests.support.token_server import TokenServer

Make = Callable[..., Settings]


@pytest.fixture
def make(strict: Guarded, prefix: str) -> Make:
    """Makes settings for a listener."""

    def made(listener: str, **values: Any) -> Settings:
        given = {
            "bootstrap_servers": strict.addresses[listener],
            "application_id": f"{prefix}app",
            "topic_prefix": prefix,
            "sources": [f"{prefix}web"],
            "partitions": 1,
            "ssl_cafile": strict.certificates.authority,
        }
        return Settings(**(given | values))

    return made


def mutual(strict: Guarded) -> dict[str, Any]:
    certificates = strict.certificates
    return {
        "security_protocol": "SSL",
        "ssl_certfile": certificates.client,
        "ssl_keyfile": certificates.client_key,
    }


def by_password(directory: Path, mechanism: str, password: str = SECRET) -> dict[str, Any]:
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": mechanism,
        "sasl_username": SCRAM_USER,
        "sasl_password_file": secret_file(directory, "password", password),
    }


def by_token(directory: Path, server: TokenServer, secret: str = SECRET) -> dict[str, Any]:
    return {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": server.url,
        "oauth_client_id": OAUTH_CLIENT,
        "oauth_client_secret_file": secret_file(directory, "client-secret", secret),
        "oauth_scope": "kafka",
    }


def secret_file(directory: Path, name: str, secret: str) -> Path:
    path = directory / name
    path.write_text(f"{secret}\n")
    return path


async def works(settings: Settings) -> bool:
    """Whether admin clients, producers and consumers get through."""
    await create_topics(settings)
    place = await write_operation(settings, b"c1", b"{}")
    return place.offset == 0 and not [one for one in await check_topics(settings) if one.severity == "error"]


async def test_a_certificate_of_our_own_opens_the_door(strict: Guarded, make: Make) -> None:
    assert await works(make("MUTUAL", **mutual(strict)))


async def test_the_key_may_be_locked(strict: Guarded, make: Make, tmp_path: Path) -> None:
    locked = mutual(strict) | {
        "ssl_keyfile": strict.certificates.locked_key,
        "ssl_keyfile_password_file": secret_file(tmp_path, "key-password", KEY_PASSWORD),
    }

    assert await works(make("MUTUAL", **locked))


async def test_a_locked_key_without_its_password_is_told_at_once(strict: Guarded, make: Make) -> None:
    with pytest.raises(ValidationError, match="ssl_keyfile_password_file with its password if it is locked"):
        make("MUTUAL", **mutual(strict) | {"ssl_keyfile": strict.certificates.locked_key})


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_password_out_of_a_file_opens_the_door(make: Make, tmp_path: Path, mechanism: str) -> None:
    assert await works(make("SCRAM", **by_password(tmp_path, mechanism)))


async def test_a_token_opens_the_door_and_all_clients_share_it(make: Make, tmp_path: Path) -> None:
    with TokenServer(OAUTH_CLIENT, SECRET).running() as server:
        assert await works(make("OAUTH", **by_token(tmp_path, server)))

    assert [{"grant_type": ["client_credentials"], "scope": ["kafka"]}] == server.forms


async def test_a_client_without_a_certificate_is_not_let_in(make: Make) -> None:
    with pytest.raises(BrokerUnreachable):
        await create_topics(make("MUTUAL", security_protocol="SSL"))


async def test_a_broker_of_an_unknown_authority_is_not_talked_to(strict: Guarded, make: Make, tmp_path: Path) -> None:
    settings = make("SCRAM", **by_password(tmp_path, "SCRAM-SHA-256"), ssl_cafile=strict.certificates.another_authority)

    with pytest.raises(BrokerUnreachable, match="certificate verify failed"):
        await create_topics(settings)


async def test_the_name_of_the_broker_is_checked_unless_that_is_off(make: Make, tmp_path: Path) -> None:
    login = by_password(tmp_path, "SCRAM-SHA-256")
    by_address = make("SCRAM", **login).bootstrap_servers[0].replace("localhost", "127.0.0.1")

    with pytest.raises(BrokerUnreachable, match=r"IP address mismatch"):
        await create_topics(make("SCRAM", **login, bootstrap_servers=by_address))
    assert await works(make("SCRAM", **login, bootstrap_servers=by_address, ssl_check_hostname=False))


async def test_a_wrong_password_is_told_without_being_shown(make: Make, tmp_path: Path) -> None:
    wrong = "something-else"

    with pytest.raises(BrokerUnreachable, match="Authentication failed") as raised:
        await create_topics(make("SCRAM", **by_password(tmp_path, "SCRAM-SHA-512", wrong)))

    assert wrong not in str(raised.value)


async def test_a_wrong_secret_for_the_token_is_told_without_being_shown(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "something-else"
    with TokenServer(OAUTH_CLIENT, SECRET).running() as server:
        settings = make("OAUTH", **by_token(tmp_path, server, wrong))

        with pytest.raises(
            BrokerUnreachable, match="answers 401; oauth_client_id and oauth_client_secret_file"
        ) as raised:
            await create_topics(settings)

    assert wrong not in str(raised.value) + repr(settings) + caplog.text
