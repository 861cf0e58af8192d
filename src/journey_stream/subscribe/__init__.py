"""For subscribers: a customer's history from messages, and reactions that repeats cannot double."""

from journey_stream.subscribe.history import RiskHistory, StageHistory
from journey_stream.subscribe.memory import SqliteMemory
from journey_stream.subscribe.reactions import InMemory, Memory, Reactor, Seen

__all__ = ["InMemory", "Memory", "Reactor", "RiskHistory", "Seen", "SqliteMemory", "StageHistory"]
