"""What a worker is told: the fields of `journey.yaml`, each also a `JOURNEY_*` variable.

`load_settings` (in `config_file`) reads both; here is what the fields mean and what they may hold. Lengths of time are
written as in a journey model (`30d`) and held in milliseconds.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from aiokafka.helpers import create_ssl_context
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from journey_stream.engine.limits import Limits
from journey_stream.worker.config_values import brokers, duration, names_of, topic_name, topic_names

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

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)

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

    batch_records_max: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
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
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None

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
        """What every aiokafka client is given to reach the brokers. Raises OSError if a certificate cannot be read."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._ssl_context()
        if self.security_protocol.startswith("SASL"):
            assert self.sasl_password is not None
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        return options

    def _ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = create_ssl_context(
            cafile=self.ssl_cafile, certfile=self.ssl_certfile, keyfile=self.ssl_keyfile
        )
        return context

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
            ("sasl_username", self._sasl and not self.sasl_username, f"a user name for {self.security_protocol}"),
            ("sasl_password", self._sasl and not self.sasl_password, f"a password for {self.security_protocol}"),
            (
                "security_protocol",
                not self._sasl and (self.sasl_username or self.sasl_password),
                "SASL_SSL or SASL_PLAINTEXT, since a SASL user or password is given",
            ),
            (
                "security_protocol",
                not self.security_protocol.endswith("SSL") and (self.ssl_cafile or self.ssl_certfile),
                "SSL or SASL_SSL, since a certificate is given",
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
            ("ssl_keyfile", self.ssl_certfile and not self.ssl_keyfile, "the private key of ssl_certfile"),
        ):
            if wrong:
                raise PydanticCustomError("contradiction", "{expected}", {"field": field, "expected": expected})
        for field in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
            path: Path | None = getattr(self, field)
            if path and not path.is_file():
                raise PydanticCustomError("contradiction", "{expected}", {"field": field, "expected": "a file"})
        return self

    @property
    def _sasl(self) -> bool:
        return self.security_protocol.startswith("SASL")


def topic_fits(names: tuple[str, ...]) -> bool:
    return all(len(name) <= 249 for name in names)
