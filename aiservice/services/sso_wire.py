"""What is asked of an OpenID provider: its discovery document, its keys, a token for a code, and who somebody is.

Everything leaves by the one door out, with the checks that an AI provider's address gets: looked up once, private
addresses only where allowed, no redirect followed, small answers, short deadlines. Fails closed: without the provider
nobody signs in by it. What was read is used for an hour; a key that is not known is looked for again at most once a
minute, and one that failed is asked again after five seconds, so that no crowd stands at the provider's door.

What verifies is loaded in a thread by the first sign-in: two megabytes, for who has such a provider.
"""

import asyncio
import base64
import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import orjson

from aiservice.errors import BrokerError, InvalidRequest, ProviderFailed, Unprocessable
from aiservice.kit.bounded_json import loads
from aiservice.kit.secret import Secret
from aiservice.settings import Deadlines
from aiservice.tables import SsoProvider
from aiservice.upstream.client import Target, Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.upstream.guard import ParsedBase, check_base_url
from aiservice.upstream.outgoing import Auth, KeyHeader, no_auth
from aiservice.wire import HttpCall, HttpReply

if TYPE_CHECKING:
    from aiservice.kit.id_tokens import VerifyingKey

WELL_KNOWN = "/.well-known/openid-configuration"
KEPT_SECONDS = 3600.0
LOOK_AGAIN_SECONDS = 60.0
FAILED_SECONDS = 5.0
MAX_BYTES = 256 * 1024
_DEADLINES = Deadlines(connect=5.0, first_byte=10.0, idle=5.0, total=15.0, progress=15.0)
_FORM = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
_GET = (("accept", "application/json"),)
_IN_HEADER, _IN_BODY = "client_secret_basic", "client_secret_post"
_MOST_KEPT = 100


