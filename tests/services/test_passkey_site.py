"""Where there are passkeys, to whom they belong, and what is said where there are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import Unprocessable
from aiservice.kit.passkeys import Site
from aiservice.services.passkey_site import passkey_site
from aiservice.settings import Settings

PUBLIC = Settings(public_url="https://AI.example.org/portal")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://ai.example.org", "ai.example.org"), ("https://ai.example.org:8443", "ai.example.org"),
        ("http://localhost:8000", "localhost"), ("http://me.localhost", "me.localhost"),
        ("HTTPS://AI.example.org", "ai.example.org"),
    ],
)  # fmt: skip
def test_a_name_on_https_and_localhost_have_them(origin: str, host: str) -> None:
    assert passkey_site(origin, Settings()) == Site(host, origin.lower())


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("http://portal.test", "plain http"), ("http://127.0.0.1:8000", "plain http"),
        ("https://127.0.0.1", "by its address"), ("https://[2001:db8::1]:443", "by its address"),
        ("", "need a browser"), ("null", "need a browser"), ("https://[", "need a browser"),
    ],
)  # fmt: skip
def test_nothing_else_has_and_is_told_why(origin: str, words: str) -> None:
    with pytest.raises(Unprocessable, match=words) as raised:
        passkey_site(origin, Settings())
    assert raised.value.code == "passkeys_unavailable"


def test_with_a_public_url_only_its_page_and_localhost_have_them() -> None:
    assert passkey_site("https://ai.example.org", PUBLIC).rp_id == "ai.example.org"
    assert passkey_site("http://localhost:3000", PUBLIC).rp_id == "localhost"
    for origin in ("https://example.org", "https://evil-ai.example.org", "http://ai.example.org", "https://10.0.0.1"):
        with pytest.raises(Unprocessable, match=r"https://ai\.example\.org"):
            passkey_site(origin, PUBLIC)


@given(st.text(max_size=60))
def test_whatever_stands_in_the_header_is_a_site_with_a_name_or_refused(origin: str) -> None:
    try:
        site = passkey_site(origin, Settings())
    except Unprocessable:
        return
    assert site.rp_id and "/" not in site.rp_id
