"""A cluster of PostgreSQL of the tests' own, in a temporary directory and on a loopback port."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.support.kafka import free_port

USER = "postgres"
OPTIONS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 -c shared_buffers=32MB"


# A language in which texts are not in the order of their bytes.
ORDER = ("--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US")


class Postgres:
    """`database` makes an empty one and returns its address; `user` needs no password."""

    user = USER

    def __init__(self, port: int) -> None:
        self.port = port
        self._numbers = count(1)

    def database(self) -> str:
        name = f"map_{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"


def programs() -> Path | None:
    """The directory of initdb and pg_ctl, of the newest release that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).resolve().parent


def why_not() -> str | None:
    """What keeps a cluster from being started here, if anything does."""
    if programs() is None:
        return "PostgreSQL is not installed here (Debian's package postgresql)"
    if os.geteuid() == 0 and shutil.which("runuser") is None:
        return "PostgreSQL does not run as root, and there is no runuser to run it as another user"
    return None


@contextmanager
def cluster() -> Iterator[Postgres]:
    bin_ = programs()
    assert bin_ is not None
    directory = Path(tempfile.mkdtemp(prefix="journey-postgres-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(directory, USER, USER)
        as_user = ["runuser", "-u", USER, "--"]

    def run(program: str, *arguments: str) -> None:
        command = [*as_user, str(bin_ / program), *arguments]
        subprocess.run(command, check=True, cwd=directory, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"})

    data, port = str(directory / "data"), free_port()
    try:
        run("initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", *ORDER, "--no-sync")
        options = f"{OPTIONS} -c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={directory}"
        run("pg_ctl", "-D", data, "-w", "-l", str(directory / "log"), "-o", options, "start")
        try:
            yield Postgres(port)
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
