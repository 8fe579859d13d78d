"""The text of a client key: every typo is refused before any query."""

import re
import statistics
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from aiservice.kit.keyformat import (
    ALPHABET,
    LENGTH,
    checksum,
    holds_key,
    is_test_key,
    mint,
    mint_personal,
    parse,
    parse_personal,
)

bodies = st.builds(
    lambda kind, public_id, secret: f"ais_{kind}_{public_id}_{secret}",
    st.sampled_from(["live", "test"]),
    st.text(ALPHABET, min_size=12, max_size=12),
    st.text(ALPHABET, min_size=32, max_size=32),
)
keys = bodies.map(lambda body: body + checksum(body))


def test_a_minted_key_has_the_published_form() -> None:
    minted = mint()
    text = minted.text.reveal_text()
    assert re.fullmatch(r"ais_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", text)
    assert len(text) == LENGTH
    assert parse(text) == minted.public_id == text[9:21]


def test_the_check_is_crc_32_in_base_62() -> None:
    # CRC-32 of "123456789" is 0xCBF43926 by definition = 3421780262, here in base 62.
    assert checksum("123456789") == "".join(ALPHABET[digit] for digit in (3, 45, 35, 27, 22, 14))


def test_a_test_key_says_so() -> None:
    text = mint(is_test=True).text.reveal_text()
    assert text.startswith("ais_test_")
    assert is_test_key(text)
    assert parse(text) is not None


def test_two_minted_keys_share_nothing_but_the_form() -> None:
    minted = [mint() for _ in range(500)]
    assert len({key.public_id for key in minted}) == 500
    assert len({key.text.reveal()[22:54] for key in minted}) == 500


@given(keys)
def test_every_well_formed_key_parses(text: str) -> None:
    assert parse(text) == text[9:21]


@settings(max_examples=15, deadline=None)
@given(keys)
def test_every_single_character_change_is_refused(text: str) -> None:
    for at in range(LENGTH):
        for character in ALPHABET + "_- \n\0é":
            if character != text[at]:
                assert parse(text[:at] + character + text[at + 1 :]) is None


@given(keys)
def test_every_swap_of_neighbours_is_refused(text: str) -> None:
    for at in range(LENGTH - 1):
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        if swapped != text:
            assert parse(swapped) is None


@given(st.text() | st.from_regex(r"ais_(live|test)_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", fullmatch=True))
def test_look_alikes_are_refused(text: str) -> None:
    # A random look-alike passes with probability 62^-6, about 2 in 10^11.
    assert parse(text) is None


@given(keys, st.sampled_from(["\n", " ", "\0", "x"]))
def test_nothing_may_surround_a_key(text: str, extra: str) -> None:
    assert parse(text + extra) is None
    assert parse(extra + text) is None


def test_a_persons_token_and_a_key_are_never_taken_for_each_other() -> None:
    token, key = mint_personal(), mint()
    assert parse_personal(token.text.reveal_text()) == token.public_id
    assert parse(token.text.reveal_text()) is None
    assert parse_personal(key.text.reveal_text()) is None
    assert holds_key(f"x {token.text.reveal_text()} y")


@given(st.text() | st.from_regex(r"ais_pat_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}", fullmatch=True))
def test_what_looks_like_a_token_is_refused(text: str) -> None:
    assert parse_personal(text) is None


def test_parsing_takes_microseconds() -> None:
    texts = [mint().text.reveal_text() for _ in range(200)]
    runs = []
    for _ in range(21):
        began = time.perf_counter()
        for text in texts:
            parse(text)
        runs.append((time.perf_counter() - began) / len(texts))
    assert statistics.median(runs) < 20e-6
