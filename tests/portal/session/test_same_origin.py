import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.portal.session.same_origin import is_same_origin


def asked(
    *, host: str = "portal.test", origin: str | None = None, site: str | None = None
) -> list[tuple[bytes, bytes]]:
    headers = [(b"host", host.encode())]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    return headers + ([(b"sec-fetch-site", site.encode())] if site is not None else [])


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("portal.test", "http://portal.test"),
        ("portal.test:8000", "http://portal.test:8000"),
        ("portal.test:80", "http://portal.test"),
        ("portal.test", "https://portal.test"),
        ("portal.test:443", "https://portal.test"),
        ("PORTAL.test:8000", "http://portal.TEST:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_requests_own_host_is_the_same_origin(host: str, origin: str) -> None:
    assert is_same_origin(asked(host=host, origin=origin), is_https=False)


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://evil.example", "http://portal.test.evil.example", "http://evilportal.test", "http://portal.test:81",
     "https://portal.test:8443", "http://sub.portal.test", "http://portal.test@evil.example", "http://evil@portal.test",
     "ftp://portal.test", "file://", "portal.test", "http://portal.test/path", "chrome-extension://portal.test",
     "http://portal.test:99999", "http://[portal.test"],
)  # fmt: skip
def test_every_other_origin_is_foreign(origin: str) -> None:
    assert not is_same_origin(asked(origin=origin), is_https=False)
    assert not is_same_origin(asked(origin=origin, site="same-origin"), is_https=False)


def test_on_https_a_plain_http_page_of_the_same_host_is_foreign() -> None:
    assert not is_same_origin(asked(origin="http://portal.test"), is_https=True)
    assert is_same_origin(asked(origin="https://portal.test"), is_https=True)


def test_the_configured_url_is_the_same_origin_behind_a_proxy_that_changes_the_host() -> None:
    headers = asked(host="backend:8000", origin="https://ai.example.org")
    assert is_same_origin(headers, is_https=False, public_url="https://ai.example.org/portal")
    assert not is_same_origin(headers, is_https=False)


def test_developments_second_port_counts_on_the_same_host_name_only() -> None:
    assert is_same_origin(
        asked(host="localhost:8000", origin="http://localhost:3000"), is_https=False, frontend_port=3000
    )
    assert not is_same_origin(
        asked(host="localhost:8000", origin="http://evil:3000"), is_https=False, frontend_port=3000
    )
    assert not is_same_origin(asked(host="localhost:8000", origin="http://localhost:3000"), is_https=False)


@pytest.mark.parametrize(
    ("site", "expected"),
    [(None, True), ("same-origin", True), ("none", True), ("same-site", False), ("cross-site", False), ("x", False)],
)
def test_without_an_origin_the_fetch_site_decides(site: str | None, expected: bool) -> None:
    assert is_same_origin(asked(site=site), is_https=False) is expected


def test_two_origins_or_hosts_are_refused() -> None:
    assert not is_same_origin([*asked(origin="http://portal.test"), (b"origin", b"http://portal.test")], is_https=False)
    assert not is_same_origin([*asked(origin="http://portal.test"), (b"host", b"portal.test")], is_https=False)
    assert not is_same_origin([(b"origin", b"http://portal.test")], is_https=False)


@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_any_origin_text_is_judged_without_failing(text: str) -> None:
    is_same = is_same_origin([(b"host", b"portal.test"), (b"origin", text.encode("latin-1"))], is_https=False)
    assert not is_same or text.strip().lower().startswith(("http://portal.test", "https://portal.test"))
