"""The session cookie: its two names, how it is read, set and cleared; the ticket of a sign-in that waits, and what a
browser has while it is with somebody else who knows the person (single sign-on).

On https the name is `__Host-ais_sid`, which browsers accept only with Secure, Path=/ and no Domain, so that no
sibling host and no plain-http page can plant one. On plain http it is `ais_sid`.
"""

import re
from collections.abc import Iterable, Mapping

SECURE_NAME = "__Host-ais_sid"
PLAIN_NAME = "ais_sid"
SECURE_TICKET, PLAIN_TICKET = "__Host-ais_ticket", "ais_ticket"
SECURE_AWAY, PLAIN_AWAY = "__Host-ais_sso", "ais_sso"
OPENED_BY = "ais_by"
_VALUE = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in base64url without padding

Headers = Iterable[tuple[bytes, bytes]] | Mapping[str, str]


def read_session_cookie(headers: Headers | str, *, is_https: bool | None = None) -> str | None:
    """The session id a request carries, or None.

    `headers` are ASGI headers, a mapping with lower-case names, or the text of the Cookie header itself (what Reflex
    keeps). `is_https` True reads only the `__Host-` name and False only the plain one; None (not known, as inside
    a websocket event) prefers the `__Host-` name. Two different values under one name are refused: one was planted.
    """
    return _read(headers, is_https, SECURE_NAME, PLAIN_NAME)


def read_ticket(headers: Headers | str, *, is_https: bool | None = None) -> str | None:
    """The ticket of a sign-in that waits; read as the session cookie is."""
    return _read(headers, is_https, SECURE_TICKET, PLAIN_TICKET)


def read_away(headers: Headers | str, *, is_https: bool | None = None) -> str | None:
    """What a browser that was with a provider comes back with; read as the session cookie is."""
    return _read(headers, is_https, SECURE_AWAY, PLAIN_AWAY)


def _read(headers: Headers | str, is_https: bool | None, secure_name: str, plain_name: str) -> str | None:
    found = _values(_cookie_text(headers), (secure_name, plain_name))
    secure, plain = found.get(secure_name, set()), found.get(plain_name, set())
    chosen = (secure or plain) if is_https is None else (secure if is_https else plain)
    if len(chosen) != 1:
        return None
    (value,) = chosen
    return value if _VALUE.fullmatch(value) else None


def set_session_cookie(value: str, *, is_https: bool, max_age_seconds: int) -> str:
    """The Set-Cookie line that gives the browser session id `value`."""
    return f"{_name(is_https)}={value}; Max-Age={max_age_seconds}; {_attributes(is_https)}"


def clear_session_cookie(*, is_https: bool) -> str:
    """The Set-Cookie line that takes the session cookie away."""
    return f"{_name(is_https)}=; Max-Age=0; {_attributes(is_https)}"


def set_ticket(value: str, *, is_https: bool, max_age_seconds: int) -> str:
    """The Set-Cookie line that gives the browser the ticket `value`."""
    return f"{_ticket_name(is_https)}={value}; Max-Age={max_age_seconds}; {_attributes(is_https)}"


def clear_ticket(*, is_https: bool) -> str:
    """The Set-Cookie line that takes the ticket away."""
    return f"{_ticket_name(is_https)}=; Max-Age=0; {_attributes(is_https)}"


def set_away(value: str, *, is_https: bool, max_age_seconds: int) -> str:
    """The Set-Cookie line for a browser that goes to a provider. Lax: it comes back from another site."""
    return f"{_away_name(is_https)}={value}; Max-Age={max_age_seconds}; {_attributes(is_https)}"


def clear_away(*, is_https: bool) -> str:
    """The Set-Cookie line that takes it away."""
    return f"{_away_name(is_https)}=; Max-Age=0; {_attributes(is_https)}"


def set_opened_by(name: str, *, is_https: bool, max_age_seconds: int) -> str:
    """The Set-Cookie line that tells our scripts which provider opened the session: no secret, and nobody's right."""
    secure = "; Secure" if is_https else ""
    return f"{OPENED_BY}={name}; Max-Age={max_age_seconds}; Path=/; SameSite=Lax{secure}"


def _away_name(is_https: bool) -> str:
    return SECURE_AWAY if is_https else PLAIN_AWAY


def _ticket_name(is_https: bool) -> str:
    return SECURE_TICKET if is_https else PLAIN_TICKET


def _name(is_https: bool) -> str:
    return SECURE_NAME if is_https else PLAIN_NAME


def _attributes(is_https: bool) -> str:
    return "Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_https else "")


def _cookie_text(headers: Headers | str) -> str:
    if isinstance(headers, str):
        return headers
    if isinstance(headers, Mapping):
        return headers.get("cookie", "")
    return ";".join(value.decode("latin-1") for name, value in headers if name == b"cookie")


def _values(cookies: str, names: tuple[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in cookies.split(";"):
        name, _, value = part.partition("=")
        if (name := name.strip()) in names:
            found.setdefault(name, set()).add(value.strip())
    return found
