"""What people see of a connection's health: how often it answered, how fast, and why it is left alone if it is."""

from collections.abc import Iterable
from typing import Any

from aiservice.principal import Person
from aiservice.services.board import Board
from aiservice.services.breaker import Breaker
from aiservice.services.pulse import BAR_SECONDS, BARS, RECENT_BARS, Pulse
from aiservice.services.rights import require

Json = dict[str, Any]

WORDS = {
    "provider_failed": "it answers with failures of its own",
    "provider_invalid_answer": "what it sends is no answer",
    "provider_overloaded": "it is overloaded",
    "provider_timeout": "it does not answer in time",
    "upstream_auth_failed": "it refuses the key",
    "upstream_bad_reply": "it does not speak HTTP",
    "upstream_connect_failed": "it cannot be reached",
    "upstream_connect_timeout": "it does not accept connections",
    "upstream_credential_invalid": "the key cannot be sent",
    "upstream_dns_failed": "its host name is not known",
    "upstream_first_byte_timeout": "it does not begin to answer",
    "upstream_idle_timeout": "it falls silent in its answers",
    "upstream_no_progress": "it sends nothing of use",
    "upstream_quota_exhausted": "its account has no credit left",
    "upstream_reset": "connections to it are lost",
    "upstream_silent": "it has fallen silent",
    "upstream_stalled": "it does not begin to say something",
    "upstream_tls_failed": "its certificate is not accepted",
    "upstream_truncated": "it breaks its answers off",
}
"""Why a connection is left alone, by the code of its last failure."""


def picture(pulse: Pulse, now: float) -> Json:
    """One connection as one worker sees it. Times are in seconds before or after now, waits in milliseconds."""
    waits = pulse.waits(now)
    newest = int(now / BAR_SECONDS)
    counted = {slot: [good, bad] for slot, good, bad in list(pulse.bars)}
    models = {model: _breaker(one, now) for model, one in list(pulse.models.items()) if one.next_try is not None}
    down = pulse.down
    return {
        "breaker": None if down is None or down.next_try is None else _breaker(down, now),
        "models": models,
        "bars": [counted.get(slot, [0, 0]) for slot in range(newest - BARS + 1, newest + 1)],
        "answers": len(waits),
        "p50_ms": _at(waits, 50),
        "p95_ms": _at(waits, 95),
        "waiting": len(pulse.waiting),
        "last_error": _last_error(pulse, now),
    }


def merged(said: Iterable[dict[str, Json]]) -> dict[str, Json]:
    """The pictures of several workers as one: counts add up, waits are those of the worker that waited longest, and one
    open breaker is worth telling of."""
    found: dict[str, Json] = {}
    for worker in said:
        for name, one in worker.items():
            known = found.get(name)
            found[name] = dict(one) if known is None else _both(known, one)
    for one in found.values():
        good, bad = (sum(bar[place] for bar in one["bars"][-RECENT_BARS:]) for place in (0, 1))
        one["success_rate"] = round(good / (good + bad), 4) if good + bad else None
        one["attempts"] = good + bad
    return found


def seen(actor: Person, board: Board) -> dict[str, Json]:
    """What all workers over this data folder know, by connection id.

    Raises:
        PermissionDenied: the actor is no admin.
    """
    require(actor, "connection.health")
    return merged(figures.get("health", {}) for figures in board.everywhere())


def _both(one: Json, other: Json) -> Json:
    errors = [each["last_error"] for each in (one, other) if each["last_error"] is not None]
    return {
        "breaker": one["breaker"] or other["breaker"],
        "models": {**other["models"], **one["models"]},
        "bars": [[a + c, b + d] for (a, b), (c, d) in zip(one["bars"], other["bars"], strict=True)],
        "answers": one["answers"] + other["answers"],
        "p50_ms": max((one["p50_ms"], other["p50_ms"]), key=lambda wait: wait or 0),
        "p95_ms": max((one["p95_ms"], other["p95_ms"]), key=lambda wait: wait or 0),
        "waiting": one["waiting"] + other["waiting"],
        "last_error": min(errors, key=lambda error: int(error["seconds_ago"])) if errors else None,
    }


def _breaker(breaker: Breaker, now: float) -> Json:
    return {
        "code": breaker.last_code,
        "why": WORDS.get(breaker.last_code, "it has failed several times in a row"),
        "status": breaker.last_status,
        "failures": breaker.failures,
        "failing_seconds": round((breaker.opened or now) - breaker.since, 1),
        "open_seconds": round(now - (breaker.opened or now)),
        "next_try_seconds": round(breaker.wait_seconds(now), 1),
    }


def _last_error(pulse: Pulse, now: float) -> Json | None:
    if pulse.last_failure is None:
        return None
    at, code, model = pulse.last_failure
    return {"code": code, "model": model, "seconds_ago": round(now - at)}


def _at(waits: list[float], part: int) -> int | None:
    return round(waits[len(waits) * part // 100] * 1000) if waits else None
