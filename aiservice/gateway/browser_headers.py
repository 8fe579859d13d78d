"""What every answer tells a browser that meets it, whoever gives the answer: never to be framed, sniffed or run.

API answers carry the fixed part themselves (`API`). The portal and the sign-in routes have policies of their own, and
get here what one of their answers lacks: an error, a file, a redirect.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]

API: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_PORTAL: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
# Browsers ignore, and complain about, an opener policy that came over plain http.
_HTTPS: tuple[Header, ...] = (
    (b"strict-transport-security", b"max-age=31536000"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


def over_https(send: Send) -> Send:
    """`send`, with what only an encrypted connection may say."""
    return _adding(_HTTPS, send)


def beside_the_api(send: Send) -> Send:
    """`send`, with what an answer of the portal or the sign-in routes may lack."""
    return _adding(_PORTAL, send)


def _adding(wanted: tuple[Header, ...], send: Send) -> Send:
    def complete(message: MutableMapping[str, Any]) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            given = [*message.get("headers", ())]
            names = {name for name, _ in given}
            message = {**message, "headers": [*given, *(each for each in wanted if each[0] not in names)]}
        return send(message)

    return complete
