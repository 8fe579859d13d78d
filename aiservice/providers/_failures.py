"""What all providers' failures are made of: vetted words, waits, and the two ways an answer is none."""

import email.utils
import re
import time
from collections.abc import Mapping

from aiservice.wire import AttemptFailure, Blame

# Whatever could be a credential or an account in a provider's words; the words around it are kept.
_SECRETS = re.compile(
    r"(?:\b(?:sk|pk|rk|gsk|xai|key|org|proj|acct|user)[-_][\w*.…-]{2,}"
    r"|\bAIza[\w*-]{8,}|\b(?:bearer|basic|token)\s+\S+|\bapi[ _-]?key(?:\s+provided)?\s*[:=]\s*\S+"
    r"|[\w.+-]{1,64}@[\w-]+\.[\w.]+|\b[A-Za-z0-9+/_*-]{32,}={0,2}|\S*\*{3,}\S*)",
    re.IGNORECASE,
)
_MAX_MESSAGE = 500
_MAX_WAIT_SECONDS = 86_400.0


def invalid_answer(what: str) -> AttemptFailure:
    """A reply with status 200 that is no answer."""
    return AttemptFailure(
        502, "provider_invalid_answer", f"The provider failed: {what}.", Blame.FAILOVER, upstream_status=200
    )


def cut_short() -> AttemptFailure:
    """An answer of which the provider itself says that it broke off."""
    return AttemptFailure(
        502,
        "upstream_truncated",
        "The provider broke its answer off before it was whole.",
        Blame.FAILOVER,
        upstream_status=200,
    )


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait a reply asks for: `retry-after-ms` (when above 0), else `retry-after` as seconds or an HTTP date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None and milliseconds > 0:
        return min(milliseconds / 1000, _MAX_WAIT_SECONDS)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is None:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), _MAX_WAIT_SECONDS)


def vetted(words: str) -> str:
    """A provider's words without control characters, credentials and accounts, at most 500 characters."""
    plain = "".join(ch if ch.isprintable() else " " for ch in words[: 4 * _MAX_MESSAGE])
    return _SECRETS.sub("[removed]", plain)[:_MAX_MESSAGE].strip()


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    return number if number is not None and number == number and abs(number) < 1e12 else None  # noqa: PLR0124 - NaN
