"""Why a record could not be used. Each reason is a stable word: dashboards, filters and replays go by it."""

from enum import StrEnum


class Reason(StrEnum):
    """The `dead_letter_reason` header of a dead letter."""

    EMPTY_VALUE = "empty_value"
    INVALID_JSON = "invalid_json"
    INVALID_TOUCHPOINT = "invalid_touchpoint"
    UNSUPPORTED_VERSION = "unsupported_version"
    MISSING_IDENTIFIER = "missing_identifier"
    UNSUPPORTED_ALIAS = "unsupported_alias"
    TOO_LATE = "too_late"
    FROM_THE_FUTURE = "from_the_future"
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    RECORD_TOO_LARGE = "record_too_large"
    OUTPUT_TOO_LARGE = "output_too_large"
    UNREADABLE_LOG_RECORD = "unreadable_log_record"


MEANING: dict[Reason, str] = {
    Reason.EMPTY_VALUE: "The record has no value. A touchpoint is a JSON object.",
    Reason.INVALID_JSON: "The value is not JSON in UTF-8.",
    Reason.INVALID_TOUCHPOINT: "A field of the touchpoint is missing or has a wrong type; the detail names it.",
    Reason.UNSUPPORTED_VERSION: "`schema_version` is not one that this release reads.",
    Reason.MISSING_IDENTIFIER: "No identifier of a known type with a value that names somebody: a "
    "placeholder such as `null` does not, nor does a phone number without its calling code.",
    Reason.UNSUPPORTED_ALIAS: "An operation on identifiers that does not join a lower one to a higher one.",
    Reason.TOO_LATE: "The touchpoint reached its topic later after happening than the lateness bound allows.",
    Reason.FROM_THE_FUTURE: "The touchpoint claims to have happened after it arrived, by more than the allowed skew.",
    Reason.CONFLICTING_DUPLICATE: "Another touchpoint with this event_id says something else and was kept.",
    Reason.RECORD_TOO_LARGE: "The record is larger than journey.log accepts.",
    Reason.OUTPUT_TOO_LARGE: "What this touchpoint caused is larger than an output topic accepts.",
    Reason.UNREADABLE_LOG_RECORD: "A record of journey.log was not written by a worker of this release.",
}
