"""The dashboard about the first look."""

from __future__ import annotations

from scripts.dashboards.grafana import JOB, Dashboard, Panel, Query, gauge, quantiles, rate

OVERVIEW = Dashboard(
    "journey-stream-overview",
    "journey-stream: overview",
    (
        (
            "Is it well?",
            (
                Panel(
                    "Workers ready",
                    "short",
                    "Workers that do their work, as /readyz says, and all that are scraped.",
                    (
                        Query(f"sum(journey_ready{{{JOB}}})", "ready"),
                        Query(f"count(up{{{JOB}}})", "known"),
                    ),
                ),
                Panel(
                    "Lag",
                    "s",
                    "How long what is read now has waited. The sources wait for routers, the log for tasks.",
                    (Query(gauge("max", "journey_consumer_lag_seconds", "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Records that wait",
                    "short",
                    "Records not yet read, all partitions together.",
                    (Query(gauge("sum", "journey_consumer_lag_records", "topic"), "{{topic}}"),),
                ),
            ),
        ),
        (
            "Throughput",
            (
                Panel(
                    "In, from the sources",
                    "ops",
                    "Good and bad records that routers have read, by source.",
                    (Query(rate("journey_records_in_total", "topic", 'kind=~"admitted|refused|erased"'), "{{topic}}"),),
                ),
                Panel(
                    "Applied by the tasks",
                    "ops",
                    "Records of the log that tasks have committed, by kind.",
                    (Query(rate("journey_records_in_total", "kind", 'kind!~"admitted|refused|erased"'), "{{kind}}"),),
                ),
                Panel(
                    "Out",
                    "ops",
                    "Records written and committed, by topic.",
                    (Query(rate("journey_records_out_total", "topic"), "{{topic}}"),),
                ),
            ),
        ),
        (
            "Latency",
            (
                Panel(
                    "Computing a batch, tasks",
                    "s",
                    "Of what a touchpoint waits for, this is the engine's share.",
                    quantiles("journey_batch_seconds", 'role="task"'),
                ),
                Panel(
                    "Committing",
                    "s",
                    "From the begin of a transaction to its commit: the brokers' share.",
                    quantiles("journey_transaction_seconds"),
                ),
                Panel(
                    "Computing a batch, routers",
                    "s",
                    "The time to validate and to find the owner.",
                    quantiles("journey_batch_seconds", 'role="router"'),
                ),
            ),
        ),
        (
            "Journeys",
            (
                Panel(
                    "Stages entered",
                    "ops",
                    "Stage changes published, by the stage entered.",
                    (Query(rate("journey_stage_changes_total", "to_stage", 'kind="entered"'), "{{to_stage}}"),),
                ),
                Panel(
                    "Corrections",
                    "ops",
                    "Published changes taken back, because late news or a link contradicts them.",
                    (Query(rate("journey_corrections_total", "job"), "{{job}}"),),
                ),
                Panel(
                    "Churn risk",
                    "ops",
                    "Changes of churn risk published, by the band entered.",
                    (Query(rate("journey_risk_changes_total", "band", 'kind="entered"'), "{{band}}"),),
                ),
            ),
        ),
    ),
)
