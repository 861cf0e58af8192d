from collections.abc import Iterator

import pytest

from tests.unit.serve.rows import Rows


@pytest.fixture
def rows() -> Iterator[Rows]:
    rows = Rows()
    yield rows
    rows.connection.close()
