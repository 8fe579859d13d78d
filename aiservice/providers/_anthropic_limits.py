"""The limits that Anthropic's wire tells of (platform.claude.com/docs/en/api/rate-limits): buckets that fill up
continuously, told in headers of every reply, each with the moment (RFC 3339) at which it is full again."""

import re
from collections.abc import Mapping

from aiservice.providers._limit_headers import MINUTE, Row, amount, notes_of
from aiservice.wire import HttpReply, QuotaMeasure, QuotaNote

_MEASURES: tuple[tuple[QuotaMeasure, str], ...] = (
    ("requests", "requests"),
    ("input_tokens", "input-tokens"),
    ("output_tokens", "output-tokens"),
)
_ROWS = tuple(
    Row(
        measure,
        MINUTE,
        f"anthropic-ratelimit-{name}-limit",
        f"anthropic-ratelimit-{name}-remaining",
        f"anthropic-ratelimit-{name}-reset",
    )
    for measure, name in _MEASURES
)
# Of both kinds of tokens together: older accounts have only this one; beside the others it is their tighter one again.
_TOGETHER = (
    Row(
        "tokens",
        MINUTE,
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ),
)
_SIGN, _SIGN_OF_KINDS = "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-input-tokens-limit"
# "This request would exceed the rate limit for your organization … of 30,000 input tokens per minute."
_WORDS = re.compile(rb"of ([\d,]{1,15}) (requests|tokens|input tokens|output tokens) per minute")


def quota_in(headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
    """The limits that the headers of a reply tell of. A `retry-after` on a good answer is none: it says nothing."""
    if _SIGN not in headers and "anthropic-ratelimit-tokens-limit" not in headers:
        return ()
    rows = _ROWS if _SIGN_OF_KINDS in headers else (*_ROWS, *_TOGETHER)
    return notes_of(rows, headers)


def quota_in_refusal(reply: HttpReply) -> tuple[QuotaNote, ...]:
    """The limits that a 429 tells of, in its headers or its words."""
    notes = quota_in(reply.headers)
    words = _WORDS.search(reply.body)
    if words is None:
        return notes
    measure: QuotaMeasure = words[2].decode().replace(" ", "_")  # type: ignore[assignment]
    if any(note.measure == measure for note in notes):
        return notes
    return (*notes, QuotaNote(measure, MINUTE, amount(words[1].decode().replace(",", ""))))
