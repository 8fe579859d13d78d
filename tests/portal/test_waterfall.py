"""The waterfall: every attempt where it lies in the whole time, with what it means and what it cost."""

from types import SimpleNamespace
from typing import Any

from aiservice.portal.components.waterfall import steps_of


def entry(**values: Any) -> Any:
    given: dict[str, Any] = {
        "started_us": 0,
        "ended_us": 1_000_000,
        "first_byte_us": None,
        "is_stream": False,
        "status": 200,
        "outcome": "finished",
        "cost_nano_usd": 5_000_000,
        "attempts": [],
        "cache": None,
    }
    return SimpleNamespace(**(given | values))


FAILED = {
    "provider": "a",
    "model": "m",
    "status": 429,
    "start_ms": 10,
    "ms": 190,
    "reason": "preference 1",
    "code": "x",
}
GOOD = {
    "provider": "b",
    "model": "m",
    "status": 200,
    "start_ms": 200,
    "ms": 800,
    "reason": "preference 2",
    "code": None,
}


def test_attempts_lie_where_they_were() -> None:
    broker, first, second = steps_of(entry(attempts=[FAILED, GOOD]))
    assert (broker["name"], broker["width"]) == ("Broker", "1.00%")
    assert (first["left"], first["width"], first["kind"]) == ("1.00%", "19.00%", "bad")
    assert (second["left"], second["width"], second["kind"]) == ("20.00%", "80.00%", "good")
    assert (first["cost"], second["cost"]) == ("nothing billed", "$0.005")
    assert "rate limit" in first["words"]
    assert second["words"] == ""


def test_the_rest_of_a_stream_is_a_step_of_its_own() -> None:
    steps = steps_of(entry(attempts=[{**GOOD, "ms": 100}], is_stream=True, first_byte_us=300_000))
    assert [step["name"] for step in steps] == ["Broker", "Attempt 1: b", "Stream"]
    assert (steps[2]["left"], steps[2]["width"]) == ("30.00%", "70.00%")


def test_entries_from_before_offsets_were_kept_have_them_one_after_another() -> None:
    old = [{key: value for key, value in attempt.items() if key != "start_ms"} for attempt in (FAILED, GOOD)]
    _, first, second = steps_of(entry(attempts=old))
    assert (first["left"], second["left"]) == ("0.00%", "19.00%")


def test_bars_stay_in_their_box_whatever_the_clock_says() -> None:
    for step in steps_of(entry(ended_us=0, attempts=[GOOD])):
        assert float(step["left"][:-1]) + float(step["width"][:-1]) <= 100


def test_whole_milliseconds_get_no_decimals_that_nobody_measured() -> None:
    broker, first = steps_of(entry(attempts=[{**GOOD, "start_ms": 3, "ms": 0}]))
    assert (broker["began"], broker["took"], first["began"], first["took"]) == ("+0 ms", "3 ms", "+3 ms", "< 1 ms")
