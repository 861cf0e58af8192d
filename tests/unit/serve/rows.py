"""Hand-made rows of the store, for tests that know the right numbers."""

import json
from collections.abc import Sequence
from typing import Any

import duckdb

from journey_stream.events.times import DAY_MS
from journey_stream.journey.model import Kind, Model, Pattern, Rule, Stage
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.store.postgres_store import PostgresConnection
from journey_stream.serve.store.schema import TABLES, DialectName, ddl

START_MS = 1_483_228_800_000  # 2017-01-01T00:00:00Z

EMPTY = {"VARCHAR": "", "BIGINT": 0, "INTEGER": 0, "DOUBLE PRECISION": 0.0, "BOOLEAN": False}

MODEL = Model(
    name="three",
    version=4,
    description="",
    stages=(Stage("awareness", "Knows us"), Stage("purchase", "Has bought"), Stage("advocacy", "Speaks for us")),
    kinds=(Kind("bought", "Bought", (Pattern(None, None),)),),
    rules=(Rule("bought", 1, None, (), "Bought"),),
)


class Rows:
    """A database, of DuckDB in memory if no `url` of PostgreSQL is given; instants are days from the start of 2017."""

    read_only = False

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self.dialect: DialectName = "duckdb" if url is None else "postgresql"
        self.connection: Any = duckdb.connect() if url is None else PostgresConnection(url)
        for statement in ddl(self.dialect):
            self.connection.execute(statement)
        self.facts = Facts(DIALECTS[self.dialect])
        self._count = 0

    def connect(self) -> Any:
        return self.connection.cursor() if self._url is None else PostgresConnection(self._url)

    def insert(self, table: str, **columns: Any) -> None:
        """What is not given and may not be missing is empty, 0 or false."""
        declared = next(one for one in TABLES if one.name == table)
        missing = {one.name: EMPTY[one.type] for one in declared.columns if not one.nullable}
        columns = missing | columns
        marks = ", ".join("?" for _ in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values()))

    def touchpoint(
        self,
        profile_id: str,
        day: float,
        channel: str = "web",
        type_: str = "page_view",
        *,
        event_id: str | None = None,
        campaign: str | None = None,
        refused: bool = False,
    ) -> str:
        """Insert one and return its event_id."""
        self._count += 1
        event_id = event_id or f"e{self._count}"
        self.insert(
            "touchpoints", event_id=event_id, occurred_at=at(day), arrived_at=at(day), owner_id=profile_id,
            profile_id=profile_id, channel=channel, type=type_, campaign=campaign, refused=refused,
        )  # fmt: skip
        return event_id

    def change(
        self,
        profile_id: str,
        day: float,
        from_stage: str | None,
        to_stage: str,
        *,
        after_days: float | None = None,
        evidence: Sequence[str] = (),
        silent: bool = False,
        kind: str = "entered",
        standing: bool = True,
    ) -> None:
        self._count += 1
        self.insert(
            "stage_messages", profile_id=profile_id, revision=self._count, change_id=f"c{self._count}", kind=kind,
            from_stage=from_stage, to_stage=to_stage, entered_at=at(day),
            seconds_in_previous=None if after_days is None else after_days * DAY_MS / 1000, current=True,
            cause="timer" if silent else "touchpoint", rule="r", text="Because", evidence=json.dumps(list(evidence)),
            silent_since=at(day) - DAY_MS if silent else None, window_seconds=86_400 if silent else None,
            model_name="three", model_version=4, standing=standing,
        )  # fmt: skip

    def view(
        self,
        profile_id: str,
        stage: str | None = "awareness",
        *,
        entered: float = 0,
        updated: float = 0,
        band: str | None = None,
        segment: str | None = None,
    ) -> None:
        self.insert(
            "profiles", profile_id=profile_id, stage=stage, entered_at=at(entered) if stage else None,
            last_touchpoint_at=at(entered), updated_at=at(updated), overflow=False, identifiers="[]", band=band,
            probability=None if band is None else 0.5, risk_since=None if band is None else at(entered),
            segment=segment, revision=1,
        )  # fmt: skip

    def version(self, version: int) -> None:
        self.insert("meta", key="version", value=str(version))

    def refresh(self, *profiles: str) -> int:
        return self.facts.refresh(self.connection, profiles or None)


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)
