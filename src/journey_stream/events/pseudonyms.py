"""Pseudonyms: what the log and all that follows holds in place of an identifier's value.

The same value gives the same pseudonym for as long as the key is the same, so everything works as before; whoever does
not have the key can neither find the value in it nor check a guess.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Final, final

import msgspec

KEY_BYTES_MIN: Final = 32
"""As long as the hash: with less, the key would be the weakest part."""

_BYTES: Final = 16
_PSEUDONYM: Final = re.compile(r"hmac-[0-9a-f]{32}")


@final
class Pseudonyms:
    """Makes the pseudonyms of identifiers of `kinds`; `key` of at least KEY_BYTES_MIN bytes.

    `drop_properties` are left out of every touchpoint that goes on.
    """

    __slots__ = ("_key", "drop_properties", "kinds")

    def __init__(self, key: bytes, kinds: Iterable[str], drop_properties: Iterable[str] = ()) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise ValueError(f"a key of {len(key)} bytes; expected at least {KEY_BYTES_MIN}")
        self._key = key
        self.kinds = frozenset(kinds)
        self.drop_properties = frozenset(drop_properties)

    def of(self, kind: str, value: str) -> str:
        """`hmac-` and the first 128 bits of HMAC-SHA256 over `kind:value`, in hexadecimal; `value` is normalised."""
        digest = hmac.digest(self._key, f"{kind}:{value}".encode(), "sha256")
        return "hmac-" + digest[:_BYTES].hex()


def is_pseudonym(value: str) -> bool:
    """Whether a value has the form of a pseudonym: it is then taken as one, and stays as it is."""
    return value.startswith("hmac-") and _PSEUDONYM.fullmatch(value) is not None


class _Kept(msgspec.Struct):
    """What goes on of a touchpoint, as it was written: all fields of the contract but those that say who it was."""

    event_id: msgspec.Raw
    occurred_at: msgspec.Raw
    channel: msgspec.Raw
    type: msgspec.Raw
    campaign: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    currency: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    properties: dict[str, msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    schema_version: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_kept: Final = msgspec.json.Decoder(_Kept).decode


def rewritten(value: bytes, identifiers: dict[str, str], drop_properties: frozenset[str]) -> bytes:
    """An admitted touchpoint's bytes with other identifiers, and without fields that the contract does not name."""
    kept = _decode_kept(value)
    fields = {name: getattr(kept, name) for name in _Kept.__struct_fields__}
    document = {name: raw for name, raw in fields.items() if raw is not msgspec.UNSET}
    if drop_properties and isinstance(kept.properties, dict):
        document["properties"] = {name: raw for name, raw in kept.properties.items() if name not in drop_properties}
    return msgspec.json.encode({**document, "identifiers": identifiers})
