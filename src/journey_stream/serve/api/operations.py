"""What the API can be asked: every operation is declared once, and routed, checked and described by that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from journey_stream.journey.model import Model
from journey_stream.serve.api.errors import Refused
from journey_stream.serve.api.live import Version
from journey_stream.serve.api.parameters import ATTRIBUTION, FILTER, KEYS, LOOK_BACK_DAYS_DEFAULT, SEARCH, Parameter
from journey_stream.serve.queries.answers import Attribution, Cohorts, Customers, JourneyMap, Options
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.cohorts import cohorts
from journey_stream.serve.queries.connection import Connection, Dialect
from journey_stream.serve.queries.customers import LIMIT_DEFAULT, Search, customers
from journey_stream.serve.queries.filters import Filter
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.person import Person, person
from journey_stream.serve.queries.reading import read


class ModelStage(msgspec.Struct, frozen=True):
    """A stage of the journey model."""

    id: str
    meaning: str


class ModelAnswer(msgspec.Struct, frozen=True):
    """The journey model that the service was started with."""

    name: str
    version: int
    description: str
    stages: list[ModelStage]
    goal: str


@dataclass(frozen=True, slots=True)
class Context:
    """What an answer is made of, beside the question."""

    connection: Connection
    dialect: Dialect
    model: Model
    options: Options | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """`answer` is called in a thread, with the parameters that were given and, for `{profile_id}`, that.

    `cached`: the answer depends on the parameters and the version alone, and is worth keeping.
    """

    path: str
    summary: str
    description: str
    parameters: Sequence[Parameter]
    returns: type[msgspec.Struct]
    answer: Callable[[Context, dict[str, Any]], msgspec.Struct] | None
    cached: bool = False
    media_type: str = "application/json"
    may_miss: bool = False
    is_personal: bool = False
    """Whether it shows single customers."""


def default_goal(model: Model) -> str:
    """The stage called `purchase` if there is one, else the last."""
    ids = [stage.id for stage in model.stages]
    return "purchase" if "purchase" in ids else ids[-1]


def _filter(given: dict[str, Any]) -> Filter:
    return Filter(given.get("from"), given.get("to"), given.get("channel"), given.get("campaign"), given.get("segment"))


def _map(context: Context, given: dict[str, Any]) -> JourneyMap:
    with read(context.connection, context.dialect, _filter(given)) as reading:
        return journey_map(reading, context.model.stages, context.options)


def _cohorts(context: Context, given: dict[str, Any]) -> Cohorts:
    with read(context.connection, context.dialect, _filter(given)) as reading:
        return cohorts(reading)


def _attribution(context: Context, given: dict[str, Any]) -> Attribution:
    goal, stages = given.get("goal", default_goal(context.model)), [stage.id for stage in context.model.stages]
    if goal not in stages:
        raise Refused(400, f"The parameter 'goal' is {goal!r}; expected one of {', '.join(stages)}.")
    look_back_days = given.get("look_back_days", LOOK_BACK_DAYS_DEFAULT)
    with read(context.connection, context.dialect, _filter(given)) as reading:
        return attribution(reading, goal, given.get("by", KEYS[0]), look_back_days)


def _customers(context: Context, given: dict[str, Any]) -> Customers:
    search = Search(given.get("stage"), given.get("band"), given.get("q"), given.get("limit", LIMIT_DEFAULT))
    with read(context.connection, context.dialect, _filter(given)) as reading:
        return customers(reading, search)


def _person(context: Context, given: dict[str, Any]) -> Person:
    profile_id = given["profile_id"]
    # No profile has a null character in its id, and not every database can be asked about one.
    found = None if "\x00" in profile_id else person(context.connection, profile_id)
    if found is None:
        raise Refused(
            404,
            f"Nothing is known of the profile {profile_id!r}. Either nobody by that id was seen, or everything on it "
            "was erased. /api/customers?q= looks for a part of an id.",
        )
    return found


def _model(context: Context, _: dict[str, Any]) -> ModelAnswer:
    model = context.model
    stages = [ModelStage(stage.id, stage.meaning) for stage in model.stages]
    return ModelAnswer(model.name, model.version, model.description, stages, default_goal(model))


OPERATIONS = (
    Operation(
        "/api/map",
        "The journey map",
        "Stages, flows, where customers stall and leave, bands of churn risk, and totals, all of one moment.",
        FILTER,
        JourneyMap,
        _map,
        cached=True,
    ),
    Operation(
        "/api/cohorts",
        "Who comes back",
        "Customers by the month in which their journey began, and in how many of the months after they had a "
        "touchpoint. The filter chooses the customers; their months are those of all time.",
        FILTER,
        Cohorts,
        _cohorts,
        cached=True,
    ),
    Operation(
        "/api/attribution",
        "What leads to a stage",
        "Credit for entries to the goal, in entries, by seven models: first, last, linear, position, time_decay, "
        "markov (removal effect) and shapley. A path is what a customer met within the look-back, after the entry "
        "before.",
        ATTRIBUTION,
        Attribution,
        _attribution,
        cached=True,
    ),
    Operation(
        "/api/customers",
        "A list of customers",
        "Those in the filter, as the map counts them, with the latest touchpoint first.",
        SEARCH,
        Customers,
        _customers,
        is_personal=True,
    ),
    Operation(
        "/api/customers/{profile_id}",
        "One customer",
        "The present view, and every message and touchpoint that is kept, the newest first, with their reasons.",
        (),
        Person,
        _person,
        may_miss=True,
        is_personal=True,
    ),
    Operation(
        "/api/model", "The journey model", "Its stages in their order, and the default goal.", (), ModelAnswer, _model
    ),
    Operation(
        "/api/stream",
        "News",
        "Server-sent events: an event `version` at the start, and for each new version, at most one a second.",
        (),
        Version,
        None,
        media_type="text/event-stream",
    ),
)

PERSONAL = tuple(one.path.partition("{")[0] for one in OPERATIONS if one.is_personal)
"""How the paths begin that show single customers."""
