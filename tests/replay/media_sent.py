"""What vendors were sent for pictures, speech, transcripts and moderations, held to what the recorded client had sent.

A form is its fields, whatever stands between them; an address says something, too.
"""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.mock.connection import Request
from tests.replay import forms
from tests.replay.traffic import Recording

Json = dict[str, Any]

# Of a recording without a language its vendor is asked to find that: a rule of our own.
_OURS = frozenset({"detect_language"})


def media_meant(recording: Recording, request: Request) -> tuple[Json, Json]:
    """(what was recorded, what was sent) as fields that can be compared."""
    if isinstance(recording.request, dict):
        before, after = dict(recording.request), dict(request.body)
    else:
        sent = request.body["unreadable"].encode("latin-1") if isinstance(request.body, dict) else b""
        before, after = _of_form(recording.raw_request), _of_form(sent)
    if "contents" in before:
        before.pop("model", None)  # it stands in the address
    return (
        {**before, "query": _of_query(urlsplit(recording.url).query)},
        {**after, "query": _of_query(request.query)},
    )


def _of_form(body: bytes) -> Json:
    return {field.name: (field.content, field.filename is not None) for field in forms.read(body)}


def _of_query(query: str) -> list[tuple[str, str]]:
    return sorted(pair for pair in parse_qsl(query) if pair[0] not in _OURS)
