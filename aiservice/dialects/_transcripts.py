"""A transcript in the form that its client wants, where the provider knows only its own: JSON, text, SRT, WebVTT."""

from typing import Any

import orjson

from aiservice.wire import Json

_TEXT = "text/plain; charset=utf-8"


def rendered(body: Json, wanted: str) -> tuple[bytes, str]:
    """(bytes, media type) of the transcript `{"text", "language"?, "duration"?, "segments"?, "words"?, "usage"?}`;
    times are seconds. The type is empty where it is JSON."""
    text = body.get("text", "")
    if wanted == "text":
        return f"{text}\n".encode(), _TEXT
    if wanted in ("srt", "vtt"):
        return _subtitles(_segments(body), is_vtt=wanted == "vtt").encode(), _TEXT
    if wanted == "json":
        kept = {name: body[name] for name in ("text", "usage") if name in body}
        return orjson.dumps(kept), ""
    return orjson.dumps({"task": "transcribe", **body}), ""


def _segments(body: Json) -> list[Any]:
    found = body.get("segments")
    if isinstance(found, list) and found:
        return found
    return [{"start": 0.0, "end": body.get("duration") or 0.0, "text": body.get("text", "")}]


def _subtitles(segments: list[Any], *, is_vtt: bool) -> str:
    """WebVTT (w3.org/TR/webvtt1) or SubRip: the same but for the head, the numbers and the mark before milliseconds."""
    mark = "." if is_vtt else ","
    pieces = ["WEBVTT\n"] if is_vtt else []
    for number, one in enumerate(segments, start=1):
        times = f"{_time(one['start'], mark)} --> {_time(one['end'], mark)}\n{str(one['text']).strip()}\n"
        pieces.append(times if is_vtt else f"{number}\n{times}")
    return "\n".join(pieces) + "\n"


def _time(seconds: float, mark: str) -> str:
    whole = max(0, round(seconds * 1000))
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{mark}{whole % 1000:03}"
