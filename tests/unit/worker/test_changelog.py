from __future__ import annotations

import pytest

from journey_stream.worker.changelog import KEY, Position, decode_position, encode_position


def test_a_position_survives_its_encoding() -> None:
    position = Position(next_offset=2**40, clock=-5, partitions=8)

    assert position == decode_position(encode_position(position))


@pytest.mark.parametrize("value", [b"", b"{}", b"[1,2,3]", b'{"next_offset":"x","clock":1,"partitions":2}'])
def test_what_is_not_a_position_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not a position record"):
        decode_position(value)


def test_the_position_has_a_key_that_no_state_record_has() -> None:
    assert KEY[:1] not in {b"h", b"p", b"m"}
