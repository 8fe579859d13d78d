"""Addresses of mail servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.smtp_url import parse_smtp_url


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtps://mail.example.com", "mail.example.com", 465, "tls"),
        ("smtp://mail.example.com", "mail.example.com", 587, "starttls"),
        ("smtp://u:p%40x@mail.example.com:2525", "mail.example.com", 2525, "starttls"),
        ("smtp://localhost", "localhost", 25, "none"),
        ("smtp://u:p@127.0.0.1:1025", "127.0.0.1", 1025, "none"),
        ("smtp://[::1]:25", "::1", 25, "none"),
        ("smtp://localhost:25?starttls=always", "localhost", 25, "starttls"),
        ("smtp://relay.internal?starttls=never", "relay.internal", 25, "none"),
    ],
)
def test_what_a_url_means(url: str, host: str, port: int, security: str) -> None:
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.security) == (host, port, security)


def test_a_password_is_decoded_and_hidden() -> None:
    server = parse_smtp_url("smtp://u%40d:p%40%3Ax@mail.example.com")
    assert (server.user, server.password and server.password.reveal_text()) == ("u@d", "p@:x")
    assert "p@" not in repr(server)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://u@h",
        "smtp://h/x",
        "smtp://h:0",
        "smtp://h:x",
        "smtp://h?tls=1",
        "smtps://h?starttls=never",
        "smtp://h?starttls=maybe",
        "smtp://u:p@h?starttls=never",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_smtp_url(url)
    assert "u:p@" not in str(raised.value)


@given(st.text(max_size=40).map(lambda text: f"smtp://{text}"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        server = parse_smtp_url(text)
    except ValueError:
        return
    assert server.host
    assert 0 < server.port < 65_536
