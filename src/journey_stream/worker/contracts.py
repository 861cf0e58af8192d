"""What each topic that others read or write carries: messages, keys and headers. Page and document are made of it.

The topics in between (log, state, erasures, what was replayed) are no contract: only workers of one release use them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from journey_stream.events.schemas import CONTRACTS, Contract
from journey_stream.events.wire import IDENTITY_CHANGE_TYPE, RISK_CHANGE_TYPE, STAGE_CHANGE_TYPE
from journey_stream.worker.config import Settings
from journey_stream.worker.topic_specs import topic_specs

_CONTRACT_OF = {contract.name: contract for contract in CONTRACTS}

TRACEPARENT = {"traceparent": "W3C trace context; that of a touchpoint is passed on to what it causes. Optional."}
JSON_CONTENT = {"content-type": "`application/json`."}

DEAD_LETTER_HEADERS = {
    "dead_letter_reason": "Why, as one word that never changes its meaning.",
    "dead_letter_detail": "What is wrong, as a sentence for the person who has to mend it.",
    "dead_letter_topic": "The source of the original.",
    "dead_letter_partition": "Its partition there, in decimal digits.",
    "dead_letter_offset": "Its offset there, in decimal digits.",
    "dead_letter_stage": "`router` or `task`.",
    "dead_letter_timestamp": "Kafka timestamp of the original in ms; missing if it had none. Optional.",
    "dead_letter_cut": "How many bytes of value are missing, if even this topic could not take them. Optional.",
    "dead_letter_withheld": "What was left out because it may name somebody. Optional.",
}


@dataclass(frozen=True, slots=True)
class MessageKind:
    """One kind of message on a topic.

    `contract` is None for any bytes; `is_null` marks a null value. Headers by name, in words; one whose words end with
    `Optional.` may be missing.
    """

    name: str
    summary: str
    contract: Contract | None
    headers: dict[str, str]
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class TopicContract:
    """A topic that others use. `received` means that we read it; `key` says in words what the key is."""

    name: str
    title: str
    description: str
    received: bool
    key: str
    cleanup: Literal["delete", "compact"]
    messages: tuple[MessageKind, ...]


def topic_contracts(settings: Settings) -> list[TopicContract]:
    """All of them, the sources first, under the names that the settings give them."""
    topics = settings.topics
    cleanup = {spec.name: spec.configs["cleanup.policy"] for spec in topic_specs(settings, 1, history=False)}

    def made(name: str, title: str, description: str, key: str, *messages: MessageKind) -> TopicContract:
        policy: Literal["delete", "compact"] = "compact" if cleanup[name] == "compact" else "delete"
        return TopicContract(name, title, description, name in settings.inputs, key, policy, messages)

    touchpoint = MessageKind(
        "Touchpoint", "One contact between a customer and the company.", _CONTRACT_OF["touchpoint"], TRACEPARENT
    )
    any_key = "Any, also none. The identifier keeps one customer's records in order on the way in."
    by_profile = "The profile id, in UTF-8; partitioned by Kafka's default partitioner."
    return [
        *(made(name, f"Source {name}", "Touchpoints of one source.", any_key, touchpoint) for name in settings.sources),
        made(
            topics.operations,
            "Operations",
            "Touchpoints of the channel `identity`: what people decide about identifiers.",
            any_key,
            touchpoint,
        ),
        made(
            topics.stage_changes,
            "Stage changes",
            "Stage changes that were entered or retracted.",
            by_profile,
            _event("StageChange", "stage-change", STAGE_CHANGE_TYPE),
            _null("that the profile was erased"),
        ),
        made(
            topics.churn_risk,
            "Churn risk",
            "Changes of the band of churn risk that were entered or retracted.",
            by_profile,
            _event("ChurnRiskChange", "churn-risk", RISK_CHANGE_TYPE),
            _null("that the profile was erased"),
        ),
        made(
            topics.identity_changes,
            "Identity changes",
            "What becomes known of identifiers.",
            "The identifier that it is about, as a profile id, in UTF-8.",
            _event("IdentityChange", "identity-change", IDENTITY_CHANGE_TYPE),
            _null("that the identifier was erased"),
        ),
        made(
            topics.profiles,
            "Profiles",
            "Where each customer is now: the last value of a key counts.",
            by_profile,
            MessageKind("ProfileView", "The current view of one profile.", _CONTRACT_OF["profile"], JSON_CONTENT),
            _null("that nothing of the profile's own is left: it was merged or erased"),
        ),
        made(
            topics.dead_letters,
            "Dead letters",
            "Records that could not be used, with the original's key, value and headers beside these.",
            "That of the original.",
            MessageKind("DeadLetter", "The original bytes, of whatever form.", None, DEAD_LETTER_HEADERS | TRACEPARENT),
        ),
    ]


def _event(name: str, contract: str, type_: bytes) -> MessageKind:
    headers = {
        "ce_specversion": "CloudEvents: `1.0`.",
        "ce_type": f"CloudEvents: `{type_.decode()}`.",
        "ce_source": "CloudEvents: the application and the partition that wrote it.",
        "ce_id": "CloudEvents: names the message, uniquely within `ce_source`.",
        "ce_time": "CloudEvents: event time, RFC 3339.",
    }
    found = _CONTRACT_OF[contract]
    summary = (found.model.__doc__ or "").strip().splitlines()[0]
    return MessageKind(name, summary, found, headers | JSON_CONTENT | TRACEPARENT)


def _null(meaning: str) -> MessageKind:
    return MessageKind("Forgotten", f"A null value says {meaning}.", None, {}, is_null=True)
