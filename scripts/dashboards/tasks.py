"""The dashboard about restore, transactions, batches and state."""

from __future__ import annotations

from scripts.dashboards.grafana import Dashboard, Panel, Query, gauge, quantiles, rate

TASKS = Dashboard(
    "journey-stream-tasks",
    "journey-stream: tasks",
    (
        (
            "Tasks",
            (
                Panel(
                    "Tasks by state",
                    "short",
                    "Together they have to be as many as the log has partitions.",
                    (
                        Query(gauge("sum", "journey_tasks", "state"), "{{state}}"),
                        Query(gauge("max", "journey_log_partitions", "job"), "partitions"),
                    ),
                ),
                Panel(
                    "Lag by task",
                    "s",
                    "One that is behind alone has a customer with too many touchpoints, or hangs.",
                    (
                        Query(
                            gauge("max", "journey_consumer_lag_seconds", "partition", 'topic=~".*log"'), "{{partition}}"
                        ),
                    ),
                ),
                Panel(
                    "Clock behind the time of day",
                    "s",
                    "By how much the newest arrival is past. It grows in quiet hours.",
                    (
                        Query(
                            f"time() - {gauge('max', 'journey_clock_timestamp_seconds', 'partition')}", "{{partition}}"
                        ),
                    ),
                ),
                Panel(
                    "Timers overdue",
                    "s",
                    "How long the next timer has been due; below 0 it is to come.",
                    (
                        Query(
                            f"time() - {gauge('max', 'journey_next_timer_timestamp_seconds', 'partition')}",
                            "{{partition}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Restore",
            (
                Panel(
                    "Time to restore",
                    "s",
                    "How long restored tasks took to read their state.",
                    quantiles("journey_restore_seconds"),
                ),
                Panel(
                    "State records read back",
                    "ops",
                    "Restores that progress show here.",
                    (Query(rate("journey_restored_records_total", "instance"), "{{instance}}"),),
                ),
                Panel(
                    "Begun anew",
                    "ops",
                    "Tasks and routers that failed and began again.",
                    (Query(rate("journey_restarts_total", "role"), "{{role}}"),),
                ),
            ),
        ),
        (
            "Transactions",
            (
                Panel(
                    "Committed",
                    "ops",
                    "One transaction holds one batch of one task.",
                    (Query(rate("journey_transaction_commits_total", "instance"), "{{instance}}"),),
                ),
                Panel(
                    "Given up",
                    "ops",
                    "uncertain: the broker gave no answer. fenced: another worker took the task over.",
                    (Query(rate("journey_transaction_aborts_total", "cause"), "{{cause}}"),),
                ),
                Panel("Time to commit", "s", "From begin to commit.", quantiles("journey_transaction_seconds")),
            ),
        ),
        (
            "Batches",
            (
                Panel(
                    "Records in a batch, tasks",
                    "short",
                    "Batches grow under load. At batch_records_max the task is behind.",
                    quantiles("journey_batch_records", 'role="task"'),
                ),
                Panel(
                    "Records in a batch, routers",
                    "short",
                    "As many as have arrived meanwhile.",
                    quantiles("journey_batch_records", 'role="router"'),
                ),
                Panel(
                    "Processor time",
                    "percentunit",
                    "1 is one processor; a worker's process cannot use much more.",
                    (Query(rate("process_cpu_seconds_total", "instance"), "{{instance}}"),),
                ),
            ),
        ),
        (
            "State",
            (
                Panel(
                    "Profiles",
                    "short",
                    "Profiles held in memory, by task. They should be spread evenly.",
                    (Query(gauge("max", "journey_profiles", "partition"), "{{partition}}"),),
                ),
                Panel(
                    "Packed state",
                    "bytes",
                    "Bytes of state held in memory, by task.",
                    (Query(gauge("max", "journey_state_bytes", "partition"), "{{partition}}"),),
                ),
                Panel(
                    "Memory",
                    "bytes",
                    "Resident memory of the workers.",
                    (Query(gauge("max", "process_resident_memory_bytes", "instance"), "{{instance}}"),),
                ),
                Panel(
                    "Waiting for a new score",
                    "short",
                    "After a change of the parameters of churn risk; an hour, then 0.",
                    (Query(gauge("sum", "journey_rescoring_profiles", "job"), "{{job}}"),),
                ),
            ),
        ),
    ),
)
