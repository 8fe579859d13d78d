"""The Providers page on health: how often and how fast each connection answers, who is left alone and why."""

from typing import Any

from aiservice.portal.components.health import rows_of

_WELL: dict[str, Any] = {
    "breaker": None,
    "models": {},
    "bars": [[0, 0]] * 29 + [[4, 0]],
    "attempts": 4,
    "success_rate": 1.0,
    "p50_ms": 420,
    "p95_ms": 12_300,
    "waiting": 0,
    "last_error": None,
}
_NAMED = [("con_1", "openai", "openai")]


def _row(**values: Any) -> Any:
    (row,) = rows_of({"con_1": {**_WELL, **values}}, _NAMED)
    return row


def test_one_that_answers_says_how_fast() -> None:
    row = _row()
    assert (row["state"], row["answered"]) == ("answers", "100% of 4")
    assert (row["usual"], row["slow"]) == ("420 ms usual (p50)", "12.3 s slow (p95)")
    assert row["bars"][-2:] == ["none", "good"]


def test_one_that_is_left_alone_says_why_and_when_it_is_tried_again() -> None:
    why = {"code": "upstream_reset", "why": "connections to it are lost", "next_try_seconds": 3.4, "open_seconds": 9}
    row = _row(breaker=why, last_error={"code": "upstream_reset", "model": "m", "seconds_ago": 75})
    assert (row["state"], row["state_kind"]) == ("left alone", "bad")
    assert row["why"] == "connections to it are lost; tried again in 3 s"
    assert row["error"] == "upstream_reset, 1 min ago"


def test_a_refused_key_is_told_with_its_model() -> None:
    row = _row(models={"gpt-5": {"code": "upstream_auth_failed", "why": "it refuses the key"}})
    assert (row["state"], row["why"]) == ("in part left alone", "gpt-5: it refuses the key")


def test_nearly_all_is_not_all() -> None:
    assert _row(success_rate=0.9999, bars=[[9, 9], [9, 1], [1, 9]])["answered"] == "99.9% of 4"
    assert _row(bars=[[9, 9], [9, 1], [1, 9]])["bars"] == ["bad", "some", "bad"]


def test_who_was_not_asked_has_no_row() -> None:
    assert rows_of({"con_1": {**_WELL, "attempts": 0, "bars": [[0, 0]] * 90}}, _NAMED) == []
    assert rows_of({}, _NAMED) == []


def test_one_that_is_about_to_be_tried_says_so() -> None:
    why = {"code": "upstream_reset", "why": "connections to it are lost", "next_try_seconds": 0.0, "open_seconds": 9}
    row = _row(breaker=why, p50_ms=None, p95_ms=None)
    assert row["why"] == "connections to it are lost; the next request tries it"
    assert (row["usual"], row["slow"]) == ("none yet", "")
