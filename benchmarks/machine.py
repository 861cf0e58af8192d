"""What a result was measured on and with. No host name: it says nothing."""

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from journey_stream.engine import partition
from tests.support.kafka_files import find_java, kafka_version

PACKAGES = ("aiokafka", "pydantic", "msgspec", "quixstreams", "faust-streaming", "confluent-kafka")


def description() -> str:
    """One line: date, processor, memory and versions."""
    java = find_java()
    runtime = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr if java else ""
    found = re.search(r'version "([^"]+)"', runtime)
    packages = ", ".join(f"{name} {installed}" for name in PACKAGES if (installed := _version(name)))
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores ({_processor()}), "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB; {platform.system()} {platform.release().split('-')[0]}; "
        f"Python {platform.python_version()} ({_python_build()}), Java {found[1] if found else 'none'}; "
        f"Apache Kafka and Kafka Streams {kafka_version()}; {packages}; "
        f"our hot path {'compiled (make compile)' if _compiled() else 'as plain Python'}; "
        "broker, contestant and observer share the machine"
    )


def _python_build() -> str:
    # An interpreter made without profile-guided optimisation is a third slower, and pyenv's default is such a one.
    return "the operating system's package" if sys.base_prefix == "/usr" else "a build of its own"


def _compiled() -> bool:
    return not (partition.__file__ or "").endswith(".py")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    return found[1] if found else platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
