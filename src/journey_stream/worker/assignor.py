"""Who runs which task: as even as possible, and whoever has a task's state in memory keeps the task."""

from collections.abc import Callable, Iterable, Mapping

import msgspec
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

_VERSION = 0


def share_out(partitions: Iterable[int], held: Mapping[str, Iterable[int]]) -> dict[str, list[int]]:
    """Partitions per member. `held` says what each member already has; of two claims the first in order counts."""
    free = set(partitions)
    shares: dict[str, list[int]] = {member: [] for member in sorted(held)}
    if not shares:
        return shares
    least, extra = divmod(len(free), len(shares))
    for member, share in shares.items():
        for partition in sorted(held[member]):
            room = least + (1 if extra and len(share) == least else 0)
            if partition in free and len(share) < room:
                if len(share) == least:
                    extra -= 1
                free.remove(partition)
                share.append(partition)
    for partition in sorted(free):
        min(shares.values(), key=len).append(partition)
    return {member: sorted(share) for member, share in shares.items()}


class KeepTasks(AbstractPartitionAssignor):  # type: ignore[misc]
    """The assignor of one consumer of a single topic. `held` tells which partitions it has in memory."""

    name = "journey-stream-keep-tasks"

    def __init__(self, topic: str, held: Callable[[], Iterable[int]]) -> None:
        self._topic = topic
        self._held = held

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member tells the leader of the group."""
        return ConsumerProtocolMemberMetadata(_VERSION, list(topics), msgspec.json.encode(sorted(self._held())))

    def assign(
        self, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The leader's decision for all members."""
        held = {member: _claims(metadata.user_data) for member, metadata in members.items()}
        shares = share_out(cluster.partitions_for_topic(self._topic) or (), held)
        return {
            member: ConsumerProtocolMemberAssignment(_VERSION, [(self._topic, share)] if share else [], b"")
            for member, share in shares.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing to remember: `held` knows."""


def _claims(user_data: bytes) -> list[int]:
    try:
        return msgspec.json.decode(user_data, type=list[int])
    except msgspec.MsgspecError:
        return []