@dataclass(slots=True, frozen=True)
class Metadata:
    """What the discovery document says, checked. Addresses of which it says none are ""."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    end_session: str
    auth_methods: tuple[str, ...]
    names_issuer: bool
    """It says in its answer who it is (RFC 9207)."""


@dataclass(slots=True)
class _Kept:
    metadata: Metadata
    read_at: float
    keys: "tuple[VerifyingKey, ...]" = ()
    keys_at: float = float("-inf")


@dataclass(slots=True, frozen=True)
class Answer:
    """What a code was good for."""

    claims: dict[str, Any]
    id_token: str


@dataclass(slots=True, frozen=True)
class Exchange:
    """A code, and all that it is exchanged with."""

    code: str
    verifier: str
    nonce: str
    redirect_uri: str
    secret: Secret | None


class SsoWire:
    """Speaks to providers. `clock` is monotonic, in seconds."""

    def __init__(self, upstream: Upstream, clock: Any = time.monotonic) -> None:
        self._upstream = upstream
        self._clock = clock
        self._kept: dict[tuple[str, int], _Kept] = {}
        self._failed: dict[tuple[str, int], tuple[float, ProviderFailed]] = {}
        self._turns: dict[tuple[str, int], asyncio.Lock] = {}

    async def metadata(self, row: SsoProvider, *, is_fresh: bool = False) -> Metadata:
        """The discovery document. `is_fresh`: read now.

        Raises:
            ProviderFailed: not reached (`sso_unreachable`), or not a document of this issuer (`sso_discovery_invalid`).
        """
        return (await self._known(row, is_fresh=is_fresh)).metadata

    async def keys(self, row: SsoProvider, *, is_fresh: bool = False) -> "tuple[VerifyingKey, ...]":
        """The keys that may sign. Raises: as `metadata`."""
        await _load()
        from aiservice.kit.id_tokens import keys_of  # noqa: PLC0415 - see above

        known = await self._known(row)
        age = self._clock() - known.keys_at
        if age > KEPT_SECONDS or (is_fresh and age > LOOK_AGAIN_SECONDS):
            reply = await self._call(row, known.metadata.keys, HttpCall("", b"", "GET", _GET))
            try:
                known.keys = keys_of(_json(reply))
            except ValueError:
                raise _invalid(row, "its keys (jwks_uri) cannot be read") from None
            known.keys_at = self._clock()
        return known.keys

    async def exchange(self, row: SsoProvider, given: Exchange) -> Answer:
        """Who is there, for a code that the provider gave their browser.

        Raises:
            ProviderFailed: as `metadata`; `sso_token_refused` where it takes the code, the secret or the redirect URI
                for wrong; `sso_token_invalid` or `sso_clock_skew` where its token is not right.
        """
        metadata = await self.metadata(row)
        auth, extra = _client_auth(row, metadata, given.secret)
        form = {
            "grant_type": "authorization_code",
            "code": given.code,
            "redirect_uri": given.redirect_uri,
            "code_verifier": given.verifier,
            **extra,
        }
        reply = await self._call(row, metadata.token, HttpCall("", urlencode(form).encode(), "POST", _FORM), auth)
        said = _json(reply)
        if reply.status != 200 or not isinstance(said.get("id_token"), str):
            raise _refused(row, said, reply.status)
        token: str = said["id_token"]
        claims = await self._verified(row, token, given.nonce)
        if not isinstance(claims.get("email"), str) and metadata.userinfo and isinstance(said.get("access_token"), str):
            claims = {**await self._userinfo(row, metadata, Secret(said["access_token"]), claims["sub"]), **claims}
        return Answer(claims, token)

    def forget(self, provider_id: str) -> None:
        """What was read of a provider is read anew."""
        for name in [name for name in self._kept if name[0] == provider_id]:
            del self._kept[name]

    async def _verified(self, row: SsoProvider, token: str, nonce: str) -> dict[str, Any]:
        await _load()
        from aiservice.kit.id_tokens import BadIdToken, Expected, verify_id_token  # noqa: PLC0415 - see above

        expected = Expected(row.issuer, row.client_id, nonce)
        try:
            try:
                return verify_id_token(token, await self.keys(row), expected, time.time())
            except BadIdToken as bad:
                if bad.why != "key":
                    raise
            return verify_id_token(token, await self.keys(row, is_fresh=True), expected, time.time())
        except BadIdToken as bad:
            if bad.why in ("expired", "early"):
                message = f"{bad} Set this server's clock, or the provider's: they may be 60 seconds apart."
                raise ProviderFailed(message, code="sso_clock_skew") from None
            message = f"The sign-in is refused. {bad} Check issuer and client id."
            raise ProviderFailed(message, code="sso_token_invalid") from None

    async def _userinfo(
        self, row: SsoProvider, metadata: Metadata, access_token: Secret, subject: str
    ) -> Mapping[str, Any]:
        """What else is said of the person (OpenID Connect Core §5.3); of somebody else it is nothing."""
        try:
            auth = KeyHeader(access_token)
            reply = await self._call(row, metadata.userinfo, HttpCall("", b"", "GET", _GET), auth)
        except ProviderFailed:
            return {}
        said = _json(reply)
        return said if reply.status == 200 and said.get("sub") == subject else {}

    async def _known(self, row: SsoProvider, *, is_fresh: bool = False) -> _Kept:
        name = (row.id, row.revision)
        async with self._turns.setdefault(name, asyncio.Lock()):  # a crowd at the button asks once
            known = self._kept.get(name)
            if known is not None and not is_fresh and self._clock() - known.read_at < KEPT_SECONDS:
                return known
            failed_at, failure = self._failed.get(name, (float("-inf"), None))
            if failure is not None and not is_fresh and self._clock() - failed_at < FAILED_SECONDS:
                raise failure
            try:
                return await self._read(row, known, is_fresh=is_fresh)
            except ProviderFailed as exc:
                self._failed[name] = (self._clock(), exc)
                raise

    async def _read(self, row: SsoProvider, known: _Kept | None, *, is_fresh: bool) -> _Kept:
        reply = await self._call(row, row.issuer.rstrip("/") + WELL_KNOWN, HttpCall("", b"", "GET", _GET))
        if reply.status != 200:
            raise _invalid(row, f"{row.issuer.rstrip('/')}{WELL_KNOWN} answered {reply.status}")
        fresh = _Kept(_metadata(row, _json(reply)), self._clock())
        if known is not None and known.metadata.keys == fresh.metadata.keys and not is_fresh:
            fresh.keys, fresh.keys_at = known.keys, known.keys_at
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
            self._failed.clear()
            self._turns.clear()
        self._kept[row.id, row.revision] = fresh
        return fresh

    async def _call(self, row: SsoProvider, url: str, call: HttpCall, auth: Auth = no_auth) -> HttpReply:
        base, path = endpoint(url, is_private_allowed=row.is_private_allowed)
        host = ParsedBase(base.scheme, base.host, base.port, "")
        target = Target(f"sso {row.id} {base.host}:{base.port}", row.revision, host, auth, row.is_private_allowed)
        sent = HttpCall(path, call.body, call.method, call.headers)
        try:
            return await self._upstream.send(target, sent, deadlines=_DEADLINES, max_bytes=MAX_BYTES)
        except UpstreamFailure as exc:
            words = exc.failure.message.replace("The provider", f"{row.label} ({base.host})")
            raise ProviderFailed(f"{words} Nobody can sign in by it until it answers.", code="sso_unreachable") from exc
        except BrokerError as exc:
            raise _invalid(row, exc.message) from exc


async def _load() -> None:
    await asyncio.to_thread(importlib.import_module, "aiservice.kit.id_tokens")


def endpoint(url: str, *, is_private_allowed: bool) -> tuple[ParsedBase, str]:
    """An address of a provider, checked, and its path with query.

    Raises:
        ProviderFailed: `sso_discovery_invalid`: not one that may be called.
    """
    address, mark, query = url.partition("?")
    try:
        base = check_base_url(address, is_private_allowed)
    except (InvalidRequest, Unprocessable) as exc:
        words = exc.message.replace("base URL", f"address {url[:100]!r}").replace("connection", "provider")
        raise ProviderFailed(f"The provider names an address that is not used. {words}", code=_INVALID) from None
    return base, (base.path or "/") + mark + query


_INVALID = "sso_discovery_invalid"


def _metadata(row: SsoProvider, said: Mapping[str, Any]) -> Metadata:
    if said.get("issuer") != row.issuer:
        told = str(said.get("issuer"))[:200]
        raise _invalid(
            row, f"its document names the issuer {told!r}, and {row.issuer!r} is configured: they must be equal"
        )
    texts = {
        name: _text(said.get(f"{name}_endpoint")) for name in ("authorization", "token", "userinfo", "end_session")
    }
    keys = _text(said.get("jwks_uri"))
    if not (texts["authorization"] and texts["token"] and keys):
        raise _invalid(row, "its document lacks authorization_endpoint, token_endpoint or jwks_uri")
    for url in (*texts.values(), keys):
        if url:
            endpoint(url, is_private_allowed=row.is_private_allowed)
            if urlsplit(url).fragment:
                raise _invalid(row, "an address in its document has a fragment")
    methods = said.get("token_endpoint_auth_methods_supported")
    known = tuple(each for each in methods if isinstance(each, str)) if isinstance(methods, list) else (_IN_HEADER,)
    names_issuer = said.get("authorization_response_iss_parameter_supported") is True
    return Metadata(
        texts["authorization"], texts["token"], keys, texts["userinfo"], texts["end_session"], known, names_issuer
    )


def _client_auth(row: SsoProvider, metadata: Metadata, secret: Secret | None) -> tuple[Auth, dict[str, str]]:
    """How the client proves itself (OpenID Connect Core §9): by its secret in a header, or in the form."""
    if secret is None:
        return no_auth, {"client_id": row.client_id}
    if _IN_HEADER not in metadata.auth_methods and _IN_BODY in metadata.auth_methods:
        return no_auth, {"client_id": row.client_id, "client_secret": secret.reveal_text()}
    pair = f"{quote_plus(row.client_id)}:{quote_plus(secret.reveal_text())}"  # RFC 6749 §2.3.1
    return KeyHeader(Secret(base64.b64encode(pair.encode())), prefix="Basic "), {}


def _refused(row: SsoProvider, said: Mapping[str, Any], status: int) -> ProviderFailed:
    code = str(said.get("error", ""))[:60]
    advice = {
        "invalid_client": "Check the client id and set the client secret again.",
        "unauthorized_client": "Allow the authorization code flow for this client there.",
        "invalid_grant": "Begin again; if it happens every time, compare the redirect URI there with the one here.",
        "redirect_uri_mismatch": "Enter the redirect URI there as it is shown here.",
    }.get(code, "Look into the provider's log.")
    what = f"said '{code}'" if code else f"answered {status} without an ID token"
    return ProviderFailed(f"{row.label} did not take the code: it {what}. {advice}", code="sso_token_refused")


def _invalid(row: SsoProvider, why: str) -> ProviderFailed:
    return ProviderFailed(f"{row.label} cannot be used: {why}.", code=_INVALID)


def _json(reply: HttpReply) -> dict[str, Any]:
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""
