"""The key of the pseudonyms: where it is read, and what is said when it is missing or too short."""

from journey_stream.events.pseudonyms import KEY_BYTES_MIN, Pseudonyms
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError

_MAKE_ONE = "make one with `openssl rand -hex 32`, keep it as you keep passwords, and give every router the same one"


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """What the settings ask for; None if nothing is pseudonymised. Raises WorkerError if the key is of no use."""
    if not settings.pseudonymise:
        return None
    if settings.pseudonym_key is not None:
        key, place = settings.pseudonym_key.get_secret_value().strip().encode(), "pseudonym_key (JOURNEY_PSEUDONYM_KEY)"
    elif settings.pseudonym_key_file is not None:
        place = f"the pseudonym_key_file {settings.pseudonym_key_file}"
        try:
            key = settings.pseudonym_key_file.read_bytes().strip()
        except OSError as error:
            raise WorkerError(f"{place} cannot be read: {error.strerror}; {_MAKE_ONE}") from error
    else:
        kinds = ", ".join(settings.pseudonymise)
        raise WorkerError(
            f"pseudonymise names {kinds}, and there is no key: expected pseudonym_key_file, or JOURNEY_PSEUDONYM_KEY; "
            f"{_MAKE_ONE}"
        )
    if len(key) < KEY_BYTES_MIN:
        raise WorkerError(f"{place} has {len(key)} bytes; expected at least {KEY_BYTES_MIN}; {_MAKE_ONE}")
    return Pseudonyms(key, settings.pseudonymise, settings.drop_properties)
