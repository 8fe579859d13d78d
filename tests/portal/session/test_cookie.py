import secrets

from hypothesis import given
from hypothesis import strategies as st

from aiservice.portal.session.cookie import (
    PLAIN_NAME,
    SECURE_NAME,
    clear_session_cookie,
    read_session_cookie,
    set_session_cookie,
)

A, B = secrets.token_urlsafe(32), secrets.token_urlsafe(32)


def test_reads_asgi_headers_a_mapping_and_the_bare_cookie_text() -> None:
    text = f"theme=dark; {PLAIN_NAME}={A}; other=1"
    assert read_session_cookie([(b"accept", b"*/*"), (b"cookie", text.encode())]) == A
    assert read_session_cookie({"cookie": text}) == A
    assert read_session_cookie(text) == A
    assert read_session_cookie({}) is None


def test_on_https_only_the_host_bound_name_counts() -> None:
    assert read_session_cookie(f"{PLAIN_NAME}={A}", is_https=True) is None
    assert read_session_cookie(f"{PLAIN_NAME}={A}; {SECURE_NAME}={B}", is_https=True) == B
    assert read_session_cookie(f"{PLAIN_NAME}={A}; {SECURE_NAME}={B}", is_https=False) == A
    assert read_session_cookie(f"{PLAIN_NAME}={A}; {SECURE_NAME}={B}") == B


def test_two_different_values_under_one_name_are_refused() -> None:
    assert read_session_cookie(f"{PLAIN_NAME}={A}; {PLAIN_NAME}={B}") is None
    assert read_session_cookie(f"{PLAIN_NAME}={A}; {PLAIN_NAME}={A}") == A
    assert (
        read_session_cookie([(b"cookie", f"{PLAIN_NAME}={A}".encode()), (b"cookie", f"{PLAIN_NAME}={B}".encode())])
        is None
    )


def test_a_planted_host_name_does_not_fall_back_to_the_plain_one() -> None:
    assert read_session_cookie(f"{SECURE_NAME}=x; {PLAIN_NAME}={A}") is None


def test_the_cookie_has_the_attributes_of_the_contract() -> None:
    secure = set_session_cookie(A, is_https=True, max_age_seconds=43200)
    assert secure == f"__Host-ais_sid={A}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure"
    plain = set_session_cookie(A, is_https=False, max_age_seconds=43200)
    assert plain == f"ais_sid={A}; Max-Age=43200; Path=/; HttpOnly; SameSite=Lax"
    assert clear_session_cookie(is_https=True).startswith("__Host-ais_sid=; Max-Age=0;")


@given(st.text(max_size=200))
def test_any_cookie_text_is_read_without_failing(text: str) -> None:
    found = read_session_cookie(text)
    assert found is None or (len(found) == 43 and found in text)


@given(st.binary(min_size=32, max_size=32), st.booleans())
def test_what_is_set_is_what_is_read(raw: bytes, is_https: bool) -> None:
    import base64

    value = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    line = set_session_cookie(value, is_https=is_https, max_age_seconds=1)
    assert read_session_cookie(line.partition(";")[0], is_https=is_https) == value
