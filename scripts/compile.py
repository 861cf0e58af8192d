"""Compile the hot path with mypyc, in place: about a third less processor time for tasks, and the same behaviour.

The sources stay what they are. Python prefers a compiled module to the source beside it, so compile again after a
change (`make compile`) or go back to the sources (`make clean-compiled`). Needs a C compiler and Python's headers.
"""

import os
import shutil
import sys
from pathlib import Path

from mypyc.build import mypycify
from setuptools import setup

SOURCE = Path(__file__).parents[1] / "src"
# Modules that define msgspec structs stay interpreted: the structs themselves are C.
MODULES = (
    "churn/bands.py",
    "churn/bgnbd.py",
    "churn/features.py",
    "churn/fold.py",
    "churn/reasons.py",
    "churn/rfm.py",
    "churn/score.py",
    "churn/silence.py",
    "engine/actor.py",
    "engine/concern.py",
    "engine/difference.py",
    "engine/fold.py",
    "engine/head.py",
    "engine/links.py",
    "engine/packing.py",
    "engine/partition.py",
    "engine/plan.py",
    "engine/predicates.py",
    "engine/profile.py",
    "engine/publication.py",
    "engine/risk_fold.py",
    "engine/risk_publication.py",
    "engine/risk_track.py",
    "engine/segments.py",
    "engine/standing.py",
    "engine/tallies.py",
    "engine/timeline.py",
    "events/admission.py",
    "events/identifiers.py",
    "events/log.py",
    "events/normalisation.py",
    "events/plain.py",
    "events/times.py",
    "events/wire.py",
    "worker/batch.py",
    "worker/building.py",
    "worker/merge.py",
    "worker/murmur.py",
    "worker/outbox.py",
    "worker/routing.py",
)


def main() -> None:
    """Build every module of MODULES beside its source."""
    os.chdir(SOURCE)
    # Some processors can round once where the sources say twice; a score must not depend on who was compiled.
    os.environ["CFLAGS"] = f"{os.environ.get('CFLAGS', '')} -ffp-contract=off"
    files = [f"journey_stream/{module}" for module in MODULES]
    sys.argv = ["compile", "--quiet", "build_ext", "--inplace"]
    setup(name="journey-stream-compiled", packages=[], ext_modules=mypycify(files, opt_level="3"))
    shutil.rmtree(SOURCE / "build", ignore_errors=True)


if __name__ == "__main__":
    main()
