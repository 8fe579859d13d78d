"""Claude by its maker's own wire (InvokeModel): for a client that speaks it, and for what Converse has no word for.

The body is Anthropic's without `model` and `stream`, with `anthropic_version`, and with the beta names of its header;
a stream is the maker's events, each as base64 in a frame (docs.aws.amazon.com/bedrock, "model-parameters-claude").
"""

import base64
from typing import Any, Final

from aiservice.kit.bounded_json import loads
from aiservice.providers._anthropic_request import messages_body
from aiservice.providers._anthropic_stream import MessagesStreamReader
from aiservice.providers._anthropic_tools import wants_json_tool
from aiservice.providers._base import AttemptFailed, StreamReader
from aiservice.providers._bedrock.frames import BadFrame, Frame, FrameSplitter
from aiservice.providers._bedrock.stream import failure_in, payload_of
from aiservice.providers._failures import invalid_answer
from aiservice.wire import MESSAGES_WIRE, Ask, AttemptFailure, EventKind, Json, StreamEvent

VERSION: Final = "bedrock-2023-05-31"
_BETA: Final = "anthropic-beta"
_NOT_IN_BODY: Final = frozenset({"model", "stream"})


def is_native(ask: Ask) -> bool:
    """Whether the client's own body is of this wire."""
    return ask.wire == MESSAGES_WIRE and ask.native is not None


def needs_invoke(ask: Ask) -> bool:
    """Whether Converse has no word for what is asked of Claude: no call at all where calls stand in the messages, or
    at most one."""
    chat = ask.body
    if not chat.get("tools"):
        return False
    if chat.get("parallel_tool_calls") is False:
        return True
    messages = chat.get("messages")
    return chat.get("tool_choice") == "none" and any(map(_has_call, messages if isinstance(messages, list) else ()))


def invoke_body(ask: Ask, model: str) -> Json:
    """The body for `model`.

    Raises:
        AttemptFailed: `ask` holds something that the model cannot carry (named in `param`).
    """
    given = ask.native if is_native(ask) and ask.native is not None else messages_body(ask, model)
    body = {name: value for name, value in given.items() if name not in _NOT_IN_BODY}
    body["anthropic_version"] = VERSION
    betas = [beta.strip() for name, value in ask.native_headers if name == _BETA for beta in value.split(",")]
    known = body.get("anthropic_beta")
    betas = [*(known if isinstance(known, list) else ()), *filter(None, betas)]
    if betas:
        body["anthropic_beta"] = list(dict.fromkeys(betas))
    return body


def is_json_tool(ask: Ask) -> bool:
    """Whether the tool which stands for JSON mode was asked for."""
    return not is_native(ask) and wants_json_tool(ask.body)


class InvokeStreamReader(StreamReader):
    """One stream: its frames are opened, and what is in them is read as Anthropic's own stream."""

    __slots__ = ("_has_failed", "_reader", "_splitter")

    def __init__(self, *, keeps_frames: bool, is_json_tool: bool) -> None:
        self._reader = MessagesStreamReader(keeps_frames=keeps_frames, is_json_tool=is_json_tool)
        self._splitter = FrameSplitter()
        self._has_failed = False

    @property
    def is_finished(self) -> bool:  # type: ignore[override]  # the inner reader knows
        return self._reader.is_finished

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        if self._has_failed:
            return []
        events: list[StreamEvent] = []
        try:
            for frame in self._splitter.feed(chunk):
                events += self._read(frame)
        except BadFrame as exc:
            events.append(self._failed(invalid_answer(f"in its stream {exc}")))
        except AttemptFailed as exc:
            events.append(self._failed(exc.failure))
        return events

    def end(self) -> list[StreamEvent]:
        return [] if self._has_failed else self._reader.end()

    def _read(self, frame: Frame) -> list[StreamEvent]:
        if self._has_failed:
            return []
        said = payload_of(frame)
        if frame.kind != "event":
            return [self._failed(failure_in(frame, said))]
        return self._reader.feed(_as_sse(said.get("bytes")))

    def _failed(self, failure: AttemptFailure) -> StreamEvent:
        self._has_failed = True
        return StreamEvent(EventKind.ERROR, failure=failure)


def _as_sse(blob: Any) -> bytes:
    """An event of Anthropic's as it comes over its own API.

    Raises:
        AttemptFailed: the blob holds none.
    """
    try:
        event = base64.b64decode(blob if isinstance(blob, str) else "?", validate=True)
        said = loads(event)
    except ValueError:
        said = None
    kind = said.get("type") if isinstance(said, dict) else None
    if not isinstance(kind, str) or b"\n" in event or b"\r" in event or not kind.isidentifier():
        raise AttemptFailed(invalid_answer("its stream held something that is no event"))
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), event)


def _has_call(message: Any) -> bool:
    return isinstance(message, dict) and (bool(message.get("tool_calls")) or message.get("role") == "tool")
