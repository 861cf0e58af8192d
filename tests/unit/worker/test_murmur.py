from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.worker import murmur
from journey_stream.worker.murmur import murmur2, partition_for

# As in the unit tests of Kafka's own Java client, which prints the hash as a signed integer.
JAVA_HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
    b"": 275646681,
}


@pytest.mark.parametrize(("key", "signed"), JAVA_HASHES.items())
def test_a_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    hashed = murmur2(key)

    assert signed % 2**32 == hashed


@given(key=st.binary(max_size=300), partitions=st.integers(1, 1000))
def test_a_partition_is_that_of_the_default_partitioner(key: bytes, partitions: int) -> None:
    everything = list(range(partitions))

    expected = DefaultPartitioner()(key, everything, everything)

    assert expected == partition_for(key, partitions)
    assert expected == partition_for(key, partitions)


@pytest.mark.skipif(murmur._COMPILED, reason="compiled, every key is hashed anew")
def test_a_key_is_hashed_once_and_memory_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(murmur, "REMEMBERED_MAX", 3)
    monkeypatch.setattr(murmur, "_remembered", murmur._Remembered())
    hashed: list[bytes] = []
    monkeypatch.setattr(murmur, "murmur2", lambda key: hashed.append(key) or murmur2(key))

    for key in (b"a", b"b", b"a", b"c", b"d", b"e"):
        partition_for(key, 8)

    assert [b"a", b"b", b"c", b"d", b"e"] == hashed
    assert {b"d", b"e"} == set(murmur._remembered)
