"""Tokens from an endpoint on this machine."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from journey_stream.worker.oauth import ClientCredentials, Endpoint, NoToken
from tests.support.token_server import TokenServer

SECRET = "hush-hush-hush"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer("journey", SECRET, lifetime_seconds=100.0).running() as running:
        yield running


@pytest.fixture
def endpoint(server: TokenServer, tmp_path: Path) -> Endpoint:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return Endpoint(server.url, "journey", path)


async def test_a_token_is_kept_until_shortly_before_it_expires(endpoint: Endpoint) -> None:
    clock = Clock()
    provider = ClientCredentials(endpoint, clock)
    first = await provider.token()

    clock.now += 79
    kept = await provider.token()
    clock.now += 2
    replaced = await provider.token()

    assert (first, True) == (kept, replaced != first)


async def test_many_connections_at_once_ask_for_one_token(server: TokenServer, endpoint: Endpoint) -> None:
    provider = ClientCredentials(endpoint)

    tokens = await asyncio.gather(*(provider.token() for _ in range(20)))

    assert (1, 1) == (len(set(tokens)), len(server.forms))


async def test_while_the_old_token_is_valid_an_endpoint_that_fails_stops_nobody(
    server: TokenServer, endpoint: Endpoint
) -> None:
    clock = Clock()
    provider = ClientCredentials(endpoint, clock)
    first = await provider.token()
    server.answer = 503, b"", {}

    clock.now += 90
    still = await provider.token()
    clock.now += 11

    assert first == still
    with pytest.raises(NoToken, match=r"the token endpoint http://127.0.0.1:\d+/token \(oauth_token_url\) answers 503"):
        await provider.token()


async def test_a_new_secret_counts_without_a_restart(server: TokenServer, endpoint: Endpoint) -> None:
    clock = Clock()
    provider = ClientCredentials(endpoint, clock)
    first = await provider.token()
    server.secret = "another-secret"
    endpoint.secret_file.write_text("another-secret")

    clock.now += 101

    assert first != await provider.token()


async def test_the_secret_is_not_sent_where_a_redirect_points(endpoint: Endpoint, server: TokenServer) -> None:
    with TokenServer("journey", SECRET).running() as elsewhere:
        server.answer = 302, b"", {"location": elsewhere.url}

        with pytest.raises(NoToken, match="answers 302"):
            await ClientCredentials(endpoint).token()

        assert [] == elsewhere.forms


@pytest.mark.parametrize(
    "body",
    [b"not JSON", b"{}", json.dumps({"access_token": 5}).encode(), json.dumps({"access_token": "a\nb"}).encode()],
)
async def test_an_answer_that_is_no_token_is_refused_without_being_shown(
    server: TokenServer, endpoint: Endpoint, body: bytes
) -> None:
    server.answer = 200, body, {}

    with pytest.raises(NoToken) as raised:
        await ClientCredentials(endpoint).token()

    assert body.decode() not in str(raised.value)


async def test_a_token_whose_end_is_not_told_is_replaced_after_some_minutes(
    server: TokenServer, endpoint: Endpoint
) -> None:
    server.lifetime_seconds = None
    clock = Clock()
    provider = ClientCredentials(endpoint, clock)
    first = await provider.token()

    clock.now += 241

    assert first != await provider.token()


async def test_an_endpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)

    with pytest.raises(NoToken, match="cannot be asked") as raised:
        await ClientCredentials(Endpoint("http://127.0.0.1:9/token", "journey", path)).token()

    assert SECRET not in str(raised.value)


async def test_an_endpoint_that_speaks_no_http_is_named_and_stops_nobody_with_a_token(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"garbage\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as speaker:
        port = speaker.sockets[0].getsockname()[1]
        secret = tmp_path / "secret"
        secret.write_text(SECRET)
        provider = ClientCredentials(Endpoint(f"http://127.0.0.1:{port}/token", "journey", secret))

        with pytest.raises(NoToken, match=f"http://127.0.0.1:{port}/token .* cannot be asked"):
            await provider.token()
