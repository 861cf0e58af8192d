"""The live journey map over a made-up shop, as a process: the real application and store, with touchpoints from a pipe.

    python -m tests.support.map_server --database shop.duckdb --customers 900 --port 8600

On its standard input each line is an order: `buy N` lets N new people buy, `touch JSON` is a touchpoint of an hour
later. It says `listening PORT` once it does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

import uvicorn

from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339
from journey_stream.serve.api.app import create_app
from journey_stream.serve.run import listening
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from tests.support.map_feed import Feed
from tests.support.map_shop import DAYS, START_MS, Arrival, arrivals, newcomers

END_MS = START_MS + DAYS * DAY_MS


async def serve(port: int, database: Path | None, customers: int, token: str | None) -> None:
    """Until the standard input ends."""
    store = DuckDBStore(database, Origin("shop", "journey."))
    feed = Feed(store)
    app = create_app(store, feed.model, token=token, interval_seconds=0.05, comment_seconds=1.0)
    feed.committed = app.state.live.committed
    if database is not None and feed.version:
        feed.now = END_MS + feed.version * DAY_MS
    elif customers:
        feed.write([*arrivals(customers), Arrival(END_MS, b"not a touchpoint")], until=END_MS)
    with listening("127.0.0.1", port) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        sys.stdout.write(f"listening {listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await _obey(feed)
        app.state.live.end_streams()
        server.should_exit = True
        await serving
    store.close()


async def _obey(feed: Feed) -> None:
    born = feed.now // HOUR_MS  # others than before a restart
    while line := await asyncio.to_thread(sys.stdin.readline):
        match line.split():
            case ["buy", number]:
                people = range(born, born + int(number))
                born = people.stop
                await asyncio.to_thread(feed.write, list(newcomers(people, feed.now + HOUR_MS)))
            case ["touch", *_]:
                at = feed.now + HOUR_MS
                content = {"occurred_at": rfc3339(at), **json.loads(line.removeprefix("touch "))}
                await asyncio.to_thread(feed.write, [Arrival(at, json.dumps(content).encode())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--customers", type=int, default=900)
    parser.add_argument("--token")
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.database, given.customers, given.token))


if __name__ == "__main__":
    main()
