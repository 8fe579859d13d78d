"""Durations as people write them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("24h", 86_400), ("15m", 900), ("90s", 90), ("2w", 1_209_600), ("1d12h", 129_600), ("0", 0)],
)
def test_durations_are_read(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(f" {text.upper()} ") == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "1y", "1h1h", "1 h", "١d", "1d\n2h", "9999999999d"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|twice"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.text(max_size=20))
def test_no_text_gives_anything_but_a_count_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) >= 0
