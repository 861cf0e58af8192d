"""Stage attribution on Faust: at least once, a table in memory with a changelog, repartitioned by customer.

At least once is the strongest honest setting: with `exactly_once` Faust's tables lose updates and double outputs when a
worker is killed, and its commits are slower still. So this peer does less than the job asks for.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import aiokafka
import faust
from faust.transport.drivers import aiokafka as driver

from benchmarks.peers import options, stages


class Committed(aiokafka.AIOKafkaConsumer):
    """Waits for the commit that starts the clock, as the other systems do."""

    def __init__(self, *topics: str, **settings: Any) -> None:
        super().__init__(*topics, **(settings | {"isolation_level": "read_committed"}))


def application(chosen: Any) -> faust.App:
    driver.aiokafka.AIOKafkaConsumer = Committed
    app = faust.App(
        chosen.application_id,
        broker=f"kafka://{chosen.bootstrap}",
        store="memory://",
        datadir=f"{chosen.state_dir}/{chosen.instance}",
        topic_partitions=chosen.partitions,
        topic_replication_factor=1,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        producer_linger=0.02,
        web_enabled=False,
        autodiscover=False,
    )
    raw = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
    sources = app.topic(*chosen.sources, **raw)
    repartitioned = app.topic(
        f"{chosen.application_id}-repartition", partitions=chosen.partitions, internal=True, **raw
    )
    output = app.topic(chosen.output, **raw)
    customers = app.Table("customers", partitions=chosen.partitions, key_type=bytes, value_type=bytes)

    @app.agent(sources)
    async def route(touchpoints: Any) -> None:
        async for value in touchpoints:
            owner = stages.owner_of(value)
            if owner is not None:
                await repartitioned.send(key=owner, value=value)

    @app.agent(repartitioned)
    async def attribute(touchpoints: Any) -> None:
        async for key, value in touchpoints.items():
            packed, changes = stages.step(key, value, customers.get(key))
            if packed is not None:
                customers[key] = packed
            for change in changes:
                await output.send(key=key, value=change)

    return app


def main() -> None:
    chosen = options.parse(__doc__ or "")
    Path(f"{chosen.state_dir}/{chosen.instance}").mkdir(parents=True)
    app = application(chosen)
    sys.argv = sys.argv[:1]
    logging.disable(logging.INFO)  # otherwise each message costs several debug records that nobody reads
    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    main()
