"""What a request says of the cache in its headers, and whether an answer is one that may be kept."""

from aiservice.gateway.exchange import Exchange, Scope
from aiservice.services.cache_terms import CONTROL_HEADER, TTL_HEADER
from aiservice.wire import FinishReason

_HEADERS = frozenset({TTL_HEADER, CONTROL_HEADER})
_WHOLE_REASONS = frozenset({"stop", "tool_calls"})
_WHOLE_KINDS = frozenset({"embedding", "rerank", "moderation"})
_LIMITS = ("max_tokens", "max_completion_tokens")


def says_anything(scope: Scope) -> bool:
    """Whether a request's headers say anything of the cache."""
    return any(name in _HEADERS for name, _ in scope["headers"])


def is_whole(exchange: Exchange, reasons: list[FinishReason | None]) -> bool:
    """Whether what was said is an answer to what was asked, and not a piece of one. `reasons` are why its choices
    ended."""
    ask = exchange.request.ask
    if exchange.is_shortened:
        return False
    if ask.kind != "chat":
        return ask.kind in _WHOLE_KINDS  # of the rest the bytes are large, and asked for once
    is_limited = any(ask.body.get(name) is not None for name in _LIMITS)
    return bool(reasons) and all(reason in _WHOLE_REASONS or (reason == "length" and is_limited) for reason in reasons)
