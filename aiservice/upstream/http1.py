"""Reading HTTP/1.1 answers (RFC 9112), strictly: what has two readings is refused, nothing is guessed.

`Head` parses a head, the bodies take bytes as they come and give back the body's own bytes. No sockets here.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Protocol

from aiservice.upstream.failures import failed

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 4096
MAX_TRAILER_BYTES: Final = 16 * 1024
_USUAL_LINE_BYTES: Final = 18
END_OF_HEAD: Final = b"\r\n\r\n"

_STATUS = re.compile(r"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\x00]*)?\r\n")
_FIELD = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*)\r\n", re.MULTILINE)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")


class Body(Protocol):
    """The framing of one body."""

    is_done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """The body's bytes in `data`; what follows the end of the body is in `rest`.

        Raises:
            UpstreamFailure: `upstream_bad_reply`.
        """
        ...

    def is_whole_at_eof(self) -> bool:
        """Whether the body may end where the connection does."""
        ...


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_left", "is_done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return data
        self.is_done = True
        if left < 0:
            self.rest = data[self._left :]
            return data[: self._left]
        return data

    def is_whole_at_eof(self) -> bool:
        return self.is_done


class CloseBody:
    """A body that ends with the connection: whether it is whole only its reader can tell."""

    __slots__ = ("is_done", "rest")

    def __init__(self) -> None:
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        return data

    def is_whole_at_eof(self) -> bool:
        return True


@lru_cache(maxsize=1024)  # the pieces of streams have few sizes
def _size_of(line: bytes) -> int:
    match = _SIZE.fullmatch(line)
    if match is None:
        raise failed("upstream_bad_reply")
    return int(match[1], 16)


class ChunkedBody:
    """The chunked transfer coding (RFC 9112, 7.1). Trailers are read and dropped."""

    __slots__ = (
        "_held",
        "_is_after_chunk",
        "_is_between",
        "_is_trailer",
        "_left",
        "_trailer_bytes",
        "is_done",
        "rest",
    )

    def __init__(self) -> None:
        # An unfinished line, kept until the rest of it comes.
        self._held = b""
        self._left = 0
        self._is_after_chunk = False
        self._is_trailer = False
        self._is_between = True  # of chunks: nothing of one has come
        self._trailer_bytes = 0
        self.is_done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if self._is_between:
            # Exactly one whole chunk, which is what servers of streams send at a time.
            line_end = data.find(b"\r\n", 0, _USUAL_LINE_BYTES)
            if line_end > 0 and data.endswith(b"\r\n"):
                size = _size_of(data[:line_end])
                if size and line_end + size + 4 == len(data):
                    return data[line_end + 2 : -2]
        elif self._held:
            data = self._held + data
            self._held = b""
        at, end, parts = 0, len(data), []
        while at < end and not self.is_done:
            if self._left:
                piece = data[at : at + self._left]
                parts.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._is_after_chunk = self._left == 0
                continue
            line_end = data.find(b"\r\n", at, at + MAX_LINE_BYTES)
            if line_end < 0:
                self._hold(data[at:])
                break
            if not self._is_after_chunk and not self._is_trailer:
                size = _size_of(data[at:line_end])
                stop = line_end + 2 + size
                if size and data[stop : stop + 2] == b"\r\n":  # all of it is there
                    parts.append(data[line_end + 2 : stop])
                    at = stop + 2
                    continue
            self._line(data[at:line_end])
            at = line_end + 2
        if self.is_done:
            self.rest = data[at:]
        self._is_between = not (self._held or self._left or self._is_after_chunk or self._is_trailer)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def is_whole_at_eof(self) -> bool:
        return self.is_done

    def _line(self, line: bytes) -> None:
        if self._is_after_chunk:
            if line:
                raise failed("upstream_bad_reply")
            self._is_after_chunk = False
        elif self._is_trailer:
            self._trailer_bytes += len(line)
            if self._trailer_bytes > MAX_TRAILER_BYTES:
                raise failed("upstream_bad_reply")
            self.is_done = not line
        else:
            self._left = _size_of(line)
            self._is_trailer = self._left == 0

    def _hold(self, line: bytes) -> None:
        if len(line) >= MAX_LINE_BYTES:
            raise failed("upstream_bad_reply")
        self._held = line


class Head:
    """The head of an answer and the framing of its body. Header names are lower case; the first of several wins."""

    __slots__ = ("body", "headers", "is_kept_alive", "status")

    def __init__(self, raw: bytes, method: str) -> None:
        """Parses `raw`, which ends with the empty line.

        Raises:
            UpstreamFailure: `upstream_bad_reply`.
        """
        text = raw.decode("latin-1")
        status_line = _STATUS.match(text)
        if status_line is None:
            raise failed("upstream_bad_reply")
        fields = _FIELD.findall(text, status_line.end())
        # Every line must be a field: one that the pattern skipped (folded, nameless, a bare line feed) is refused.
        if text.count("\n") != len(fields) + 2:
            raise failed("upstream_bad_reply")
        self.status = int(status_line[2])
        headers: dict[str, str] = {}
        for name, value in fields:
            lower = name.lower()
            if lower in headers and lower in _SINGLE and headers[lower] != value.rstrip(" \t"):
                raise failed("upstream_bad_reply")
            headers.setdefault(lower, value.rstrip(" \t"))
        self.headers: Mapping[str, str] = headers
        connection = headers.get("connection", "").lower()
        self.is_kept_alive = "close" not in connection and (status_line[1] == "1" or "keep-alive" in connection)
        self.body = self._framing(headers, method)

    def _framing(self, headers: dict[str, str], method: str) -> Body:
        if method == "HEAD" or self.status in {204, 304} or self.status < 200:
            return LengthBody(0)
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise failed("upstream_bad_reply")
            return ChunkedBody()
        if length is not None:
            if not _LENGTH.fullmatch(length):
                raise failed("upstream_bad_reply")
            return LengthBody(int(length))
        self.is_kept_alive = False
        return CloseBody()


# Two of these that differ are two ways to read one answer.
_SINGLE: Final = frozenset({"content-length", "transfer-encoding", "content-encoding"})
