"""The limits that OpenAI's wire tells of, and those who speak it: OpenAI, Azure, Groq, Mistral, xAI, Together, Cohere,
OpenRouter. Read off recorded traffic, where there was any; the rest is their documentation's."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.providers._limit_headers import DAY, MINUTE, MONTH, Row, amount, notes_of
from aiservice.wire import HttpReply, QuotaMeasure, QuotaNote

_NAMES: tuple[tuple[QuotaMeasure, str], ...] = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("requests", "project-requests"),
    ("tokens", "project-tokens"),
    ("tokens", "tokens_usage_based"),
    ("tokens", "tokens-usage-based"),
)
_OPENAI = tuple(
    Row(measure, MINUTE, f"x-ratelimit-limit-{name}", f"x-ratelimit-remaining-{name}", f"x-ratelimit-reset-{name}")
    for measure, name in _NAMES
)
_GROQ = (_OPENAI[0]._replace(window_seconds=DAY), _OPENAI[1])  # requests a day, tokens a minute
_MISTRAL = (
    Row("requests", MINUTE, "x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute"),
    Row("requests", 10, "x-ratelimit-limit-req-10-second", "x-ratelimit-remaining-req-10-second"),
    Row("tokens", MINUTE, "x-ratelimit-limit-tokens-minute", "x-ratelimit-remaining-tokens-minute"),
    Row("tokens", MONTH, "x-ratelimit-limit-tokens-month", "x-ratelimit-remaining-tokens-month"),
)
_MISTRAL_BEFORE = (
    Row("tokens", MINUTE, "ratelimitbysize-limit", "ratelimitbysize-remaining", "ratelimitbysize-reset"),
    Row("tokens", MONTH, "x-ratelimitbysize-limit-month", "x-ratelimitbysize-remaining-month"),
)
_TOGETHER = (Row("requests", 1, "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),)
_COHERE = (
    Row("requests", MINUTE, "x-trial-endpoint-call-limit", "x-trial-endpoint-call-remaining"),
    Row("requests", MONTH, "x-endpoint-monthly-call-limit", "x-endpoint-monthly-call-remaining"),
)
# By a header that only replies with the table's limits have; the first that is there decides.
_TABLES: tuple[tuple[str, tuple[Row, ...]], ...] = (
    ("x-ratelimit-limit-requests", _OPENAI),
    ("x-ratelimit-limit-tokens", _OPENAI),
    ("x-ratelimit-limit-req-minute", _MISTRAL),
    ("x-ratelimit-limit-tokens-minute", _MISTRAL),
    ("ratelimitbysize-limit", _MISTRAL_BEFORE),
    ("x-ratelimit-limit", _TOGETHER),
    ("x-trial-endpoint-call-limit", _COHERE),
    ("x-endpoint-monthly-call-limit", _COHERE),
)
_SIGNS = frozenset(sign for sign, _ in _TABLES)
# "Rate limit reached for gpt-4o … on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500."
_WORDS = re.compile(
    r"on (requests|tokens|input tokens|output tokens) per (min|day)[^:]{0,20}: "
    r"Limit (\d{1,13}(?:,\d{3})*)(?:, Used (\d{1,13}(?:,\d{3})*))?"
)


def quota_in(headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
    """The limits that the headers of a reply tell of."""
    if _SIGNS.isdisjoint(headers):
        return ()
    for sign, rows in _TABLES:
        if sign in headers:
            if rows is _OPENAI:
                return _of_openai(headers)
            return notes_of(rows, headers)
    return ()


def quota_in_refusal(reply: HttpReply) -> tuple[QuotaNote, ...]:
    """The limits that a 429 tells of: in headers, in OpenAI's words, or in the headers of another provider that
    OpenRouter passes on in the body."""
    notes = quota_in(reply.headers)
    error = _error_in(reply.body)
    words = _WORDS.search(str(error.get("message"))) if error else None
    if words is not None:
        limit, used = amount(words[3].replace(",", "")), amount((words[4] or "").replace(",", ""))
        measure: QuotaMeasure = words[1].replace(" ", "_")  # type: ignore[assignment]
        left = None if limit is None or used is None else max(limit - used, 0)
        notes = (*notes, QuotaNote(measure, MINUTE if words[2] == "min" else DAY, limit, left))
    inner = error.get("metadata") if error else None
    passed_on = inner.get("headers") if isinstance(inner, dict) else None
    if isinstance(passed_on, dict):
        headers = {str(name).lower(): str(value) for name, value in passed_on.items()}
        found = notes_of(_TOGETHER, headers)
        for note in found:  # a free model's: so many a minute, and so many a day
            note.window_seconds = DAY if (note.reset_seconds or 0.0) > MINUTE else MINUTE
        notes = (*notes, *found)
    return notes


def _of_openai(headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
    notes = notes_of(_GROQ if "x-groq-region" in headers else _OPENAI, headers)
    for note in notes:
        period = amount(headers.get(f"x-ratelimit-renewalperiod-{note.measure}"))  # Azure
        if period:
            note.window_seconds = min(period, MONTH)
    return notes


def _error_in(body: bytes) -> dict[str, Any]:
    try:
        said = loads(body) if body else None
    except orjson.JSONDecodeError:
        return {}
    if isinstance(said, list) and said:
        said = said[0]
    error = said.get("error", said) if isinstance(said, dict) else None
    return error if isinstance(error, dict) else {}
