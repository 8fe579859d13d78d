import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.portal.session.redirects import HOME, safe_next, with_query

EVIL = [
    "//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example", "http:/evil.example",
    "\\\\evil.example", "/\t/evil.example", "/\n//evil.example", "\t//evil.example", " //evil.example",
    "///evil.example",
    "/%2fevil.example", "/%2F%2Fevil.example", "/%5cevil.example", "%2f%2fevil.example", "/%09/evil.example",
    "/..//evil.example", "/.//evil.example", "/a//evil.example", "/a/../..//evil.example", "javascript:alert(1)",
    "/javascript:alert(1)", "data:text/html,x", "evil.example", "@evil.example", "/@evil.example", ".evil.example",
    "/x\r\nset-cookie: a=b", "/x\0", "/\u2044evil.example", "/\uff0fevil.example", "/x#@evil.example", "?next=//evil",
    "/x?y=\\evil", "/" + "a" * 600, "", None,
]  # fmt: skip


@pytest.mark.parametrize("text", EVIL)
def test_t70_nothing_but_a_page_of_ours_is_returned_to(text: str | None) -> None:
    assert safe_next(text) == HOME


@pytest.mark.parametrize(
    "text", ["/", "/keys", "/keys/", "/usage?from=2026-01-01&to=now", "/requests/req_01ABC", "/a.b/c-d_e~f"]
)
def test_t70_a_page_of_ours_with_its_query_is_returned_to(text: str) -> None:
    assert safe_next(text) == text


@given(st.text(max_size=80) | st.text("/\\.:@%?#eEvil25fF\t\r\n ", max_size=30).map(lambda t: "/" + t))
def test_t70_every_answer_stays_on_this_host(text: str) -> None:
    httpx = pytest.importorskip("httpx")
    target = safe_next(text)
    assert target.startswith("/")
    assert not target.startswith(("//", "/\\"))
    assert target.isascii() and target.isprintable()
    assert httpx.URL("http://portal.test/auth/sign-in").join(target).host == "portal.test"


def test_only_given_values_come_into_the_query() -> None:
    assert with_query("/sign-in", error="a&b", next="") == "/sign-in?error=a%26b"
    assert with_query("/sign-in", error="") == "/sign-in"
