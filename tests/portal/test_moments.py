"""Times in the zone of whoever looks: what is shown, and what stands in a URL."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aiservice.portal.moments import USUAL_ZONE, shown_day, shown_moment
from aiservice.portal.queries import Zone, in_own_zone, in_zone, zone_in_url

AT_US = 1793485800_000_000  # 2026-10-31 22:30 UTC


@contextmanager
def usual(name: str) -> Iterator[None]:
    token = USUAL_ZONE.set(name)
    try:
        yield
    finally:
        USUAL_ZONE.reset(token)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("UTC", "2026-10-31 22:30 UTC", "2026-10-31"), ("Asia/Tokyo", "2026-11-01 07:30 JST", "2026-11-01"),
        ("Europe/Berlin", "2026-10-31 23:30 CET", "2026-10-31"), ("No/Such", "2026-10-31 22:30 UTC", "2026-10-31"),
    ],
)  # fmt: skip
def test_a_moment_is_shown_in_the_zone_of_its_person(zone: str, moment: str, day: str) -> None:
    with usual(zone):
        assert (shown_moment(AT_US), shown_day(AT_US)) == (moment, day)


def test_a_page_without_a_zone_is_in_ones_own_and_a_link_with_times_means_utc() -> None:
    with usual("Asia/Tokyo"):
        assert in_own_zone({"q": "x"}) == {"q": "x", "tz": "Asia/Tokyo"}
        assert in_own_zone({"from": "2026-11-01T00:00"}) == {"from": "2026-11-01T00:00"}
        assert in_own_zone({"tz": "UTC"}) == {"tz": "UTC"}
        assert Zone.of_person() == Zone("Asia/Tokyo")
    assert in_own_zone({"q": "x"}) == {"q": "x"}


def test_who_has_a_zone_of_their_own_can_still_switch_to_utc() -> None:
    with usual("Asia/Tokyo"):
        assert zone_in_url("UTC") == "UTC"
        assert in_zone({"from": "2026-11-01T09:00", "tz": "Asia/Tokyo"}, "UTC") == {
            "from": "2026-11-01T00:00", "tz": "UTC",
        }  # fmt: skip
    assert zone_in_url("UTC") == ""
