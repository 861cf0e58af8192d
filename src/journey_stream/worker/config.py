"""What a worker is told: the fields of `journey.yaml`, each also a `JOURNEY_*` variable.

`load_settings` (in `config_file`) reads both; here is what the fields mean and what they may hold. Lengths of time are
written as in a journey model (`30d`) and held in milliseconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from journey_stream.engine.limits import Limits
from journey_stream.worker.config_values import (
    brokers,
    duration,
    endpoint_url,
    header_name,
    names_of,
    networks,
    topic_name,
    topic_names,
)
from journey_stream.worker.connection import client_options, connection_mistakes, principal
from journey_stream.worker.secret_files import UnusableFile, read_secret, read_tokens, require_apart

Duration = Annotated[int, BeforeValidator(duration), Field(gt=0)]
MINUTE_MS = 60_000
DAY_MS = 86_400_000


class TopicNames(NamedTuple):
    """Our own topics; a touchpoint's way is sources → log → the others.

    `operations` is a source beside those of the settings, for what people decide about identifiers.
    """

    operations: str
    log: str
    state: str
    stage_changes: str
    churn_risk: str
    identity_changes: str
    profiles: str
    replayed: str
    erasures: str
    dead_letters: str


class Settings(BaseModel):
    """Everything a worker, a replay or a check of topics needs to know. Immutable; every field has a default.

    A length of time is called `lateness` in the file and `lateness_ms` here.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, hide_input_in_errors=True
    )

    bootstrap_servers: Annotated[tuple[str, ...], BeforeValidator(brokers)] = ("localhost:9092",)
    application_id: Annotated[str, BeforeValidator(topic_name)] = "journey-stream"
    sources: Annotated[tuple[str, ...], BeforeValidator(topic_names)] = (
        "touchpoints.web",
        "touchpoints.email",
        "touchpoints.store",
        "touchpoints.crm",
    )
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,200}$")] = "journey."
    partitions: Annotated[int, Field(ge=1, le=10_000)] = 8
    replication_factor: Annotated[int, Field(ge=1, le=100)] | None = None
    retention_ms: Duration = Field(default=45 * DAY_MS, alias="retention")

    model: Annotated[str, Field(min_length=1)] = "six-stages"
    churn: Annotated[str, Field(min_length=1)] = "completejourney"
    lateness_ms: Duration = Field(default=30 * DAY_MS, alias="lateness")
    allowance_ms: Duration = Field(default=DAY_MS, alias="allowance")
    skew_ms: Duration = Field(default=5 * MINUTE_MS, alias="skew")
    touchpoints_max: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    ticks: bool = True

    pseudonymise: Annotated[tuple[str, ...], BeforeValidator(names_of("identifier types"))] = ()
    pseudonym_key_file: Path | None = None
    pseudonym_key: SecretStr | None = None
    drop_properties: Annotated[tuple[str, ...], BeforeValidator(names_of("properties"))] = ()

    erasure_key_file: Path | None = None
    erasure_key: Annotated[SecretStr, Field(min_length=1)] | None = None
    erasures_topic: Annotated[str, BeforeValidator(topic_name)] | None = None

    batch_records_max: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    record_bytes_max: Annotated[int, Field(ge=10_000, le=100_000_000)] = 1_048_576
    dead_letter_bytes_max: Annotated[int, Field(ge=10_000, le=1_000_000_000)] = 16_777_216
    session_timeout_ms: Annotated[Duration, Field(ge=1_000, le=30 * MINUTE_MS)] = Field(
        default=10_000, alias="session_timeout"
    )
    group_instance_id: Annotated[str, BeforeValidator(topic_name)] | None = None
    transaction_timeout_ms: Annotated[Duration, Field(ge=1_000, le=15 * MINUTE_MS)] = Field(
        default=MINUTE_MS // 2, alias="transaction_timeout"
    )

    metrics_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9464
    serve_host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    serve_port: Annotated[int, Field(ge=0, le=65_535)] = 8600
    serve_database: Annotated[str, Field(min_length=1)] = "journey.duckdb"
    serve_token: Annotated[SecretStr, Field(min_length=1)] | None = None
    serve_token_file: Path | None = None
    serve_admin_token_file: Path | None = None
    serve_customers: Literal["read", "admin"] = "read"
    serve_trusted_proxies: Annotated[tuple[str, ...], BeforeValidator(networks)] = ()
    serve_user_header: Annotated[str, BeforeValidator(header_name)] = "X-Forwarded-User"
    serve_admins: Annotated[tuple[str, ...], BeforeValidator(names_of("users"))] = ()
    serve_requests_per_second: Annotated[float, Field(ge=0, le=100_000)] = 50
    serve_requests_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    sasl_password_file: Path | None = None
    oauth_token_url: Annotated[str, BeforeValidator(endpoint_url)] | None = None
    oauth_client_id: Annotated[str, Field(min_length=1)] | None = None
    oauth_client_secret_file: Path | None = None
    oauth_scope: Annotated[str, Field(min_length=1)] | None = None
    oauth_cafile: Path | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_keyfile_password_file: Path | None = None
    ssl_check_hostname: bool = True

    @property
    def topics(self) -> TopicNames:
        prefix = self.topic_prefix
        return TopicNames(
            operations=f"{prefix}operations",
            log=f"{prefix}log",
            state=f"{prefix}state",
            stage_changes=f"{prefix}stage-changes",
            churn_risk=f"{prefix}churn-risk",
            identity_changes=f"{prefix}identity-changes",
            profiles=f"{prefix}profiles",
            replayed=f"{prefix}dead-letters-replayed",
            erasures=self.erasures_topic or f"{prefix}erasures",
            dead_letters=f"{prefix}dead-letters",
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """All topics that the router reads."""
        return (*self.sources, self.topics.operations)

    @property
    def limits(self) -> Limits:
        return Limits(self.lateness_ms, self.allowance_ms, self.skew_ms, self.touchpoints_max)

    @property
    def router_group(self) -> str:
        return f"{self.application_id}-router"

    @property
    def tasks_group(self) -> str:
        return f"{self.application_id}-tasks"

    def transactional_id(self, part: int | str) -> str:
        """One per task, and one for each other part: starting its producer fences whoever ran the part before."""
        return f"{self.application_id}-{part}"

    def client_options(self) -> dict[str, Any]:
        """What every aiokafka client is given to reach the brokers. Raises UnusableFile, an OSError."""
        return client_options(self)

    @property
    def principal(self) -> str:
        """Who we are to the brokers, as far as that can be told from here."""
        return principal(self)

    @property
    def read_tokens(self) -> frozenset[str]:
        """The bearer tokens that may read the map. Raises UnusableFile, an OSError."""
        given = () if self.serve_token is None else (self.serve_token.get_secret_value(),)
        return frozenset((*given, *read_tokens("serve_token_file", self.serve_token_file)))

    @property
    def admin_tokens(self) -> frozenset[str]:
        """Those that may do whatever the map offers. Raises UnusableFile, an OSError."""
        return frozenset(read_tokens("serve_admin_token_file", self.serve_admin_token_file))

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        for field, wrong, expected in (
            (
                "sources",
                set(self.sources) & set(self.topics),
                f"topics that are not journey-stream's own (those are {', '.join(self.topics)})",
            ),
            ("topic_prefix", not topic_fits(self.topics), "a prefix that leaves the names within 249 characters"),
            (
                "dead_letter_bytes_max",
                self.dead_letter_bytes_max < self.record_bytes_max,
                f"at least record_bytes_max ({self.record_bytes_max}): what fits the log must fit the dead letters",
            ),
            ("retention", self.retention_ms <= self.lateness_ms, "longer than lateness, or late news corrects nothing"),
            *connection_mistakes(self),
            (
                "serve_customers",
                self.serve_customers == "admin" and not (self.serve_admin_token_file or self.serve_admins),
                "serve_admin_token_file or serve_admins beside it, or nobody could look at a customer",
            ),
            (
                "serve_admins",
                self.serve_admins and not self.serve_trusted_proxies,
                "serve_trusted_proxies beside it: only a proxy says who a user is",
            ),
            (
                "pseudonym_key",
                self.pseudonym_key and self.pseudonym_key_file,
                "one of pseudonym_key and pseudonym_key_file",
            ),
            (
                "drop_properties",
                self.drop_properties and not self.pseudonymise,
                "the setting pseudonymise beside it: properties are dropped where touchpoints are rewritten",
            ),
            (
                "erasure_key",
                self.erasure_key and self.erasure_key_file,
                "one of erasure_key and erasure_key_file",
            ),
            (
                "erasures_topic",
                self.topics.erasures in {*self.sources, *self.topics[:-2], self.topics.dead_letters},
                "a topic of its own",
            ),
        ):
            if wrong:
                raise PydanticCustomError("contradiction", "{expected}", {"field": field, "expected": expected})
        self._require_files()
        return self

    def _require_files(self) -> None:
        """Whatever is in a file is read once here, so that a mistake is told before anything starts."""
        try:
            for field in ("sasl_password_file", "ssl_keyfile_password_file", "oauth_client_secret_file"):
                if path := getattr(self, field):
                    read_secret(field, path)
            require_apart("serve_admin_token_file", self.serve_admin_token_file, self.read_tokens)
            client_options(self)
        except UnusableFile as error:
            context = {"field": error.field, "expected": error.expected}
            raise PydanticCustomError("contradiction", "{expected}", context) from error


def topic_fits(names: tuple[str, ...]) -> bool:
    return all(len(name) <= 249 for name in names)
