"""Test journey models and subscribers without a broker."""

from journey_stream.engine.limits import Limits
from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.testing.driver import JourneyDriver
from journey_stream.worker.dead_letters import DeadLetter

__all__ = ["ChurnRiskChange", "DeadLetter", "JourneyDriver", "Limits", "ProfileView", "StageChange"]
