"""What may leave: paths, header names and values are checked here, and the provider's key is attached in one place.

Checks of values that repeat (paths, header sets) are cached, so that the hot path pays for a dictionary look-up.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from aiservice import __version__, errors
from aiservice.kit.secret import Secret
from aiservice.upstream.failures import failed
from aiservice.wire import HttpCall

Headers = tuple[tuple[str, str], ...]
# Makes the headers that authenticate one call. Called at send time only; what it returns is never kept.
Auth = Callable[[HttpCall], Headers]

# Whatever a dialect forwards or a provider adds, nothing else reaches a vendor: no cookies, no account or project
# selectors, no client address. A provider narrows this list further.
ALLOWED_HEADERS: Final = frozenset(
    {
        "accept",
        "anthropic-beta",
        "anthropic-version",
        "content-type",
        "http-referer",
        "idempotency-key",
        "openai-beta",
        "traceparent",
        "x-client-request-id",
        "x-title",
    }
)
# Always sent. A compressed answer is refused, so none is asked for.
_FIXED_HEADERS: Final[Headers] = (
    ("accept-encoding", "identity"),
    ("user-agent", f"aiservice/{__version__}"),
)
_VALUE = re.compile(r"[\x20-\x7e]{0,256}")
_AUTH_NAME = re.compile(r"authorization|[a-z][a-z0-9-]{0,30}-(key|token)")
# Constant words and quoted ids (a quoted id holds no '/', '.' segment or '%2f'); a query of plain pairs.
_PATH = re.compile(r"(/[A-Za-z0-9._~:@!$&'()*+,;=%-]+)+(\?[A-Za-z0-9._~:@!$'()*+,;=&%/-]*)?")
_ESCAPED = re.compile(r"%(2f|5c|2e|00|0a|0d)|%(?![0-9a-f]{2})", re.IGNORECASE)
# An Amazon resource name is one id with a slash between two words: `arn%3Aaws%3A…%3Ainference-profile%2Fabc`.
_ARN = re.compile(r"(?<=/)(arn%3Aaws[a-z-]{0,12}%3A[A-Za-z0-9%-]{0,120}%3A[a-z][a-z-]{0,40})%2F(?=[A-Za-z0-9])")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


@lru_cache(maxsize=1024)
def checked_headers(headers: Headers) -> Headers:
    """`headers` with the ones that are always sent; names lower case.

    Raises:
        errors.InvalidRequest: a name that is not on the allow-list, or a value outside [\\x20-\\x7e]{0,256}.
    """
    for name, value in headers:
        if name.lower() not in ALLOWED_HEADERS:
            raise errors.InvalidRequest("This header is not one that is sent to a provider.", code="invalid_header")
        if not _VALUE.fullmatch(value):
            raise errors.InvalidRequest(
                f"The header {name.lower()} must be at most 256 printable ASCII characters.",
                code="invalid_header",
                param=name.lower(),
            )
    return tuple((name.lower(), value) for name, value in headers) + _FIXED_HEADERS


@lru_cache(maxsize=4096)
def checked_path(path: str) -> str:
    """`path` as it is appended to the connection's address.

    Raises:
        errors.InvalidRequest: an absolute URL, `//`, `.` or `..` segments, escaped slashes or dots, a fragment,
            anything that is not a plain path.
    """
    plain = path.partition("?")[0]
    if (
        len(path) > 2048
        or not _PATH.fullmatch(path)
        or _ESCAPED.search(path if "arn%3A" not in path else _ARN.sub(r"\1-", path))
        or any(segment in {".", ".."} for segment in plain.split("/"))
    ):
        raise errors.InvalidRequest("The model or object id is not valid.", code="invalid_path")
    return path


def clean_provider_key(text: str) -> Secret:
    """A provider key as it was typed or pasted, without the white space around it.

    Raises:
        errors.InvalidRequest: empty, or with white space, control or non-ASCII characters inside.
    """
    key = text.strip(" \t\r\n")
    if not _KEY.fullmatch(key):
        raise errors.InvalidRequest(
            "The provider key must be plain ASCII without spaces or line breaks. Copy it again.",
            code="invalid_provider_key",
            param="key",
        )
    return Secret(key)


class KeyHeader:
    """Authenticates with one header made of a prefix and the key, such as `authorization: Bearer <key>`."""

    __slots__ = ("_name", "_prefix", "_secret")

    def __init__(self, secret: Secret, name: str = "authorization", prefix: str = "Bearer ") -> None:
        if not _AUTH_NAME.fullmatch(name):
            raise ValueError("not a header that authenticates")
        self._secret = secret
        self._name = name
        self._prefix = prefix

    def __call__(self, _call: HttpCall) -> Headers:
        return ((self._name, self._prefix + self._secret.reveal_text()),)

    def __repr__(self) -> str:
        return f"KeyHeader({self._name}: ***)"


def no_auth(_call: HttpCall) -> Headers:
    """For a provider that needs no key (a model server on the own machine)."""
    return ()


def auth_headers(auth: Auth, call: HttpCall) -> Headers:
    """The headers that authenticate `call`: the one place where a provider key becomes part of a request.

    Raises:
        UpstreamFailure: `upstream_credential_invalid`; the library's own error would print the value.
    """
    try:
        headers = auth(call)
    except ValueError:  # no key of this vendor's, or no text
        raise failed("upstream_credential_invalid") from None
    for _, value in headers:
        if not (value.isascii() and value.isprintable()):
            raise failed("upstream_credential_invalid")
    return headers
