"""URLs of views: read strictly, written back the same, moved between time zones without moving the moment."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from aiservice.errors import InvalidRequest
from aiservice.portal.queries import RequestsView, UsageView, Zone, in_zone, url_of


def test_a_url_gives_the_same_view_again() -> None:
    params = {"model": "a/b&c=d", "ended": "failed", "status": "504", "from": "2026-11-01T09:30", "tz": "Europe/Berlin"}
    url = url_of("/requests", params)
    again = dict(parse_qsl(urlsplit(url).query))
    assert again == params
    assert RequestsView.of(again) == RequestsView.of(params)
    asked = RequestsView.of(params).asked
    assert (asked.model, asked.ending, asked.status) == ("a/b&c=d", "failed", 504)
    assert asked.start_us == 1_793_521_800_000_000  # 08:30 UTC: Berlin is an hour ahead in November


def test_what_is_empty_does_not_stand_in_a_url() -> None:
    assert url_of("/usage", {"by": "key", "range": "7d"}, range="", metric="cost") == "/usage?by=key&metric=cost"
    assert url_of("/usage", {"by": "key"}, by="") == "/usage"


@pytest.mark.parametrize(
    "params",
    [
        {"status": "abc"},
        {"status": "99"},
        {"status": "²00"},
        {"ended": "well"},
        {"from": "yesterday"},
        {"to": "99999-01-01T00:00"},
        {"tz": "../../etc/passwd"},
        {"tz": "Mars/Olympus"},
        {"model": "m" * 201},
    ],
)
def test_a_request_view_that_makes_no_sense_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        RequestsView.of(params)


@pytest.mark.parametrize(
    "params",
    [{"by": "colour"}, {"metric": "x"}, {"range": "2y"}, {"from": "2026-11-02T00:00", "to": "2026-11-01T00:00"}],
)
def test_a_usage_view_that_makes_no_sense_is_refused(params: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        UsageView.of(params)


def test_changing_the_zone_keeps_the_moment() -> None:
    params = {"from": "2026-07-01T12:00", "tz": "America/New_York", "task": "chat"}
    moved = in_zone(params, "UTC")
    assert moved == {"from": "2026-07-01T16:00", "tz": "", "task": "chat"}
    assert Zone().read(moved["from"], "from") == Zone("America/New_York").read(params["from"], "from")
