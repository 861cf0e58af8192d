#!/usr/bin/env python3
"""Whether the process in this container lives: the worker's /healthz, or the live map's. Ends with 0, or 1 and why.

Ports are read from JOURNEY_METRICS_PORT and JOURNEY_SERVE_PORT, not from the settings' file: give a container that
uses others these variables. Nothing but the standard library is imported, for this runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request

PORTS = {"JOURNEY_METRICS_PORT": "9464", "JOURNEY_SERVE_PORT": "8600"}
ANSWER_SECONDS_MAX = 6.0
"""Longer than the 5 s that a worker gives its event loop before it says that it does not answer."""


def main() -> int:
    """Ask each port. The first that says anything decides: a container has one process."""
    for variable, usual in PORTS.items():
        url = f"http://127.0.0.1:{os.environ.get(variable, usual)}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX):
                return 0
        except urllib.error.HTTPError as error:
            print(f"{url} says {error.code}: {error.read(500).decode(errors='replace').strip()}")
            return 1
        except TimeoutError:
            print(f"{url} has not answered within {ANSWER_SECONDS_MAX:g} s")
            return 1
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                print(f"{url} has not answered within {ANSWER_SECONDS_MAX:g} s")
                return 1
    print("nothing listens on the ports of " + " and ".join(PORTS))
    return 1


if __name__ == "__main__":
    sys.exit(main())
