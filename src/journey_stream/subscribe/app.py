"""A Faust app for subscribers: typed topics for every output, and an example agent that reacts to stage changes.

    faust -A journey_stream.subscribe.app worker --loglevel info --without-web

Delivery guarantee, in plain words: the service writes each message exactly once, and this app reads committed messages
only, so it sees each once while it runs. Faust commits its position every few seconds, though: after a crash, and when
a partition moves to another worker, the last few seconds come again. That is *at least once*, and it is why the agent
goes through a `Reactor`, which makes repeats harmless. A reaction that fails is tried again until it works; nothing is
skipped. Neither state nor outputs of the service depend on Faust or on anything in here.
"""

import logging
from typing import Any, NamedTuple

import faust
from faust.types.auth import SASLMechanism

from journey_stream.events.outputs import ChurnRiskChange, IdentityChange, ProfileView, StageChange
from journey_stream.subscribe.faust_parts import CommittedApp, ModelCodec
from journey_stream.subscribe.memory import SqliteMemory
from journey_stream.subscribe.reactions import Reactor
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings
from journey_stream.worker.connection import OAUTHBEARER
from journey_stream.worker.rights import SUBSCRIBER_GROUP

_log = logging.getLogger(__name__)


class Topics(NamedTuple):
    """The output topics. Keys are profile ids as text. `profiles` carries None for a profile that is gone, the others
    for one that was erased.

    The values of `dead_letters` are the original bytes; the reason is in the header `dead_letter_reason`.
    """

    stage_changes: Any
    churn_risk: Any
    identity_changes: Any
    profiles: Any
    dead_letters: Any


def create_app(settings: Settings, name: str = SUBSCRIBER_GROUP, **options: Any) -> Any:
    """A Faust app on the brokers of `settings`. `name` is its consumer group; `options` are further Faust settings."""
    servers = ";".join(f"kafka://{server}" for server in settings.bootstrap_servers)
    return CommittedApp(
        name,
        broker=servers,
        broker_credentials=_credentials(settings),
        topic_allow_declare=False,
        topic_disable_leader=True,
        **(_defaults(settings) | options),
    )


def _defaults(settings: Settings) -> dict[str, Any]:
    session_seconds = settings.session_timeout_ms / 1000
    return {
        "consumer_auto_offset_reset": "earliest",
        "web_enabled": False,
        # A worker that stops does not wait for a reaction that may take long: it comes again elsewhere.
        "stream_wait_empty": False,
        # Faust's own default leaves the partitions of a crashed worker alone for a minute.
        "broker_session_timeout": session_seconds,
        "broker_heartbeat_interval": session_seconds / 4,
    }


def output_topics(app: Any, settings: Settings) -> Topics:
    """The output topics of the service, typed."""
    names = settings.topics
    return Topics(
        app.topic(names.stage_changes, key_type=str, value_serializer=ModelCodec(model=StageChange)),
        app.topic(names.churn_risk, key_type=str, value_serializer=ModelCodec(model=ChurnRiskChange)),
        app.topic(names.identity_changes, key_type=str, value_serializer=ModelCodec(model=IdentityChange)),
        app.topic(names.profiles, key_type=str, value_serializer=ModelCodec(model=ProfileView)),
        app.topic(names.dead_letters, key_type=bytes, value_type=bytes, value_serializer="raw"),
    )


def add_reactions(app: Any, topics: Topics, reactor: Reactor) -> Any:
    """Add the agent that hands every stage change to `reactor`."""

    @app.agent(topics.stage_changes, name="reactions")  # type: ignore[untyped-decorator]
    async def react(changes: Any) -> None:
        # Left to itself, Faust counts a message as done however its turn ends, also when it was cut short.
        async for event in changes.noack().events():
            await reactor.receive_surely(event.value)
            await changes.ack(event)

    return react


async def greet(change: StageChange) -> None:
    """What the example does: it says so. Put your call to the mail service, the CRM or the ad platform here."""
    _log.info("%s is in %s: %s", change.profile_id, change.to_stage, change.because.text)


async def take_back(change: StageChange) -> None:
    """What the example does when late news overturned a change that it had acted on."""
    _log.info("%s was not in %s after all", change.profile_id, change.to_stage)


def _credentials(settings: Settings) -> Any:
    options = settings.client_options()
    context = options.get("ssl_context")
    if options.get("sasl_mechanism") == OAUTHBEARER:
        return faust.OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    if "sasl_mechanism" in options:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            mechanism=SASLMechanism(options["sasl_mechanism"]),
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def _example() -> Any:
    settings = load_settings()
    made = create_app(settings)
    memory = SqliteMemory(made.conf.datadir / "reactions.sqlite")
    add_reactions(made, output_topics(made, settings), Reactor(greet, take_back, memory))
    return made


def __getattr__(name: str) -> Any:
    """Make `app` when somebody asks for it, so that importing this module reads no settings and makes no file."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = _example()
    return made
