"""Recovery codes: as they are shown, and as they are typed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.recovery_codes import COUNT, new_codes, parse_recovery_code


def test_ten_codes_none_like_another_each_read_as_it_is_shown() -> None:
    codes = new_codes()
    assert len(set(codes)) == COUNT == 10
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}", code) for code in codes)
    assert [parse_recovery_code(code) for code in codes] == [code.replace("-", "") for code in codes]


@pytest.mark.parametrize("text", ["0123456789", "01234-56789", " O1234 56789 ", "oL234-56789", "0i234 56789"])
def test_look_alikes_case_and_spaces_do_not_matter(text: str) -> None:
    assert parse_recovery_code(text) == "0123456789"


@given(st.text(max_size=60))
def test_whatever_is_typed_is_ten_characters_of_the_alphabet_or_no_code(text: str) -> None:
    code = parse_recovery_code(text)
    assert code is None or re.fullmatch(r"[0-9a-hjkmnp-tv-z]{10}", code)
