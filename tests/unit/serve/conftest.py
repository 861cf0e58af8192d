from collections.abc import Iterator

import pytest

from tests.unit.serve.rows import Rows


@pytest.fixture(params=["duckdb", "postgresql"])
def rows(request: pytest.FixtureRequest) -> Iterator[Rows]:
    is_postgres = request.param == "postgresql"
    rows = Rows(request.getfixturevalue("postgres").database() if is_postgres else None)
    yield rows
    rows.connection.close()
