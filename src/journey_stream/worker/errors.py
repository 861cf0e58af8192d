"""What can go wrong around a worker, told to the person on call."""

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from journey_stream.worker.config import Settings

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
    """What a worker has to be granted, when a broker has refused it something."""
    principal = f"User:{settings.sasl_username or 'ANONYMOUS'}"
    application = settings.application_id
    return WorkerError(
        f"The broker refuses {principal}: {error}. A worker needs Read and Describe on its sources; Read, Write and "
        f"Describe on {settings.topic_prefix}*; Read on the groups {settings.router_group} and {settings.tasks_group}; "
        f"Write and Describe on the transactional ids {application}-*. Let somebody who may grant it: kafka-acls.sh "
        f"--add --allow-principal {principal} …"
    )
