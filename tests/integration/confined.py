"""A process as it is in a container: another user without rights, and a file system that it cannot write."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

USER = 10001

# What shall stay writable is mounted on itself first: it keeps that when its surroundings lose it.
_SCRIPT = """
set -e
mount --make-rprivate /
for directory in $WRITABLE; do mount --bind "$directory" "$directory"; done
awk '$5 !~ "^/(proc|sys|dev)" {print $5}' /proc/self/mountinfo | sort | while read -r place; do
  for directory in $WRITABLE; do [ "$place" = "$directory" ] && continue 2; done
  mount -o remount,bind,ro "$place" 2>/dev/null || true
done
unset WRITABLE
if (: >/confined-to-nothing) 2>/dev/null; then echo "the root can be written" >&2; exit 99; fi
cd "$PWD"
# To read is left to it, since nobody else may read where tests put their files.
reads=-all,+dac_read_search
exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \
  --inh-caps=$reads --ambient-caps=$reads --bounding-set=$reads "$@"
"""


def confined(command: Sequence[str], *writable: Path) -> list[str]:
    """The command that runs `command` so; it writes to `writable` alone, which become its user's.

    Skips the test where that cannot be set up: it takes Linux, root, and the right to mount.
    """
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv"))):
        pytest.skip("a read-only root takes Linux's unshare and setpriv, and root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a read-only root takes the right to mount")
    for directory in writable:
        shutil.chown(directory, USER, USER)
    named = " ".join(str(directory.resolve()) for directory in writable)
    return ["env", f"WRITABLE={named}", "unshare", "--mount", "sh", "-c", _SCRIPT, "sh", *command]
