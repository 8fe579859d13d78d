"""Codes of authenticator apps, against RFC 6238 itself."""

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit import totp

SECRET = b"12345678901234567890"
SECRETS = st.binary(min_size=20, max_size=20)
STEPS = st.integers(9, 2**40)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"),
        (2000000000, "279037"), (20000000000, "353130"),
    ],
)  # fmt: skip
def test_the_codes_of_rfc_6238_appendix_b(seconds: int, code: str) -> None:
    assert totp.code_at(SECRET, totp.step_at(seconds * 1_000_000)) == code


@given(SECRETS, STEPS, st.integers(-4, 4))
def test_a_code_is_good_for_its_step_and_one_to_either_side(secret: bytes, step: int, drift: int) -> None:
    found = totp.matching_step(secret, totp.code_at(secret, step), step + drift)
    if abs(drift) <= 1:
        assert found is not None and abs(found - step) <= 2
        assert totp.code_at(secret, found) == totp.code_at(secret, step)
    else:
        near = [totp.code_at(secret, step + drift + each) for each in (-1, 0, 1)]
        assert (found is None) is (totp.code_at(secret, step) not in near)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_six_digits_or_no_code(text: str) -> None:
    code = totp.parse_code(text)
    assert code is None or (len(code) == 6 and code.isascii() and code.isdecimal())


@pytest.mark.parametrize("text", ["123456", " 123 456 ", "123-456"])
def test_spaces_and_a_hyphen_do_not_matter(text: str) -> None:
    assert totp.parse_code(text) == "123456"


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "１２３４５６", "12345a", "+12345", "0x1234", "123456" + " " * 40]
)
def test_what_is_no_code(text: str) -> None:
    assert totp.parse_code(text) is None


@given(SECRETS, st.emails())
def test_the_link_holds_the_secret_for_an_app_to_read(secret: bytes, account: str) -> None:
    parts = urlsplit(totp.otpauth_uri(secret, account=account, issuer="aiservice"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == f"/aiservice:{account}"
    query = parse_qs(parts.query)
    assert query["issuer"] == ["aiservice"]
    assert base64.b32decode(query["secret"][0]) == secret
