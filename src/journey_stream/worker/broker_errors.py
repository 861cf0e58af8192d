"""What can go wrong between us and the brokers before any work starts, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from journey_stream.worker.errors import WorkerError
from journey_stream.worker.rights import Right, kafka_acls


class BrokerError(WorkerError):
    """The text is for the person at the terminal; no traceback is needed to act on it."""


class BrokerUnreachable(BrokerError):
    """No broker answered, or none let us in."""

    def __init__(self, servers: Iterable[str], reason: str) -> None:
        named = ", ".join(servers)
        super().__init__(
            f"No Kafka broker answers at {named}: {reason}. Check that it runs, that bootstrap_servers "
            f"(JOURNEY_BOOTSTRAP_SERVERS) names it, that the address it advertises (advertised.listeners) can be "
            f"reached from here, and that security_protocol and the SASL user fit its listener."
        )


class PermissionMissing(BrokerError):
    """The broker knows us and refuses. `operation` is Kafka's name for it, such as "Create"."""

    def __init__(self, operation: str, topics: Iterable[str], principal: str) -> None:
        named = sorted(topics)
        self.topics = tuple(named)
        super().__init__(
            f"{principal} lacks the permission {operation} on {', '.join(named)}. "
            f"Let somebody who may grant it: kafka-acls.sh --add --allow-principal {principal} --operation {operation} "
            + " ".join(f"--topic {name}" for name in named)
            + "."
        )


class RightsMissing(BrokerError):
    """The broker knows us and does not let us do what `component` has to do."""

    def __init__(self, component: str, missing: Sequence[Right], principal: str) -> None:
        self.missing = tuple(missing)
        super().__init__(
            f"The broker refuses {principal}: {component} needs {', '.join(map(str, missing))}. Let somebody who may "
            "grant it:\n" + "\n".join(f"  {line}" for line in kafka_acls(missing, principal))
        )


class TopicsRefused(BrokerError):
    """The broker would not create topics, for a reason of its own."""

    def __init__(self, refusals: dict[str, str]) -> None:
        lines = "; ".join(f"{topic}: {reason}" for topic, reason in refusals.items())
        super().__init__(f"The broker did not create {len(refusals)} topic(s): {lines}")


class TopicsUnusable(BrokerError):
    """Topics are missing, or are such that a worker would break its promises."""

    def __init__(self, problems: Iterable[object]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "The topics are not fit to start on:\n" + "\n".join(f"  {problem}" for problem in self.problems)
        )
