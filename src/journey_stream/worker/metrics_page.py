"""The page of the documentation about metrics, written from the metrics themselves.

python -m journey_stream.worker.metrics_page > docs/metrics.md
"""

import sys

from prometheus_client import Counter, Gauge, Histogram, Info
from prometheus_client.metrics import MetricWrapperBase

from journey_stream.events.log import MESSAGE_KINDS
from journey_stream.events.reasons import Reason
from journey_stream.worker.metrics import Metrics
