"""What the projection and the API need of a database."""

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from journey_stream.serve.store.schema import DialectName


class Rows(Protocol):
    """The answer to one statement."""

    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """A connection for one thread; parameters are written `?`."""

    def execute(self, query: str, parameters: Sequence[object] = ..., /) -> Rows: ...
    def close(self) -> None: ...


class Session(Connection, Protocol):
    """The one connection that writes."""

    def load(self, name: str, table: pa.Table) -> None:
        """Make a table's rows readable under a name, in place of those that were there, within a transaction."""
        ...


class Store(Protocol):
    """An open database with all tables; `describe` names it for people.

    `failures` are what its driver raises. Where it is `read_only`, another process projects into it.
    """

    @property
    def dialect(self) -> DialectName: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def failures(self) -> tuple[type[Exception], ...]: ...
    def connect(self) -> Connection: ...
    def session(self) -> Session: ...
    def describe(self) -> str: ...
    def close(self) -> None: ...
