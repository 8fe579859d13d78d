"""An answer as the cache keeps it: what a provider said, in our form, so that it is written anew for who gets it.

    packed = 0 || length of the head (4 bytes) || head || the bytes that a provider wrote, as they are
    head   = {"v": 2, "connection": its id, "model", "finish", "saved": [tokens, nano USD, µs],
              "whole": {"body", "is_raw", "wire", "model"} or "batches": [[event, …], …]}

Kept is what was said, not what was sent: ids and times of an answer in our own words are those of who gets it, and
bytes that a provider wrote stay as they are, but for the counts of their usage.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from aiservice.dialects._unbilled import unbilled, unbilled_bytes, unbilled_frame
from aiservice.services.cache_tally import Saved
from aiservice.wire import Answer, EventKind, FinishReason, StreamEvent, ToolCallDelta, Usage

_FORMAT = 2
_MARK = b"\0"  # what the release before wrote began with a brace
_KINDS = {kind.value: kind for kind in EventKind}
Batches = list[list[StreamEvent]]


class Said(NamedTuple):
    """An answer, or the batches of a stream, and where it came from."""

    connection_id: str
    model: str
    finish_reason: FinishReason | None
    saved: Saved
    answer: Answer | None
    batches: Batches


def pack(said: Said, wire: str, *, keeps_text: bool = False) -> bytes | None:
    """The bytes of an answer that is given `free`; None where it has no such form (a stream's provider sent bytes that
    are no text). `wire` is what its client speaks: of an answer in that wire the provider's own bytes are enough,
    unless what it says is to be compared (`keeps_text`)."""
    about: dict[str, Any] = {
        "v": _FORMAT,
        "connection": said.connection_id,
        "model": said.model,
        "finish": said.finish_reason,
        "saved": [said.saved.tokens, said.saved.cost_nano_usd, said.saved.took_us],
    }
    answer, raw = said.answer, None
    try:
        if answer is not None:
            raw = answer.raw
            is_enough = raw is not None and answer.raw_wire == wire and not keeps_text
            body = {} if is_enough else answer.body
            is_raw = raw is not None
            about["whole"] = {"body": body, "is_raw": is_raw, "wire": answer.raw_wire, "model": answer.model}
        else:
            about["batches"] = [[_event_json(event) for event in batch] for batch in merged(said.batches)]
        head = orjson.dumps(about)
    except (TypeError, ValueError):  # UnicodeDecodeError is one
        return None
    return b"".join((_MARK, len(head).to_bytes(4), head, raw or b""))


def unpack(packed: bytes) -> Said | None:
    """What `pack` was given; None where another release wrote it otherwise."""
    end = 5 + int.from_bytes(packed[1:5])
    if packed[:1] != _MARK or len(packed) < end:
        return None
    about = orjson.loads(packed[5:end])
    if about["v"] != _FORMAT:
        return None
    finish, answer = about["finish"], None
    if (whole := about.get("whole")) is not None:
        raw = packed[end:] if whole["is_raw"] else None
        answer = Answer(whole["body"], whole["model"], finish, Usage(), raw, raw_wire=whole["wire"])
    batches = [[_event(values) for values in batch] for batch in about.get("batches", ())]
    return Said(about["connection"], about["model"], finish, Saved(*about["saved"]), answer, batches)


def text_of(said: Said) -> str:
    """What an answer of one choice says; "" where it is more than text."""
    if said.finish_reason != "stop":
        return ""
    if said.answer is None:
        events = [event for batch in said.batches for event in batch]
        if any(event.choice or event.tool_call is not None for event in events):
            return ""
        return "".join(event.text for event in events if event.kind is EventKind.TEXT)
    choices: list[Any] = said.answer.body.get("choices") or []
    message = choices[0].get("message") if len(choices) == 1 and isinstance(choices[0], dict) else None
    text = message.get("content") if isinstance(message, dict) else None
    return text if isinstance(text, str) else ""


def free_answer(answer: Answer) -> Answer:
    """The answer, for who is not billed for it."""
    return replace(
        answer,
        body=unbilled(answer.body),
        raw=None if answer.raw is None else unbilled_bytes(answer.raw),
        usage=Usage(),
        is_usage_valid=True,
    )


def free_events(events: list[StreamEvent]) -> list[StreamEvent]:
    """Events of a stream, likewise; the same list where they say nothing of usage."""
    if not any(map(_says_usage, events)):
        return events
    return [_free_event(event) if _says_usage(event) else event for event in events]


def _says_usage(event: StreamEvent) -> bool:
    """Whether an event may say what was used. OpenAI's frames all have the word, with nothing behind it but once."""
    frame = event.frame
    if event.usage is not None or frame is None:
        return event.usage is not None
    return b'"usage' in frame and b'"usage' in frame.replace(b'"usage":null', b"").replace(b'"usage": null', b"")


def _free_event(event: StreamEvent) -> StreamEvent:
    return replace(
        event,
        usage=None if event.usage is None else Usage(),
        frame=None if event.frame is None else unbilled_frame(event.frame),
    )


def merged(batches: Batches) -> Batches:
    """The same events in as few batches as say the same: a writer skips what has no frame behind what has one, so the
    two are not mixed."""
    found: Batches = []
    was_framed: bool | None = None
    for batch in batches:
        is_framed = batch[0].frame is not None
        if not is_framed and any(event.frame is not None for event in batch):
            was_framed = None  # mixed by its provider: it stays as it is
            found.append(batch)
        elif is_framed is was_framed:
            found[-1] = found[-1] + batch
        else:
            was_framed = is_framed
            found.append(batch)
    return found


def _event_json(event: StreamEvent) -> list[Any]:
    call = event.tool_call
    return [
        event.kind.value,
        event.text,
        event.choice,
        None if call is None else [call.index, call.call_id, call.name, call.arguments, call.extra_content],
        event.finish_reason,
        None if event.frame is None else event.frame.decode(),
        event.details,
        event.usage is not None,
    ]


def _event(values: list[Any]) -> StreamEvent:
    kind, text, choice, call, finish, frame, details, has_usage = values
    return StreamEvent(
        _KINDS[kind],
        text,
        choice,
        None if call is None else ToolCallDelta(*call),
        finish,
        Usage() if has_usage else None,
        None,
        None if frame is None else frame.encode(),
        details,
    )
