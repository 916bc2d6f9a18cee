"""What schemathesis does not know by itself: how lines of JSON are sent."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: object, value: object) -> bytes:
    """The text as it is: a line that is no note is answered with an error of its own."""
    return value if isinstance(value, bytes) else str(value).encode()
