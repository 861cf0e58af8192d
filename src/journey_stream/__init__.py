"""journey-stream: the current stage of every customer's journey, from touchpoints on Kafka to changes on Kafka."""

from importlib.metadata import version

__version__ = version("journey-stream")
