"""Reading HTTP/1.1 strictly: what has two readings is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.http1 import ChunkedBody, CloseBody, Head, LengthBody


def head(*lines: str, method: str = "POST") -> Head:
    return Head("\r\n".join([*lines, "", ""]).encode("latin-1"), method)


def test_a_head_is_read() -> None:
    read = head("HTTP/1.1 429 Too Many", "Retry-After:  7 ", "X-A:", "x-a: second", "content-length: 3")
    assert (read.status, dict(read.headers)) == (429, {"retry-after": "7", "x-a": "", "content-length": "3"})
    assert isinstance(read.body, LengthBody)
    assert read.is_kept_alive


@pytest.mark.parametrize(
    "lines",
    [
        ["HTTP/2 200 OK"],
        ["HTTP/1.1 20 OK"],
        ["HTTP/1.1 2000 OK"],
        ["HTTP/1.1  200 OK"],
        ["http/1.1 200 OK"],
        ["SSH-2.0-OpenSSH"],
        ["HTTP/1.1 200 OK", "no colon"],
        ["HTTP/1.1 200 OK", "name : value"],
        ["HTTP/1.1 200 OK", ": value"],
        ["HTTP/1.1 200 OK", "a: b", " folded: c"],
        ["HTTP/1.1 200 OK", "a: b\n c: d"],
        ["HTTP/1.1 200 OK", "a: b\nc: d"],
        ["HTTP/1.1 200 OK", "a: b\rc: d"],
        ["HTTP/1.1 200 OK", "a: b\x00c"],
        ["HTTP/1.1 200 OK", "content-length: 3", "content-length: 4"],
        ["HTTP/1.1 200 OK", "content-length: 3", "transfer-encoding: chunked"],
        ["HTTP/1.1 200 OK", "content-length: +3"],
        ["HTTP/1.1 200 OK", "content-length: 3, 3"],
        ["HTTP/1.1 200 OK", "content-length: 0x3"],
        ["HTTP/1.1 200 OK", "content-length: ²"],
        ["HTTP/1.1 200 OK", "content-length: 9999999999999999"],
        ["HTTP/1.1 200 OK", "content-length:"],
        ["HTTP/1.1 200 OK", "transfer-encoding: gzip, chunked"],
        ["HTTP/1.1 200 OK", "transfer-encoding: xchunked"],
        ["HTTP/1.1 200 OK", "transfer-encoding: chunked", "transfer-encoding: identity"],
        ["HTTP/1.1 200 OK", "content-encoding: identity", "content-encoding: gzip"],
    ],
)
def test_t38_a_head_with_two_readings_is_refused(lines: list[str]) -> None:
    with pytest.raises(UpstreamFailure, match="upstream_bad_reply"):
        head(*lines)


def test_the_connection_ends_where_its_framing_says_so() -> None:
    assert not head("HTTP/1.1 200 OK", "connection: close", "content-length: 0").is_kept_alive
    assert not head("HTTP/1.0 200 OK", "content-length: 0").is_kept_alive
    assert head("HTTP/1.0 200 OK", "Connection: Keep-Alive", "content-length: 0").is_kept_alive
    without_length = head("HTTP/1.1 200 OK")
    assert not without_length.is_kept_alive
    assert isinstance(without_length.body, CloseBody)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "103 Early Hints"])
def test_some_answers_have_no_body(status: str) -> None:
    assert head(f"HTTP/1.1 {status}", "content-length: 5").body.is_done


CHUNKED = b"5\r\nhello\r\n1;x=y\r\n \r\n00006 \r\nworld!\r\n0\r\nTrailer: x\r\n\r\nnext"


@pytest.mark.parametrize("size", range(1, len(CHUNKED) + 1))
def test_chunks_read_the_same_however_they_arrive(size: int) -> None:
    body, got, rest = ChunkedBody(), b"", b""
    for at in range(0, len(CHUNKED), size):
        if body.is_done:
            rest += CHUNKED[at : at + size]
            continue
        got += body.feed(CHUNKED[at : at + size])
        rest = body.rest
    assert (got, rest, body.is_done) == (b"hello world!", b"next", True)


@pytest.mark.parametrize(
    "data",
    [
        b"5\r\nhelloX\r\n",
        b"5\r\nhello\n0\r\n\r\n5\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"\r\n",
        b" 5\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5\n\nhello\r\n",
        b"FFFFFFFFFFFFFFFFF\r\n",
        b"5" * 5000,
        b"0\r\n" + b"a: b\r\n" * 5000,
        b"0\r\n" + b"a" * 5000,
    ],
)
def test_t38_chunks_with_two_readings_are_refused(data: bytes) -> None:
    with pytest.raises(UpstreamFailure, match="upstream_bad_reply"):
        ChunkedBody().feed(data)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_any_chunks_in_any_pieces(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
    body, got, at, number = ChunkedBody(), b"", 0, 0
    while at < len(data):
        step = cuts[number % len(cuts)]
        got += body.feed(data[at : at + step])
        at, number = at + step, number + 1
        assert body.is_done == (at >= len(data))
    assert got == b"".join(pieces)


@given(st.binary(max_size=400))
def test_junk_never_raises_anything_but_our_own_failure(data: bytes) -> None:
    body = ChunkedBody()
    try:
        body.feed(data)
        Head(data + b"\r\n\r\n", "POST")
    except UpstreamFailure:
        pass


def test_a_length_body_gives_back_what_follows_it() -> None:
    body = LengthBody(5)
    assert body.feed(b"hel") == b"hel"
    assert not body.is_whole_at_eof()
    assert body.feed(b"lo!!") == b"lo"
    assert (body.rest, body.is_done) == (b"!!", True)
