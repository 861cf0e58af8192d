"""Values as the clients of a schema registry frame them: a 0 byte, the id of a schema in four bytes, then the value.

No JSON begins with a 0 byte, so readers need not know whether somebody uses a registry: they drop the frame.
"""

from base64 import b64encode
from typing import Final

MAGIC: Final = b"\0"
FRAME_BYTES: Final = 5
SCHEMA_ID_MAX: Final = 2**32 - 1


def frame_of(schema_id: int) -> bytes:
    """What stands before every value that is written by this schema."""
    return MAGIC + schema_id.to_bytes(FRAME_BYTES - len(MAGIC), "big")


def unframed(value: bytes) -> bytes:
    """The value itself; as it is if it has no frame."""
    return value[FRAME_BYTES:] if value[:1] == MAGIC else value


def with_frame(touchpoint: bytes, frame: bytes) -> bytes:
    """A touchpoint as the last member of a log value, and after it its frame as one more.

    So what is framed costs those nothing who frame nothing, and a dead letter can give back the original bytes.
    """
    return touchpoint + _member(frame)


def original_with_frame(member: bytes, frame: bytes) -> bytes:
    """The original of what `with_frame` made, whose frame is known by now."""
    return frame + member.removesuffix(_member(frame))


def _member(frame: bytes) -> bytes:
    return b',"frame":"%b"' % b64encode(frame)
