from __future__ import annotations

from typing import NamedTuple

from aiokafka import TopicPartition

from journey_stream.worker.progress import Progress

WEB = TopicPartition("touchpoints.web", 1)


class Chunk(NamedTuple):
    next_offset: int


def fetched(*offsets: int) -> list[Chunk]:
    return [Chunk(offset + 1) for offset in offsets]


def test_nothing_is_committed_that_the_log_has_not_acknowledged() -> None:
    progress = Progress()

    progress.fetched(WEB, fetched(3, 4), 5)

    assert {} == progress.to_commit()


def test_a_part_of_what_was_fetched_is_committed_as_far_as_it_goes() -> None:
    progress = Progress()
    progress.fetched(WEB, fetched(3, 4, 9), 12)

    progress.acknowledged({WEB: 5})

    assert {WEB: 5} == progress.to_commit()


def test_what_no_consumer_sees_is_passed_once_all_that_it_sees_is_done() -> None:
    progress = Progress()
    progress.fetched(WEB, fetched(3, 4), 6)
    progress.acknowledged({WEB: 5})
    first = progress.to_commit()
    progress.committed(first)

    progress.fetched(WEB, None, 8)

    assert [{WEB: 6}, {WEB: 8}] == [first, progress.to_commit()]


def test_what_did_not_move_is_not_committed_again() -> None:
    progress = Progress()
    progress.fetched(WEB, fetched(3), 4)
    progress.acknowledged({WEB: 4})
    refused = progress.to_commit()
    progress.committed(progress.to_commit())

    assert [{WEB: 4}, {}] == [refused, progress.to_commit()]
