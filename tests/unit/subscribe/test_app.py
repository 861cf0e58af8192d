import subprocess
import sys
from pathlib import Path

import pytest
from faust.exceptions import ValueDecodeError
from faust.types import TP

from journey_stream.events.decisions import ProfileChanged
from journey_stream.events.framing import frame_of
from journey_stream.events.outputs import ProfileView, StageChange
from journey_stream.events.wire import encode_profile
from journey_stream.subscribe import Reactor
from journey_stream.subscribe.app import add_reactions, create_app, output_topics
from journey_stream.subscribe.faust_parts import CommittedTransport, ModelCodec
from journey_stream.worker.config import Settings
from tests.unit.subscribe.changes import change

SETTINGS = Settings(topic_prefix="shop.")  # type: ignore[call-arg]


def test_messages_are_read_as_their_contracts() -> None:
    codec = ModelCodec(model=ProfileView)
    value = encode_profile(ProfileChanged("c1", 1, "awareness", 0, None, "first", 0, 0, False, "six-stages", 1))

    assert codec.loads(value) == ProfileView.model_validate_json(value)
    assert codec.loads(codec.dumps(codec.loads(value))) == codec.loads(value)
    assert codec.loads(frame_of(9) + value) == codec.loads(value)


def test_the_topics_are_those_of_the_settings_and_typed(tmp_path: Path) -> None:
    app = create_app(SETTINGS, datadir=tmp_path)
    topics = output_topics(app, SETTINGS)

    assert [topic.get_topic_name() for topic in topics] == [
        "shop.stage-changes",
        "shop.churn-risk",
        "shop.identity-changes",
        "shop.profiles",
        "shop.dead-letters",
    ]
    schema = topics.stage_changes.schema
    read = schema.loads_value(app, type("Message", (), {"value": change(1).model_dump_json().encode(), "headers": {}}))
    assert read == change(1)


def test_bytes_that_are_no_stage_change_are_reported_as_such(tmp_path: Path) -> None:
    app = create_app(SETTINGS, datadir=tmp_path)
    schema = output_topics(app, SETTINGS).stage_changes.schema

    with pytest.raises(ValueDecodeError):
        schema.loads_value(app, type("Message", (), {"value": b"{}", "headers": {}}))


def test_the_app_reads_what_is_committed_and_creates_no_topic(tmp_path: Path) -> None:
    app = create_app(SETTINGS, datadir=tmp_path)

    assert isinstance(app.transport, CommittedTransport)
    assert app.conf.topic_allow_declare is False


async def test_the_agent_hands_every_change_to_the_reactor(tmp_path: Path) -> None:
    received: list[StageChange] = []

    async def keep(message: StageChange) -> None:
        received.append(message)

    app = create_app(SETTINGS, datadir=tmp_path, store="memory://")
    agent = add_reactions(app, output_topics(app, SETTINGS), Reactor(keep, keep))

    async with agent.test_context() as tested:
        for message in (change(1), change(1), change(2, kind="retracted"), change(3)):
            await tested.put(message)

    assert [message.revision for message in received] == [1, 2, 3]


def test_importing_the_app_module_reads_no_settings_and_makes_no_file(tmp_path: Path) -> None:
    script = "import journey_stream.subscribe.app as module; assert 'app' not in vars(module)"

    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, env={"JOURNEY_PARTITIONS": "broken"})

    assert list(tmp_path.iterdir()) == []


async def test_the_gap_that_a_transaction_leaves_does_not_hold_up_the_position(tmp_path: Path) -> None:
    consumer = create_app(SETTINGS, datadir=tmp_path, store="memory://").consumer
    place = TP("shop.stage-changes", 0)
    read = 2

    for offset in (3, 5, 8, 10):  # 4, 6, 7 and 9 are markers
        await consumer._add_gap(place, read + 1, offset)
        read = offset
        consumer._acked[place].append(offset)

    assert consumer._new_offset(place) == 11


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "OAUTHBEARER"])
def test_the_app_reaches_the_brokers_as_everything_else_does(tmp_path: Path, mechanism: str) -> None:
    (tmp_path / "secret").write_text("hush-hush")
    login = (
        {"sasl_username": "worker", "sasl_password_file": tmp_path / "secret"}
        if mechanism != "OAUTHBEARER"
        else {
            "oauth_token_url": "https://sso.example/token",
            "oauth_client_id": "worker",
            "oauth_client_secret_file": tmp_path / "secret",
        }
    )
    settings = Settings(security_protocol="SASL_SSL", sasl_mechanism=mechanism, **login)  # type: ignore[arg-type]

    [credentials] = {create_app(settings, datadir=tmp_path, store="memory://").conf.broker_credentials}

    assert (mechanism, "SASL_SSL") == (credentials.mechanism.value, credentials.protocol.value)
    assert credentials.ssl_context.check_hostname
    assert getattr(credentials, "password", "hush-hush") == "hush-hush"
    assert getattr(credentials, "oauth_cb", None) is settings.client_options().get("sasl_oauth_token_provider")
    assert "hush-hush" not in repr(credentials)
