"""What binds a key first: of its own limits, its client's and its team's, the one of which most is used."""

from aiservice.principal import Limit
from aiservice.services.limit_binding import bindings
from aiservice.services.limit_standing import Holder
from aiservice.services.limiter import Standing


def holder(scope: str, name: str, within: str = "", **used: int) -> Holder:
    """With limits of 10 each, of which so many are used."""
    standing = tuple(Standing(Limit(scope, name, kind, "requests", 60, 10), count, 0) for kind, count in used.items())
    return Holder(scope, name, name, within, dict.fromkeys(used, 10), standing)


def test_the_fullest_of_all_that_hold_for_a_key_binds_it() -> None:
    found = bindings(
        [
            holder("team", "search", rpm=9),
            holder("client", "acme", "search", rpm=5),
            holder("client", "alone", rpm=2),
            holder("key", "first", "acme", rpm=1),
            holder("key", "second", "acme", rpm=10, tpm=3),
            holder("key", "third", "alone"),
            holder("key", "free", "nobodys"),
        ]
    )
    assert [(one.key.name, one.holder.name, one.share) for one in found] == [
        ("second", "second", 1.0),
        ("first", "search", 0.9),
        ("third", "alone", 0.2),
    ]


def test_without_any_limit_nothing_binds() -> None:
    assert bindings([holder("key", "k", "c"), holder("client", "c")]) == []
