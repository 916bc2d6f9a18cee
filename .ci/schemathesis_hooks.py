"""What schemathesis does not know by itself: how lines of JSON are sent, and which model there is."""

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_context: object, value: object) -> bytes:
    """The text as it is: a line that is no note is answered with an error of its own."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def map_body(_context: object, body: object) -> object:
    """A request for any other model is refused, and the document cannot say which models a server has."""
    if isinstance(body, dict) and isinstance(body.get("model"), str):
        body["model"] = "medical-ie"
    return body
