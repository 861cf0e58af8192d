"""What can go wrong around a worker, told to the person on call."""

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from journey_stream.worker.config import Settings
from journey_stream.worker.rights import COMPONENTS, Resource, Right, kafka_acls, rights_of

PERMISSION_ERRORS = (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


class WorkerError(Exception):
    """The worker cannot go on. The message says what is wrong and what to do about it."""


class Fenced(Exception):
    """Another worker has taken over this task: nothing that was begun here will ever be seen."""


class Uncertain(Exception):
    """A transaction failed, or nobody knows how it ended: what is in memory may be ahead of the log."""


class Hanging(Exception):
    """A partition that one task alone writes ends with a transaction that the broker takes for over and has not ended.

    Apache Kafka (seen with 4.3.1) can lose the end of a transaction: its coordinator takes a partition that has no
    leader, as while the only broker shuts down, for one that was deleted. Whatever is written there next would be
    committed or aborted together with what was left behind.
    """


def not_permitted(error: KafkaError, settings: Settings) -> WorkerError:
    """What has to be granted, when a broker has refused something to a worker, a view or a command that runs already.

    The broker does not say which right it is about, only which resource.
    """
    rights = refused_rights(error, settings)
    meant = ", ".join(map(str, rights)) or str(error)
    return WorkerError(
        f"The broker refuses {settings.principal}: it needs {meant}. `journey-stream acls check` compares what each "
        "part needs with what the brokers grant. Let somebody who may grant it:\n"
        + "\n".join(f"  {line}" for line in kafka_acls(rights, settings.principal))
    )


def refused_rights(error: KafkaError, settings: Settings) -> list[Right]:
    """The rights on the resource that an error is about, of all that parts of ours may need there."""
    [kind] = [kind for refusal, kind in _RESOURCES.items() if isinstance(error, refusal)]
    named = error.args[0] if error.args else ()
    names = (
        {named} if isinstance(named, str) else set(named) if isinstance(named, set | frozenset | list | tuple) else ()
    )
    known = [right for one in COMPONENTS for right in rights_of(one, settings) if right.resource is kind]
    about = [right for right in known if right.name in names]
    if not about:
        return [right for right in rights_of("worker", settings) if right.resource is kind]
    of_worker = rights_of("worker", settings)
    return list(dict.fromkeys(right for right in about if right in of_worker)) or list(dict.fromkeys(about))


_RESOURCES = {
    TopicAuthorizationFailedError: Resource.TOPIC,
    GroupAuthorizationFailedError: Resource.GROUP,
    TransactionalIdAuthorizationFailed: Resource.TRANSACTIONAL_ID,
}
