"""A key's row: a month as a picture and in words, the limit that binds first, and what to know before it is rolled."""

from types import SimpleNamespace
from typing import Any

import pytest

from aiservice.portal.components.key_rows import row_of, sparkline
from aiservice.portal.queries import Zone
from aiservice.principal import Limit, Person, Role
from aiservice.services.limiter import Standing

ME = Person("usr_1", "me@example.test", Role.DEVELOPER)


def line(standing: Standing | None = None, days: Any = ((0, 0),) * 30, calls: int = 0, **key: Any) -> Any:
    known: dict[str, Any] = {
        "id": "key_1", "name": "k", "is_test": False, "client": "c", "state": "active", "secrets": (), "scopes": None,
        "connections": None, "models": None, "networks": None, "client_limits": {}, "created_us": 0,
        "expires_us": None, "last_used_us": None, "overlap_ends_us": None, "leaked_us": None, "is_idle": False,
        "copy_owner_id": None,
    }  # fmt: skip
    return SimpleNamespace(
        key=SimpleNamespace(**(known | key)), owner="", days=days, tightest=standing, outgoing_calls=calls
    )


def test_the_tallest_day_is_as_tall_as_the_picture_and_one_request_is_still_seen() -> None:
    requests, errors = sparkline(((1000, 1), (1, 0), (0, 0)))
    assert requests == "M0 20v-20h2v20zM3 20v-1h2v1z"
    assert errors == "M0 20v-1h2v1z"
    assert sparkline(((0, 0),) * 30) == ("", "")


def test_a_month_is_said_in_words_too() -> None:
    assert row_of(line(days=((2, 1), (1200, 0))), ME, Zone())["month"] == "1,202 requests, 1 failed"
    assert row_of(line(), ME, Zone())["month"] == "no requests"


@pytest.mark.parametrize(("used", "level", "width"), [(7, "good", "70%"), (8, "warn", "80%"), (12, "bad", "100%")])
def test_a_limit_warns_at_four_fifths(used: int, level: str, width: str) -> None:
    standing = Standing(Limit("key", "key_1", "requests/minute", "requests", 60, 10), used, 0)
    row = row_of(line(standing), ME, Zone())
    assert (row["limit"], row["limit_level"], row["limit_width"]) == (f"{used} of 10 requests a minute", level, width)
    assert row_of(line(client_limits={"requests/minute": 5}), ME, Zone())["limit"] == "its client's alone"


def test_who_still_uses_the_old_secret_is_said_while_there_is_one() -> None:
    rolling = row_of(line(state="rolling", overlap_ends_us=0, calls=37), ME, Zone())
    assert rolling["outgoing"] == "37 calls in the last hour still used the old secret"
    assert rolling["detail"] == "the old secret works until 1970-01-01 00:00"
    assert row_of(line(calls=37), ME, Zone())["outgoing"] == ""
    expired = row_of(line(state="expired", expires_us=0), ME, Zone())
    assert (expired["detail"], expired["is_expired"], expired["is_live"]) == ("expired 1970-01-01 00:00", True, False)
