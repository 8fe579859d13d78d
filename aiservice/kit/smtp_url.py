"""The address of a mail server, as one URL: smtp://user:password@host:587 or smtps://host."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from aiservice.kit.secret import Secret

Security = Literal["tls", "starttls", "none"]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(slots=True, frozen=True)
class SmtpServer:
    """Where mail is handed in, and how. "tls" is from the first byte, "starttls" before anything else is said."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: Secret | None = None

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK


def parse_smtp_url(text: str) -> SmtpServer:
    """The server of a URL.

    `smtps://` is TLS (port 465); `smtp://` is STARTTLS (port 587), which is required, but on the loopback (port 25)
    not used. `?starttls=always` or `?starttls=never` says otherwise.

    Raises:
        ValueError: no such URL, or a password that would go over the network in clear. The text quotes none of it.
    """
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
        query = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ValueError("it is not a URL such as smtp://user:password@mail.example.com:587") from None
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path not in ("", "/") or parts.fragment or port == 0:
        raise ValueError("it must be like smtp://user:password@mail.example.com:587 or smtps://mail.example.com")
    chosen = query.pop("starttls", "")
    if query or chosen not in ("", "always", "never") or (chosen and parts.scheme == "smtps"):
        raise ValueError("the only option is starttls=always or starttls=never, for smtp://")
    is_local = host in _LOOPBACK
    security: Security = "tls" if parts.scheme == "smtps" else "starttls"
    if parts.scheme == "smtp" and (chosen == "never" or (is_local and chosen != "always")):
        security = "none"
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise ValueError("a user name and a password belong together")
    if security == "none" and user and not is_local:
        raise ValueError("a password must not go over the network in clear: leave starttls=never out, or the password")
    usual = {"tls": 465, "starttls": 587, "none": 25}[security]
    return SmtpServer(host, port or usual, security, user, Secret(password) if password else None)
