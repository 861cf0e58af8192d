"""One question's look at the facts: a filter, one state of the database, and what several numbers have in common."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final, NamedTuple

from journey_stream.serve.queries.connection import Connection, Dialect
from journey_stream.serve.queries.facts_tables import BUCKETS
from journey_stream.serve.queries.filters import Filter

MOVE_OF_CODE: Final = f"CAST((c.code - c.code % {BUCKETS}) / {BUCKETS} AS INTEGER)"
"""The move of a code, alike in databases that divide whole numbers to a whole number and in those that do not."""


class Move(NamedTuple):
    """A sort of change; channel and type are those of the trigger."""

    retracted: bool
    from_stage: str | None
    to_stage: str
    silent: bool
    channel: str | None
    type: str | None


class StateCount(NamedTuple):
    """How many customers are in this stage, band and segment now."""

    stage: str | None
    band: str | None
    segment: str | None
    number: int


class Reading:
    """Answers are lists of plain tuples. Made by `read`.

    Where marks alone tell which customers are in the filter, nothing has to be looked up for each of their changes.
    """

    def __init__(self, connection: Connection, dialect: Dialect, chosen: Filter) -> None:
        self._connection = connection
        self._dialect = dialect
        self.filter = chosen
        self._conditions: list[str] = []
        self.customers = "facts.customers c WHERE TRUE"
        """What stands after FROM to read state and since_ms of the customers `c` in the filter."""
        named = {"channel": chosen.channel, "campaign": chosen.campaign, "segment": chosen.segment}
        bits = [self._bit(kind, name) for kind, name in named.items() if name is not None]
        mask = sum(1 << bit for bit in bits if bit is not None)
        if mask:
            self._conditions.append(f"({{0}}.marks & CAST({mask} AS BIGINT)) = {mask}")
        has_range = chosen.from_ms is not None or chosen.to_ms is not None
        # A mark says that there is such a touchpoint, not when, nor that one has both channel and campaign.
        is_vague = chosen.chooses_by_touchpoints and (has_range or None not in {chosen.channel, chosen.campaign})
        if is_vague or None in bits:
            self._choose()
            # They have the marks, and to look at those once more takes longer than it spares.
            self._conditions = ["{0}.no IN (SELECT no FROM chosen)"]
            self.customers = "chosen c WHERE TRUE"
        elif mask:
            self.customers = f"facts.customers c WHERE {self.fits('c')}"

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        """The answer to any other query, in the same state of the database."""
        return self._connection.execute(query, parameters).fetchall()

    def make(self, table: str, query: str, parameters: Sequence[object] = ()) -> str:
        """A temporary table, which is gone with this reading; returns its name."""
        self._connection.execute(f"CREATE TEMPORARY TABLE {table} AS {query}", parameters)
        return table

    def of_customers(self, column: str) -> str:
        """A condition on the number of a customer."""
        if not self._conditions:
            return "TRUE"
        return f"{column} IN (SELECT x.no FROM facts.customers x WHERE {self.fits('x')})"

    @property
    def restricts(self) -> bool:
        """Whether the filter may leave customers out."""
        return bool(self._conditions)

    def fits(self, alias: str) -> str:
        """The same condition on a row of the tables that have marks: customers, changes and touches."""
        return " AND ".join(f"({one.format(alias)})" for one in self._conditions) or "TRUE"

    def in_range(self, column: str) -> str:
        """A condition on an instant in ms."""
        return _range(self.filter, column)

    @cached_property
    def progress(self) -> tuple[int, int | None, int | None, int]:
        """Version, now (ms), newest touchpoint (ms) and dead letters."""
        row: tuple[int, int | None, int | None, int] = self.rows(
            "SELECT version, now_ms, newest_ms, dead_letters FROM facts.progress"
        )[0]
        return row

    @cached_property
    def sorts(self) -> dict[int, Move]:
        """What the number of a move stands for."""
        found = self.rows("SELECT move, retracted, from_stage, to_stage, silent, channel, type FROM facts.moves")
        return {move: Move(*rest) for move, *rest in found}

    @cached_property
    def counts(self) -> str:
        """A temporary table (code, number) of the changes and retracted messages in the filter."""
        return self.make(
            "counts",
            f"SELECT h.code, count(*) AS number FROM facts.changes h WHERE {self.of_changes()} GROUP BY h.code",
        )

    @cached_property
    def touchpoints(self) -> int:
        """Counted touchpoints of the customers in the filter, in the range, of channel and campaign."""
        condition, parameters = contacts(self.filter, "t.contact")
        # Whoever has a touchpoint of channel and campaign in the range is in the filter, but for the segment.
        whose = "TRUE" if self.filter.segment is None else self.fits("t")
        ((number,),) = self.rows(
            f"SELECT count(*) FROM facts.touches t WHERE {condition} AND {self.in_range('t.at_ms')} AND {whose}",
            parameters,
        )
        return int(number)

    def of_changes(self) -> str:
        """The condition that a change `h` is in the filter."""
        return f"{self.in_range('h.at_ms')} AND {self.fits('h')}"

    @cached_property
    def moves(self) -> list[tuple[Move, int]]:
        """Changes and retracted messages in the filter: how many there are of each sort."""
        found = self.rows(f"SELECT {MOVE_OF_CODE} AS move, sum(c.number) FROM {self.counts} c GROUP BY 1")
        return [(self.sorts[move], int(number)) for move, number in found]

    @property
    def standing(self) -> Iterator[tuple[Move, int]]:
        """Standing changes in the filter: how many there are of each sort."""
        return ((move, number) for move, number in self.moves if not move.retracted)

    @cached_property
    def states(self) -> list[StateCount]:
        """Customers in the filter, by where they are now."""
        found = self.rows(
            f"SELECT s.stage, s.band, s.segment, n.number FROM ("
            f"SELECT c.state, count(*) AS number FROM {self.customers} "
            f"GROUP BY c.state) n JOIN facts.states s ON s.state = n.state"
        )
        return [StateCount(*row) for row in found]

    def has_code(self, codes: Collection[int]) -> str:
        """The condition that a change `h` has one of these codes.

        They are hundreds, and looked up in an array of bits, which takes half the time of a hash table.
        """
        bits = bytearray(b"0" * ((max(self.sorts, default=0) + 1) * BUCKETS))
        for code in codes:
            bits[code] = ord("1")
        return f"{self._dialect.bit.format(bits.decode(), 'h.code')} = 1"

    def has_entered(self, stage: str, alias: str) -> str | None:
        """The condition that a row of the tables with marks is of a customer with a standing entry to the stage.

        None if there is no mark for it.
        """
        bit = self._bit("stage", stage)
        return None if bit is None else f"({alias}.marks & CAST({1 << bit} AS BIGINT)) <> 0"

    def _bit(self, kind: str, name: str) -> int | None:
        found = self.rows("SELECT bit FROM facts.bits WHERE kind = ? AND name = ?", (kind, name))
        bit: int | None = found[0][0] if found else None
        return bit

    def _choose(self) -> None:
        """The temporary table `chosen`: the customers in the filter, looked up one by one."""
        conditions, parameters = [self.fits("c")], list[object]()
        if self.filter.segment is not None:
            conditions.append("c.state IN (SELECT state FROM facts.states WHERE segment = ?)")
            parameters.append(self.filter.segment)
        if self.filter.chooses_by_touchpoints:
            condition, values = contacts(self.filter, "t.contact")
            conditions.append(
                f"c.no IN (SELECT t.no FROM facts.touches t WHERE {condition} AND {self.in_range('t.at_ms')})"
            )
            parameters += values
        self.make(
            "chosen",
            f"SELECT c.no, c.state, c.since_ms FROM facts.customers c WHERE {' AND '.join(conditions)}",
            parameters,
        )


def codes_of_moves(moves: Iterable[int], alias: str = "h") -> str:
    """The condition that a change is of one of these moves.

    What follows one another is one range, so that a database passes over the parts of the table that lie outside.
    """
    runs: list[list[int]] = []
    for move in sorted(moves):
        if runs and move == runs[-1][1] + 1:
            runs[-1][1] = move
        else:
            runs.append([move, move])
    ranges = [f"{alias}.code BETWEEN {first * BUCKETS} AND {(last + 1) * BUCKETS - 1}" for first, last in runs]
    return f"({' OR '.join(ranges)})" if ranges else "FALSE"


def contacts(chosen: Filter, column: str) -> tuple[str, list[object]]:
    """A condition on a contact, that it has channel and campaign of the filter, and its parameters."""
    named = (("channel", chosen.channel), ("campaign", chosen.campaign))
    wanted = [(name, value) for name, value in named if value is not None]
    if not wanted:
        return "TRUE", []
    condition = " AND ".join(f"{name} = ?" for name, _ in wanted)
    return f"{column} IN (SELECT contact FROM facts.contacts WHERE {condition})", [value for _, value in wanted]


def _range(chosen: Filter, column: str) -> str:
    # Whole numbers stand in the text: a database that sees them knows how much of the table they leave.
    bounds = [f"{column} >= {int(chosen.from_ms)}"] if chosen.from_ms is not None else []
    bounds += [f"{column} < {int(chosen.to_ms)}"] if chosen.to_ms is not None else []
    return " AND ".join(bounds) or "TRUE"


@contextmanager
def read(connection: Connection, dialect: Dialect, chosen: Filter) -> Iterator[Reading]:
    """All numbers asked of this reading are of one and the same state of the database."""
    connection.execute(dialect.begin)
    try:
        yield Reading(connection, dialect, chosen)
    finally:
        connection.execute("ROLLBACK")  # nothing was changed but temporary tables, which go with it
