from __future__ import annotations

import pytest

from journey_stream.worker.config import DAY_MS, Settings
from journey_stream.worker.topic_checks import Problem, TopicState, outgrown, problems_of
from journey_stream.worker.topic_specs import TopicSpec, topic_specs

SETTINGS = Settings(sources=("web",), partitions=4)
KAFKA_DEFAULTS = {
    "segment.bytes": "1073741824",
    "delete.retention.ms": "86400000",
    "message.timestamp.before.max.ms": "9223372036854775807",
}


def spec_of(name: str, *, history: bool = False, replicas: int = 3) -> TopicSpec:
    return {spec.name: spec for spec in topic_specs(SETTINGS, replicas, history=history)}[name]


def state_of(spec: TopicSpec, configs: dict[str, str] | None = None, replicas: int = 3) -> TopicState:
    """The topic as the broker would show it after `topics create`, but for `configs`."""
    return TopicState(spec.name, spec.partitions, replicas, KAFKA_DEFAULTS | spec.configs | (configs or {}))


def problems(spec: TopicSpec, state: TopicState, *, history: bool = False) -> list[Problem]:
    return list(problems_of(spec, state, SETTINGS, 3, history=history))


@pytest.mark.parametrize("history", [False, True])
def test_topics_as_we_create_them_have_no_problems(history: bool) -> None:
    specs = topic_specs(SETTINGS, 3, history=history)

    found = [problem for spec in specs for problem in problems(spec, state_of(spec), history=history)]

    assert [] == found


def test_a_source_comes_first_and_every_topic_has_the_partitions_of_the_settings() -> None:
    specs = topic_specs(SETTINGS, 1, history=False)

    assert ["web", *SETTINGS.topics] == [spec.name for spec in specs]
    assert {4} == {
        spec.partitions for spec in specs if spec.name not in {SETTINGS.topics.erasures, SETTINGS.topics.replayed}
    }


def test_topics_for_history_keep_everything() -> None:
    retention = {spec.name: spec.configs.get("retention.ms") for spec in topic_specs(SETTINGS, 1, history=True)}

    assert {
        "web": "-1",
        "journey.operations": "-1",
        "journey.log": "-1",
        "journey.state": None,
        "journey.stage-changes": "-1",
        "journey.churn-risk": "-1",
        "journey.identity-changes": "-1",
        "journey.profiles": None,
        "journey.dead-letters-replayed": None,
        "journey.erasures": None,
        "journey.dead-letters": "-1",
    } == retention


@pytest.mark.parametrize(
    ("topic", "configs", "severity", "wrong"),
    [
        ("journey.state", {"cleanup.policy": "delete"}, "error", "cleanup.policy=delete and needs compact"),
        ("journey.state", {"cleanup.policy": "compact,delete"}, "error", "quiet for longer than its retention"),
        ("journey.log", {"cleanup.policy": "compact"}, "error", "all but the last record of a key are lost"),
        ("web", {"cleanup.policy": "compact"}, "error", "cleanup.policy=compact and needs delete"),
        ("journey.log", {"message.timestamp.type": "LogAppendTime"}, "error", "is replaced by the broker's"),
        ("journey.log", {"retention.ms": str(7 * DAY_MS)}, "warning", "keeps records for 7d, less than 45d"),
        ("web", {"retention.ms": "3600000"}, "warning", "keeps records for 1h, less than 1d: a router"),
        ("journey.log", {"retention.bytes": "1000"}, "warning", "drops records beyond 1000 bytes"),
        ("journey.state", {"max.message.bytes": "1000"}, "error", "takes records of 1000 bytes"),
        ("journey.state", {"delete.retention.ms": "1000"}, "warning", "drops tombstones after 1s"),
        ("journey.state", {"segment.bytes": "1073741824"}, "warning", "segments of 1024 MiB"),
        ("journey.log", {"min.insync.replicas": "1"}, "warning", "can be lost with one broker"),
        ("journey.log", {"min.insync.replicas": "4"}, "error", "nothing can be written"),
        ("journey.log", {"unclean.leader.election.enable": "true"}, "warning", "may take over and lose them"),
    ],
)
def test_each_defect_is_told_alone_with_its_remedy(
    topic: str, configs: dict[str, str], severity: str, wrong: str
) -> None:
    spec = spec_of(topic)

    (problem,) = problems(spec, state_of(spec, configs))

    (name,) = configs
    assert severity == problem.severity
    assert wrong in problem.wrong
    assert f"--entity-name {topic} --add-config {name}=" in problem.remedy


def test_another_number_of_partitions_is_an_error_where_the_order_depends_on_it() -> None:
    log = spec_of("journey.log")
    web = spec_of("web")

    (problem,) = problems(log, TopicState(log.name, 3, 3, state_of(log).configs))

    assert "has 3 partitions, and the settings say 4" == problem.wrong
    assert "set partitions: 3, or start a new one" in problem.remedy
    assert [] == problems(web, TopicState(web.name, 3, 3, state_of(web).configs))


def test_fewer_replicas_than_wanted_are_told() -> None:
    spec = spec_of("journey.state", replicas=1)

    (problem,) = problems(spec, state_of(spec, replicas=1))

    assert "has 1 replica(s) of each record and should have 3: a lost broker loses data" == problem.wrong


@pytest.mark.parametrize(
    ("topic", "severity"), [("web", "error"), ("journey.log", "error"), ("journey.stage-changes", "warning")]
)
def test_live_topics_would_lose_the_past_of_a_replay(topic: str, severity: str) -> None:
    live = state_of(spec_of(topic))

    (problem,) = problems(spec_of(topic, history=True), live, history=True)

    assert severity == problem.severity
    assert "keeps records for 45d from their own timestamps: those of the past are deleted at once" == problem.wrong
    assert problem.remedy.endswith("--add-config retention.ms=-1")


def test_a_source_that_takes_longer_records_than_the_dead_letters_is_told() -> None:
    dead_letters = state_of(spec_of("journey.dead-letters"))
    source = state_of(spec_of("web"), {"max.message.bytes": "20000000"})

    (problem,) = outgrown(source, dead_letters, SETTINGS)

    assert "journey.dead-letters" == problem.topic
    assert "set dead_letter_bytes_max: 20065536" in problem.remedy


def test_erasures_have_one_partition_and_are_compacted() -> None:
    spec = spec_of("journey.erasures")
    assert (1, "compact") == (spec.partitions, spec.configs["cleanup.policy"])

    state = TopicState(spec.name, 4, 3, KAFKA_DEFAULTS | spec.configs | {"cleanup.policy": "delete"})
    found = [str(problem) for problem in problems(spec, state)]

    assert (
        "error: journey.erasures has 4 partitions and needs one: in any other, erasures are not looked for" in found[0]
    )
    assert "erased people come back with a replay" in found[1]
