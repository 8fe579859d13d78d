"""What a request says about the cache, and what a policy lets it have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from aiservice.errors import InvalidRequest, Unprocessable
from aiservice.kit.durations import format_duration
from aiservice.services.semantic_terms import SemanticRule, checked_semantic

Mode = Literal["off", "ask", "on"]
MODES: tuple[Mode, ...] = ("off", "ask", "on")
SHARERS = ("client", "team")
TTL_HEADER = b"x-aiservice-cache-ttl"
CONTROL_HEADER = b"cache-control"
MOST_TTL_SECONDS = 30 * 86_400
_FIELDS = ("ttl", "no_store", "no_cache")
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})\"?", re.ASCII)


@dataclass(slots=True, frozen=True)
class CacheRule:
    """What holds for a client's task, in seconds: `ttl_seconds` where nobody says, `most_ttl_seconds` at most.

    Where nothing is stored, nothing is kept but for a request that asks for it. With `semantic`, similar questions are
    given each other's answers.
    """

    mode: Mode = "ask"
    ttl_seconds: int = 3600
    most_ttl_seconds: int = 86_400
    shared_by: str = "client"
    semantic: SemanticRule | None = None


@dataclass(slots=True, frozen=True)
class CacheTerms:
    """What a request says: how long its answer may be kept (None: nothing), whether it takes one that was kept and how
    old that may be, whether its own may be kept."""

    ttl_seconds: int | None = None
    is_fresh_wanted: bool = False
    is_kept: bool = True
    most_age_seconds: int | None = None


NOTHING_SAID = CacheTerms()


def terms_of(headers: Iterable[tuple[bytes, bytes]], given: Any) -> CacheTerms:
    """The terms in a request's headers (RFC 9111 §5.2.1, and our own for the TTL) and in the `cache` object of its
    body; of a TTL that both name, the body's holds.

    Raises:
        InvalidRequest: a field that is none, or a TTL that is no number of seconds up to 30 days.
    """
    ttl: int | None = None
    age: int | None = None
    said: set[str] = set()
    for name, value in headers:
        if name == TTL_HEADER:
            ttl = _seconds(value.decode("latin-1").strip(), TTL_HEADER.decode())
        elif name == CONTROL_HEADER:
            for part in value.decode("latin-1").lower().split(","):
                directive = part.strip()
                said.add(directive)
                if found := _MAX_AGE.fullmatch(directive):
                    age = int(found[1])
    if given is not None:
        ttl = _of_body(given, said, ttl)
    if age == 0:
        said.add("no-cache")
    return CacheTerms(ttl, "no-cache" in said, "no-store" not in said, age)


def agreed_ttl(rule: CacheRule, terms: CacheTerms) -> int:
    """For how many seconds an answer is kept; 0 where it is not."""
    if rule.mode == "off" or not terms.is_kept:
        return 0
    wanted = terms.ttl_seconds
    if wanted is None:
        wanted = rule.ttl_seconds if rule.mode == "on" else 0
    return min(wanted, rule.most_ttl_seconds)


def checked_rule(rule: CacheRule) -> CacheRule:
    """The same rule.

    Raises:
        Unprocessable: a word or a number of it is none.
    """
    if rule.mode not in MODES:
        raise Unprocessable(f"A cache is {', '.join(MODES)}; '{rule.mode[:20]}' is none of them.", param="mode")
    if rule.shared_by not in SHARERS:
        raise Unprocessable("Answers are shared by a client or by a team.", param="shared_by")
    if not 1 <= rule.most_ttl_seconds <= MOST_TTL_SECONDS:
        raise Unprocessable("The longest time that an answer is kept is 1 s to 30 d.", param="max_ttl")
    if not 1 <= rule.ttl_seconds <= rule.most_ttl_seconds:
        longest = format_duration(rule.most_ttl_seconds)
        raise Unprocessable(f"Answers are kept for 1 s at least, and no longer than {longest}.", param="ttl")
    if rule.semantic is not None:
        checked_semantic(rule.semantic)
    return rule


def _of_body(given: Any, said: set[str], ttl: int | None) -> int | None:
    """Adds what the body says to what the headers `said`; the TTL."""
    if not isinstance(given, dict):
        raise InvalidRequest("'cache' must be an object, such as {\"ttl\": 300}.", param="cache")
    for name, value in given.items():
        if name not in _FIELDS:
            known = ", ".join(_FIELDS)
            raise InvalidRequest(f"'{name[:60]}' is not a field of 'cache'. There are: {known}.", param="cache")
        if name == "ttl":
            if value is not None:
                ttl = _seconds(value, "cache.ttl")
        elif value is True:
            said.add(name.replace("_", "-"))
        elif value not in (None, False):
            raise InvalidRequest(f"'cache.{name}' must be true or false.", param=f"cache.{name}")
    return ttl


def _seconds(value: Any, param: str) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if type(value) is not int or not 0 <= value <= MOST_TTL_SECONDS:
        words = f"'{param}' must be a whole number of seconds, at most {MOST_TTL_SECONDS} (30 days)."
        raise InvalidRequest(words, code="invalid_cache_ttl", param=param)
    return value
