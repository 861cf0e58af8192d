"""Asks the brokers what we may do, and says what is missing before any work starts.

A refusal later on would name a resource and not the operation, come one at a time, and from the midst of the work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    IncompatibleBrokerVersion,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.protocol.coordination import FindCoordinatorRequest

from journey_stream.worker.broker_errors import RightsMissing
from journey_stream.worker.config import Settings
from journey_stream.worker.rights import Operation, Resource, Right, rights_of
from journey_stream.worker.rights_wire import DescribeGroups, Metadata
from journey_stream.worker.topics import broker_admin

# The bits in which a broker tells operations, by Kafka's numbers for them.
_BITS: Final = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
}
_GROUP, _TRANSACTION = 0, 1
_NOT_YET: Final = {GroupCoordinatorNotAvailableError.errno, GroupLoadInProgressError.errno}
COORDINATOR_SECONDS_MAX: Final = 10.0
POLL_SECONDS: Final = 0.1
_HIDDEN: Final = 1 << _BITS[Operation.DESCRIBE_CONFIGS]
"""Taken for granted on a topic that we may not describe: nothing is told there of a right that brings no Describe."""

_UNTOLD: Final = -(2**31)
"""What a broker says that tells no operations."""


async def require_rights(settings: Settings, component: str) -> None:
    """Raise RightsMissing, with all that is missing, if the broker does not let us do what the component has to do.

    Raises BrokerUnreachable if no broker answers.
    """
    if missing := await missing_rights(settings, rights_of(component, settings)):
        raise RightsMissing(component, missing, settings.principal)


async def missing_rights(settings: Settings, rights: Sequence[Right]) -> list[Right]:
    """Those that the broker does not grant, as far as it can be asked.

    It cannot be asked about the creation of topics, nor whether a transactional id may be written to
    or only described; a broker that is older than Kafka 2.3 cannot be asked about anything.
    """
    by_kind = {kind: [right for right in rights if right.resource is kind] for kind in Resource}
    async with broker_admin(settings) as admin:
        try:
            return [
                *await _missing_on_topics(admin, by_kind[Resource.TOPIC]),
                *await _missing_on_groups(admin, by_kind[Resource.GROUP]),
                *await _missing_on_transactions(admin, by_kind[Resource.TRANSACTIONAL_ID]),
            ]
        except (IncompatibleBrokerVersion, NotImplementedError):
            return []


async def _missing_on_topics(admin: Any, rights: list[Right]) -> list[Right]:
    names = sorted({right.name for right in rights})
    if not names:
        return []
    answer = await admin._send_request(Metadata(names))  # noqa: SLF001 - the public way does not ask for operations
    granted = {
        name: _HIDDEN if code == TopicAuthorizationFailedError.errno else _UNTOLD if code else operations
        for code, name, _, _, operations in answer.topics
    }
    return list(_absent(rights, granted))


async def _missing_on_groups(admin: Any, rights: list[Right]) -> list[Right]:
    granted = {name: await _granted_on_group(admin, name) for name in sorted({right.name for right in rights})}
    return list(_absent(rights, granted))


async def _granted_on_group(admin: Any, name: str) -> int:
    code, node = await _coordinator(admin, name, _GROUP)
    if code == 0:
        answer = await admin._send_request_to_node(node, DescribeGroups([name]))  # noqa: SLF001 - as above
        [(code, *_, operations)] = answer.groups
        if code == 0:
            return int(operations)
    return 0 if code == GroupAuthorizationFailedError.errno else _UNTOLD


async def _missing_on_transactions(admin: Any, rights: list[Right]) -> list[Right]:
    refusal = TransactionalIdAuthorizationFailed.errno
    return [right for right in rights if (await _coordinator(admin, _example(right), _TRANSACTION))[0] == refusal]


async def _coordinator(admin: Any, key: str, kind: int) -> tuple[int, int]:
    """The code of the error, and the coordinator's node. A broker that has just started has none for a moment."""
    deadline = time.monotonic() + COORDINATOR_SECONDS_MAX
    while True:
        answer = await admin._send_request(FindCoordinatorRequest(key, kind))  # noqa: SLF001 - nothing public asks this
        if answer.error_code not in _NOT_YET or time.monotonic() > deadline:
            return answer.error_code, answer.coordinator_id
        await asyncio.sleep(POLL_SECONDS)


def _example(right: Right) -> str:
    """An id that the right is for: a task's, for all that begin so."""
    return f"{right.name}0" if right.is_prefix else right.name


def _absent(rights: Iterable[Right], granted: dict[str, int]) -> Iterable[Right]:
    for right in rights:
        operations = granted.get(right.name, _UNTOLD)
        bit = _BITS.get(right.operation)
        if bit is not None and operations != _UNTOLD and not operations & 1 << bit:
            yield right
