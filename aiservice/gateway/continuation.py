"""A stream that another provider goes on with after the first broke off, from the text that the client was given.

Only where the client asked for it; never inside a tool call, nor with thoughts of another vendor: what is carried over
is text, as an answer of ours that we ask to be continued.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aiservice.dialects._base import ClientRequest
from aiservice.errors import InvalidRequest
from aiservice.wire import AI_SERVICE_WIRE, Ask, EventKind, Json, StreamEvent, Usage

_GO_ON = (
    "Your last message was cut off. Go on exactly where it ends, in the middle of the word if need be. Repeat nothing "
    "of it, say nothing about this, and end as you would have ended."
)
_HEADER = b"x-aiservice-continue"
_LIMITS = ("max_tokens", "max_completion_tokens")
_WHOLE_FORMATS = frozenset({"json_object", "json_schema"})


@dataclass(slots=True)
class Given:
    """What the broken parts gave: their tokens, what those cost (None: nobody knows), and what was counted of them."""

    usage: Usage
    cost_nano_usd: int | None
    counted_tokens: int


class Continuation:
    """What has been delivered of one stream. `given` is None until a part has broken off."""

    __slots__ = ("_has_called", "_has_refused", "_pieces", "broken", "given")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._has_called = self._has_refused = False
        self.broken: set[str] = set()  # ids of the connections that broke off
        self.given: Given | None = None

    def note(self, events: Iterable[StreamEvent]) -> None:
        """Keeps the text of events that go to the client."""
        for event in events:
            if event.kind is EventKind.TEXT:
                self._pieces.append(event.text)
            elif event.kind is EventKind.TOOL_CALL:
                self._has_called = True
            elif event.kind is EventKind.REFUSAL:
                self._has_refused = True

    def next_ask(self, ask: Ask, spent_tokens: int) -> Ask | None:
        """The request for the rest; None where the answer cannot be gone on with: a tool was called, it has to be one
        valid document, there are several answers, or it is only in words of its own wire."""
        body = ask.body
        if self._has_called or self._has_refused or ask.kind != "chat" or ask.uncarried or not _is_plain(body):
            return None
        limits = {name: body[name] - spent_tokens for name in _LIMITS if type(body.get(name)) is int}
        if any(left < 1 for left in limits.values()):
            return None
        messages = list(body.get("messages") or ())
        if text := "".join(self._pieces):
            messages += [{"role": "assistant", "content": text}, {"role": "user", "content": _GO_ON}]
        # Of a wire that no provider speaks: what comes is told in events, never in another answer's frames.
        return replace(
            ask, body={**body, **limits, "messages": messages}, wire=AI_SERVICE_WIRE, native=None, native_headers=()
        )


def continuation_of(request: ClientRequest, headers: Iterable[tuple[bytes, bytes]]) -> Continuation | None:
    """A stream's, where its body or its headers ask for it.

    Raises:
        InvalidRequest: the header says neither yes nor no.
    """
    for name, value in headers:
        if name == _HEADER:
            if value not in (b"true", b"false"):
                raise InvalidRequest("'x-aiservice-continue' must be 'true' or 'false'.", param="x-aiservice-continue")
            return Continuation() if value == b"true" and request.ask.is_stream else None
    return Continuation() if request.continues and request.ask.is_stream else None


def _is_plain(body: Json) -> bool:
    shape = body.get("response_format")
    is_document = isinstance(shape, dict) and shape.get("type") in _WHOLE_FORMATS
    return not is_document and body.get("n") in (None, 1) and not body.get("logprobs") and not body.get("audio")
