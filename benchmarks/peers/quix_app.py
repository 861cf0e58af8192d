"""Stage attribution on Quix Streams: exactly once, RocksDB state, repartitioned by customer.

The repartition is one `to_topic` per source into one declared topic. That is what `group_by` does, without the time
alignment that `concat` of several topics would add, so it is the faster way to write it.
"""

import logging

from quixstreams import Application, State

from benchmarks.peers import options, stages

COMMIT_SECONDS = 1.0
"""The default of 5 seconds would keep each consequence for up to 5 seconds."""


def main() -> None:
    chosen = options.parse(__doc__ or "")
    app = Application(
        broker_address=chosen.bootstrap,
        consumer_group=chosen.application_id,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        state_dir=f"{chosen.state_dir}/{chosen.instance}",
        producer_extra_config={
            "linger.ms": 20,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 1_000_000,
        },
        loglevel=logging.WARNING,
    )
    raw = {"key_deserializer": "bytes", "value_deserializer": "bytes"}
    to_raw = {"key_serializer": "bytes", "value_serializer": "bytes"}
    repartitioned = app.topic(f"{chosen.application_id}-repartition", **raw, **to_raw)
    output = app.topic(chosen.output, **raw, **to_raw)
    for name in chosen.sources:
        admitted = app.dataframe(app.topic(name, **raw)).filter(lambda value: stages.owner_of(value) is not None)
        admitted.to_topic(repartitioned, key=stages.owner_of)

    def attribute(value: bytes, key: bytes, timestamp: int, headers: object, state: State) -> list[bytes]:
        del timestamp, headers
        packed, changes = stages.step(key, value, state.get_bytes("customer"))
        if packed is not None:
            state.set_bytes("customer", packed)
        return changes

    changes = app.dataframe(repartitioned).apply(attribute, stateful=True, metadata=True, expand=True)
    changes.to_topic(output)
    app.run()


if __name__ == "__main__":
    main()
