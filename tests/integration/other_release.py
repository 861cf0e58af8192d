"""A worker of a release that reads another format of state: `python -m tests.integration.other_release CONFIG N`."""

import sys

from journey_stream.engine import partition
from journey_stream.worker import run

if __name__ == "__main__":
    partition.STATE_FORMAT = int(sys.argv[2])
    sys.exit(run.main(sys.argv[1:2]))
