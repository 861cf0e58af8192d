"""What a simulation wrote, and the touchpoints that it read, projected into a store as the topics would be."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from journey_stream.engine.limits import Limits
from journey_stream.events.erasures import ErasureKey, Erasures
from journey_stream.events.reasons import Reason
from journey_stream.events.times import MS_MAX
from journey_stream.history.outputs import CHURN_RISK, DEAD_LETTERS, IDENTITY_CHANGES, PROFILES, STAGE_CHANGES
from journey_stream.history.record import HistoryError, HistoryRecord
from journey_stream.history.simulate import Order, simulate_records
from journey_stream.journey.model import Model
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.store.store import Store
from journey_stream.serve.store.writer import Writer
from journey_stream.worker.config import Settings


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Sequence[tuple[str, bytes | None]] = ()


def project_files(
    store: Store,
    results: Path,
    records: Iterable[HistoryRecord],
    model: Model,
    *,
    limits: Limits | None = None,
    order: Order = "time",
    latest_arrival: int = MS_MAX,
) -> None:
    """Fill an empty store with the messages in `results` and with the touchpoints of `records`.

    Which touchpoints were refused and which were passed on to whom follows from running the engine over the records
    once more, in the `order` in which they were simulated; everything else is what was told. `latest_arrival` as for
    `simulate_records`. Raises HistoryError for a folder that holds no results.
    """
    names = Settings().topics
    erasures = Erasures(ErasureKey(b"files"))
    filling = _Filling(Gathering(names, erasures))
    files = {
        names.stage_changes: STAGE_CHANGES,
        names.churn_risk: CHURN_RISK,
        names.identity_changes: IDENTITY_CHANGES,
        names.profiles: PROFILES,
    }
    for topic, name in files.items():
        for number, line in enumerate(_lines(results / name), start=1):
            filling.add(topic, _profile_id(results / name, number, line), line)
    with TemporaryDirectory() as again:
        simulate_records(
            records,
            model,
            Path(again),
            limits=limits,
            order=order,
            latest_arrival=latest_arrival,
            logged=lambda key, at, value: filling.add(names.log, key, value, at),
        )
        for line in _lines(Path(again) / DEAD_LETTERS):
            value, headers = _letter(json.loads(line), names.log)
            filling.add(names.dead_letters, None, value, headers=headers)
    Writer(store.session(), erasures).write(filling.gathering.take())


class _Filling:
    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self._offsets: defaultdict[str, int] = defaultdict(int)

    def add(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        at: int = 0,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        offset = self._offsets[topic]
        self._offsets[topic] = offset + 1
        self.gathering.add(topic, 0, [_Record(key, value, at, offset, headers)])


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise HistoryError(
            f"{path}: {error.strerror}; expected the folder that journey-stream simulate wrote with --out"
        ) from error


def _profile_id(path: Path, number: int, line: bytes) -> bytes:
    try:
        return str(json.loads(line)["profile_id"]).encode()
    except (ValueError, TypeError, KeyError):
        raise HistoryError(
            f"{path}:{number}: is no message as journey-stream simulate writes them; run it into the folder again"
        ) from None


def _letter(line: dict[str, Any], log: str) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """A dead letter as its topic carries it: one displaced by another touchpoint is described, and not at its place."""
    value = str(line.get("value", "")).encode()
    source = line["source"]
    if line["reason"] == Reason.CONFLICTING_DUPLICATE and _is_described(value):
        source = {"topic": log, "partition": -1, "offset": -1}
    named = {"reason": line["reason"], "stage": "task", **{name: str(source[name]) for name in source}}
    return value, [(f"dead_letter_{name}", text.encode()) for name, text in named.items()]


def _is_described(value: bytes) -> bool:
    document = json.loads(value)
    return not document.keys() & {"identifiers", "customer_id"}
