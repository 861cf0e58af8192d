"""The output contracts, as subscribers read them."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

_OPEN = ConfigDict(extra="ignore", frozen=True, json_schema_extra={"additionalProperties": True})
_REVISION = "Counts the messages of this profile from 1, without a gap."


Band = Literal["low", "medium", "high", "critical"]
Probability = Annotated[
    float, Field(ge=0, le=1, description="Of staying away for the whole window, as of `entered_at`.")
]


class Because(BaseModel):
    """Why a change happened: the rule and the touchpoints that are its evidence."""

    model_config = _OPEN

    rule: str = Field(description="Id of the rule in the journey model.")
    text: str = Field(description="The rule in words.")
    evidence: list[str] = Field(
        description="event_ids of the touchpoints that alone fire the rule; for a silence, the last one that broke it "
        "in this stage, if any.",
    )
    silent_since: AwareDatetime | None = Field(default=None, description="Only for a silence: when it began.")
    window_seconds: int | None = Field(default=None, description="Only for a silence: how long it had to last.")


class ModelRef(BaseModel):
    """The journey model that decided."""

    model_config = _OPEN

    name: str
    version: int


class StageChange(BaseModel):
    """One message of journey.stage-changes.

    Per profile, the messages in the order of `revision` give the current history: `entered` adds the change named by
    `change_id`, `retracted` takes it out again. The same change may be entered, retracted and entered once more, so
    the highest revision of a change_id wins.
    """

    model_config = _OPEN

    change_id: str = Field(description="Names the fact: the same in every replay.")
    kind: Literal["entered", "retracted"]
    profile_id: str
    revision: Annotated[int, Field(ge=1, description=_REVISION)]
    from_stage: str | None
    to_stage: str
    entered_at: AwareDatetime = Field(description="Event time.")
    seconds_in_previous: float | None = Field(description="Time in from_stage; none for a new customer.")
    current: bool = Field(description="Whether this is where the customer is, as of this message.")
    cause: Literal["touchpoint", "timer", "identity", "model", "erasure"]
    because: Because
    model: ModelRef


class ChurnModelRef(BaseModel):
    """The parameters of churn risk that scored."""

    model_config = _OPEN

    name: str
    version: int


class RiskContribution(BaseModel):
    """One fact and what it adds to the score."""

    model_config = _OPEN

    factor: str = Field(description="A part of the score or the id of a signal, as the parameters name it.")
    log_odds: float = Field(description="Above zero it raises the risk, below it lowers it.")
    text: str = Field(description="The fact in words.")
    since: AwareDatetime = Field(description="Event time of its evidence.")
    evidence: list[str] = Field(description="event_ids of the touchpoints that it rests on.")


class BecauseOfRisk(BaseModel):
    """Why the band changed at this instant."""

    model_config = _OPEN

    text: str = Field(description="What happened, in words.")
    evidence: list[str] = Field(
        description="event_id of the touchpoint that changed the score; for a silence, of the last event before it.",
    )
    silent_since: AwareDatetime | None = Field(default=None, description="Only for a silence: when it began.")


class ChurnRiskChange(BaseModel):
    """One message of journey.churn-risk: a customer is in another band of risk than before.

    Per profile, the messages in the order of `revision` give the current history: `entered` adds the change named by
    `risk_id`, `retracted` takes it out again. The same change may be entered, retracted and entered once more, so the
    highest revision of a risk_id wins.
    """

    model_config = _OPEN

    risk_id: str = Field(description="Names the fact: the same in every replay.")
    kind: Literal["entered", "retracted"]
    profile_id: str
    revision: Annotated[int, Field(ge=1, description="Counts the risk messages of this profile from 1, without a gap.")]
    band: Band
    previous_band: Band | None = Field(description="None for the first score of a customer.")
    probability: Probability
    window_days: Annotated[float, Field(gt=0, description="Length of the prediction window, from `entered_at` on.")]
    entered_at: AwareDatetime = Field(description="Event time.")
    current: bool = Field(description="Whether this is the band that the customer is in, as of this message.")
    cause: Literal["touchpoint", "timer", "identity", "model", "erasure"]
    because: BecauseOfRisk
    typical_log_odds: float = Field(
        description="The score of a typical customer; with all contributions it adds up to that of this one."
    )
    contributions: list[RiskContribution] = Field(description="The weightiest first.")
    model: ChurnModelRef


class IdentityChange(BaseModel):
    """One message of journey.identity-changes: what is known of an identifier has changed.

    Keyed by that identifier. Per identifier, the messages in the order of `revision` are its history; the highest
    revision of an identity_id wins.
    """

    model_config = _OPEN

    identity_id: str = Field(description="Names the fact: the same in every replay.")
    kind: Literal["linked", "unlinked", "shared", "blocked"] = Field(
        description="`linked`: from `at` on it belongs to `parent`. `unlinked`: it does not after all. `shared`: from "
        "`at` on too many use it to tell whose it is. `blocked`: it identifies nobody."
    )
    profile_id: str = Field(description="The identifier, as a profile id.")
    revision: Annotated[
        int, Field(ge=1, description="Counts the identity messages of this identifier from 1, without a gap.")
    ]
    parent: str | None = Field(
        description="The higher identifier, as a profile id; none for `shared` and `blocked`.",
    )
    at: AwareDatetime = Field(description="Event time from which it holds.")
    reason: Literal["observed", "manual", "too_many_customers", "too_many_parents"]
    text: str = Field(description="The reason in words.")
    evidence: list[str] = Field(description="event_ids of the touchpoints or operations that it rests on.")
    merged_into: str | None = Field(
        description="Where to look for it now, if nothing of its own is left: its view on journey.profiles is gone.",
    )


class CurrentRisk(BaseModel):
    """The band of churn risk that a customer is in."""

    model_config = _OPEN

    band: Band
    probability: Annotated[
        float,
        Field(
            ge=0, le=1, description="When the band was entered, or when other parameters took over if that is later."
        ),
    ]
    since: AwareDatetime = Field(description="Event time at which the band was entered.")
    revision: Annotated[int, Field(ge=1, description="Revision of the last risk change that this view contains.")]
    model: ChurnModelRef


Rfm = Annotated[int, Field(ge=1, le=5)]


class RfmScores(BaseModel):
    """How recently, how often and for how much a customer has bought, from 1 to 5 by fifths of a reference."""

    model_config = _OPEN

    recency: Rfm = Field(description="As of `updated_at`: it falls while time passes, and that alone writes no view.")
    frequency: Rfm = Field(description="By purchase occasions.")
    monetary: Rfm | None = Field(default=None, description="By what was spent; none if the reference knows no money.")


class ProfileView(BaseModel):
    """One message of journey.profiles: where a customer is now. Compacted by profile_id."""

    model_config = _OPEN

    profile_id: str
    revision: Annotated[int, Field(ge=0, description="Revision of the last stage change that this view contains.")]
    stage: str | None
    entered_at: AwareDatetime | None
    previous_stage: str | None
    rule: str | None = Field(description="Id of the rule that brought the customer here.")
    last_touchpoint_at: AwareDatetime = Field(
        description="Event time, as of this view: not every touchpoint writes one."
    )
    updated_at: AwareDatetime = Field(description="The task's clock when this view was written.")
    overflow: bool = Field(
        default=False,
        description="More touchpoints than a profile may hold: late ones can no longer correct its history.",
    )
    model: ModelRef
    identifiers: list[str] = Field(
        default=[], description="Profile ids of the other identifiers whose touchpoints belong to this customer."
    )
    risk: CurrentRisk | None = Field(
        default=None, description="Churn risk; none before the first score, or where it is switched off."
    )
    segment: str | None = Field(
        default=None, description="Id of the first segment of the journey model that holds; none if none does."
    )
    rfm: RfmScores | None = Field(
        default=None, description="None before the first purchase, or where churn risk or its reference is missing."
    )
