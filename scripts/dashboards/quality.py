"""The dashboard about dead letters, late news and identity."""

from __future__ import annotations

from scripts.dashboards.grafana import JOB, Dashboard, Panel, Query, gauge, rate

QUALITY = Dashboard(
    "journey-stream-quality",
    "journey-stream: data quality",
    (
        (
            "Dead letters",
            (
                Panel(
                    "By reason",
                    "ops",
                    "docs/dead-letters.md says for each what to do.",
                    (Query(rate("journey_dead_letters_total", "reason"), "{{reason}}"),),
                ),
                Panel(
                    "Share of what comes in",
                    "percentunit",
                    "The alert is at 1 %.",
                    (
                        Query(
                            rate("journey_dead_letters_total", "job")
                            + " / "
                            + rate("journey_records_in_total", "job", 'kind=~"admitted|refused"'),
                            "{{job}}",
                        ),
                    ),
                ),
                Panel(
                    "Refused by source",
                    "ops",
                    "Records that a router could not use by themselves, by source.",
                    (Query(rate("journey_records_in_total", "topic", 'kind="refused"'), "{{topic}}"),),
                ),
            ),
        ),
        (
            "Late",
            (
                Panel(
                    "Oldest touchpoint",
                    "s",
                    "How long ago the oldest touchpoint of the last batch had happened.",
                    (
                        Query(
                            f"time() - {gauge('min', 'journey_oldest_event_timestamp_seconds', 'partition')}",
                            "{{partition}}",
                        ),
                    ),
                ),
                Panel(
                    "Corrections",
                    "ops",
                    "Published changes taken back because of what came late.",
                    (Query(rate("journey_stage_changes_total", "to_stage", 'kind="retracted"'), "{{to_stage}}"),),
                ),
                Panel(
                    "Too late, or from the future",
                    "ops",
                    "Later than the lateness bound; ahead of the clock by more than skew.",
                    (
                        Query(
                            rate("journey_dead_letters_total", "stage, reason", 'reason=~"too_late|from_the_future"'),
                            "{{reason}}, {{stage}}",
                        ),
                    ),
                ),
                Panel(
                    "Lost before they were read",
                    "short",
                    "Deleted by a source's retention, in the last hour.",
                    (Query(f"sum by (topic) (increase(journey_records_lost_total{{{JOB}}}[1h]))", "{{topic}}"),),
                ),
            ),
        ),
        (
            "Identity",
            (
                Panel(
                    "Links and what follows from them",
                    "ops",
                    "Records about identifiers that tasks have applied, by kind.",
                    (
                        Query(
                            rate(
                                "journey_records_in_total", "kind", 'kind=~"link|unlink|block|deliver|retract|attach"'
                            ),
                            "{{kind}}",
                        ),
                    ),
                ),
                Panel(
                    "Identity changes",
                    "ops",
                    "What became known of identifiers, as published.",
                    (
                        Query(
                            rate("journey_records_out_total", "kind", 'kind=~"linked|unlinked|shared|blocked"'),
                            "{{kind}}",
                        ),
                    ),
                ),
                Panel(
                    "On shared identifiers",
                    "ops",
                    "Touchpoints left out: too many customers share what they name.",
                    (Query(rate("journey_shared_touchpoints_total", "job"), "{{job}}"),),
                ),
                Panel(
                    "Erased",
                    "ops",
                    "Touchpoints forgotten or not taken in, because a person was erased.",
                    (Query(rate("journey_erased_touchpoints_total", "stage"), "{{stage}}"),),
                ),
            ),
        ),
    ),
)
