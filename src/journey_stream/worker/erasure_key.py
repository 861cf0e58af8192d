"""The key of journey.erasures, and how its records are laid out."""

from typing import Final

from journey_stream.events.erasures import ErasureKey
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError

ERASURES_PARTITION: Final = 0
"""There is one: every router reads all of it, and there are few."""


def erasure_key_of(settings: Settings) -> ErasureKey:
    """The key that the settings name; without one, the application id. Raises WorkerError if it is of no use."""
    if settings.erasure_key is not None:
        return ErasureKey(settings.erasure_key.get_secret_value().strip().encode())
    if settings.erasure_key_file is None:
        return ErasureKey(settings.application_id.encode())
    place = f"the erasure_key_file {settings.erasure_key_file}"
    how = (
        "write a secret into it that stays the same for as long as erasures count, such as that of openssl rand -hex 32"
    )
    try:
        secret = settings.erasure_key_file.read_bytes().strip()
    except OSError as error:
        raise WorkerError(f"{place} cannot be read: {error.strerror}; {how}") from error
    if not secret:
        raise WorkerError(f"{place} is empty; {how}")
    return ErasureKey(secret)


def erasure_record_key(name: bytes) -> bytes:
    """The key of the record: the name of an erased identifier in hexadecimal."""
    return name.hex().encode()
