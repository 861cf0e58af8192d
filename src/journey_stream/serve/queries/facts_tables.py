"""The derived tables that every number is read from: whole numbers in place of texts, and nothing that does not count.

Ten million stage changes with their ids, texts and reasons are gigabytes; what a number needs of them is 40 bytes each.
A combination of texts (a stage and a band, a channel and a campaign) is written once, in a small table, and named by
its number everywhere else.
"""

from typing import Final

TABLES: Final = {
    # One row: what the facts were read at.
    "progress": "version BIGINT NOT NULL, now_ms BIGINT, newest_ms BIGINT, dead_letters BIGINT NOT NULL",
    # Every customer with a view.
    "customers": (
        "no INTEGER NOT NULL, profile_id VARCHAR NOT NULL, state INTEGER NOT NULL, since_ms BIGINT, "
        "marks BIGINT NOT NULL"
    ),
    "states": "state INTEGER NOT NULL, stage VARCHAR, band VARCHAR, segment VARCHAR",
    # Standing changes and retracted messages of these customers; `code` is move * BUCKETS + bucket. `untouched_ms` is
    # the time since the customer's last touchpoint at or before it, null if there was none.
    "changes": (
        "no INTEGER NOT NULL, code INTEGER NOT NULL, at_ms BIGINT NOT NULL, stayed_ms BIGINT, marks BIGINT NOT NULL, "
        "untouched_ms BIGINT"
    ),
    # What separates the buckets.
    "bounds": "bound_ms BIGINT NOT NULL",
    "moves": (
        "move INTEGER NOT NULL, retracted BOOLEAN NOT NULL, from_stage VARCHAR, to_stage VARCHAR NOT NULL, "
        "silent BOOLEAN NOT NULL, channel VARCHAR, type VARCHAR"
    ),
    # `marks` of a customer has a bit for the segment, one for each stage that was entered, and one for each channel and
    # each campaign of the touchpoints; changes and touchpoints have those of their customer. The first names get the
    # bits; a later one has none, and is looked up instead.
    "bits": "kind VARCHAR NOT NULL, name VARCHAR NOT NULL, bit INTEGER",
    # Their counted touchpoints; `position` orders those of one customer by (occurred_at, event_id), and `next_contact`
    # and `next_ms` are of the one that follows, null after the last.
    "touches": (
        "no INTEGER NOT NULL, contact INTEGER NOT NULL, at_ms BIGINT NOT NULL, position INTEGER NOT NULL, "
        "marks BIGINT NOT NULL, next_contact INTEGER, next_ms BIGINT"
    ),
    "contacts": "contact INTEGER NOT NULL, channel VARCHAR NOT NULL, type VARCHAR NOT NULL, campaign VARCHAR",
    # Of every customer with a standing change: a row without a month, and one for each month with a touchpoint.
    # `cohort` is the month of the first standing change.
    "months": "no INTEGER NOT NULL, cohort INTEGER NOT NULL, month INTEGER",
}

BUCKETS: Final = 512
"""Lengths of stay are sorted into this many buckets, so that counting finds the one that a median lies in."""
NO_STAY: Final = BUCKETS - 1
"""The bucket of a change without a length of stay."""

BITS: Final = 62
"""Of a whole number that every database can hold."""

OF_CUSTOMERS: Final = ("changes", "touches", "months", "customers")
"""The tables with rows of one customer; `customers` last, for the others are found through it."""
