"""Events as lines of JSON, as people write them and `trunkline tail` prints them."""

from __future__ import annotations

import msgspec

from schemas.errors import DecodeError
from schemas.events import BY_NAME
from schemas.fields import Event
from schemas.topics import Topic


def event_of_line(line: bytes, topic: Topic) -> Event:
    """Return the event of a line: of the fields alone, beside its `type`, or under "event", as `tail` prints it.

    Raises DecodeError and msgspec.MsgspecError where the line is no event of the topic.
    """
    data = msgspec.json.decode(line)
    if not isinstance(data, dict):
        raise DecodeError("invalid_fields", "a line must be a JSON object")
    name = data.pop("type", None)
    fields = data["event"] if isinstance(data.get("event"), dict) else data
    names = [kind.__name__ for kind in topic.types]
    if name is None and len(names) == 1:
        name = names[0]
    if name not in names:
        wanted = f'"type" must be one of {", ".join(names)}' if name is None else f"{name!r} does not belong on it"
        raise DecodeError("unexpected_type", f"{topic.name} carries {', '.join(names)}: {wanted}")
    unknown = set(fields) - set(BY_NAME[name].__struct_fields__)
    if unknown:
        raise DecodeError("invalid_fields", f"{name} has no field {', '.join(sorted(unknown))}")
    return msgspec.convert(fields, BY_NAME[name])
