"""Google Cloud's credentials: the JSON of a service account or of a signed-in user, exchanged for an access token.

The JSON is stored as one line: `json:` and its base64, of the fields that are needed. Anything else is an API key
(express mode), which is sent as it is.
"""

import base64
from typing import Any
from urllib.parse import urlencode

import orjson

from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.providers._base import AttemptFailed
from aiservice.providers._failures import vetted
from aiservice.providers._key_exchange import BoughtToken, KeyExchange
from aiservice.wire import AttemptFailure, Blame, HttpCall, HttpReply, Json

_MARK = "json:"
BEARER = "Bearer "  # with a space, which no stored key has
_TOKEN_URL = "https://oauth2.googleapis.com/token"
_HOSTS = frozenset({"oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com"})
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME_SECONDS = 3600
_NEEDED = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}
_OPTIONAL = ("private_key_id", "token_uri")
_FORM = (("content-type", "application/x-www-form-urlencoded"),)


def packed(key: bytes) -> bytes:
    """A credential as it is stored.

    Raises:
        ValueError: JSON that is no credential of Google's which can be exchanged here; its words quote nothing of it.
    """
    if not key.lstrip().startswith(b"{"):
        return key
    try:
        said = loads(key)
    except orjson.JSONDecodeError:
        raise ValueError("The key begins like JSON and is none. Paste the whole file of the service account.") from None
    kind = said.get("type")
    needed = _NEEDED.get(kind) if isinstance(kind, str) else None
    if needed is None:
        raise ValueError(
            "The JSON must be of 'type' service_account or authorized_user: make a key of such an account."
        )
    for name in needed:
        if not isinstance(said.get(name), str) or not said[name]:
            raise ValueError(f"The JSON of this {kind} has no '{name}'. Paste the whole file.")
    kept = {name: said[name] for name in ("type", *needed, *_OPTIONAL) if isinstance(said.get(name), str)}
    if kind == "service_account":
        try:
            _signer(kept)
        except ValueError:
            raise ValueError("The JSON's 'private_key' is no RSA key in PEM. Paste the whole file.") from None
    return _MARK.encode() + base64.b64encode(orjson.dumps(kept))


def exchange_of(key: Secret) -> "GoogleExchange | None":
    """How a stored credential is exchanged; None for an API key."""
    text = key.reveal_text()
    if not text.startswith(_MARK):
        return None
    return GoogleExchange(loads(base64.b64decode(text[len(_MARK) :])))


class GoogleExchange(KeyExchange):
    """A service account's assertion, or a user's refresh token, for an access token."""

    vendor_hosts = _HOSTS

    def __init__(self, said: Json) -> None:
        self._said = said
        self.token_url = said.get("token_uri") or _TOKEN_URL

    def call(self, now_s: int) -> HttpCall:
        said = self._said
        if said["type"] == "authorized_user":
            names = ("client_id", "client_secret", "refresh_token")
            form = {"grant_type": "refresh_token", **{name: said[name] for name in names}}
        else:
            form = {"grant_type": _JWT_GRANT, "assertion": _assertion(said, self.token_url, now_s)}
        return HttpCall("", urlencode(form).encode(), headers=_FORM)

    def read(self, reply: HttpReply) -> BoughtToken:
        try:
            said = loads(reply.body)
        except orjson.JSONDecodeError:
            said = None
        said = said if isinstance(said, dict) else {}
        token, seconds = said.get("access_token"), said.get("expires_in")
        if reply.status != 200 or not isinstance(token, str) or not token:
            raise AttemptFailed(_refused(reply.status, said))
        lifetime = _LIFETIME_SECONDS
        if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0:
            lifetime = min(seconds, 86_400)
        return BoughtToken(Secret((BEARER + token).encode()), lifetime)


def _refused(status: int, said: Json) -> AttemptFailure:
    word = said.get("error")
    word = vetted(word) if isinstance(word, str) else f"status {status}"
    message = (
        f"Google gave no access token for the stored credential ({word}). Check that the account exists, that its key "
        "was not deleted or expired, and that this server's clock is right; then set the key again."
    )
    is_away = status == 429 or status >= 500
    return AttemptFailure(
        502, "upstream_token_refused", message, Blame.RETRY if is_away else Blame.FAILOVER, upstream_status=status
    )


def _assertion(said: Json, audience: str, now_s: int) -> str:
    """The signed claim of a service account (RFC 7523)."""
    from google.auth import jwt  # noqa: PLC0415 - a quarter of a second, which only its users wait for

    claims = {"iss": said["client_email"], "scope": _SCOPE, "aud": audience, "iat": now_s}
    signed: bytes = jwt.encode(_signer(said), {**claims, "exp": now_s + _LIFETIME_SECONDS})  # type: ignore[no-untyped-call]
    return signed.decode()


def _signer(said: Json) -> Any:
    from google.auth import crypt  # noqa: PLC0415 - as above

    from_string: Any = crypt.RSASigner.from_string
    return from_string(said["private_key"], said.get("private_key_id"))
