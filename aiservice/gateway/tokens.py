"""Short-lived tokens: `POST /ai-service/token`, `POST /ai-service/token/revoke`, `GET /.well-known/jwks.json`."""

from typing import Any

import orjson

from aiservice.errors import InvalidRequest
from aiservice.gateway.authenticate import authenticate
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.limit_headers import headers_of_caller
from aiservice.gateway.request_limits import count_request
from aiservice.gateway.respond import send_public, send_whole
from aiservice.kit.addresses import client_address
from aiservice.kit.clock import iso
from aiservice.kit.strict_json import BadJson, parse
from aiservice.services.core import Core
from aiservice.services.token_keys import JWKS_MAX_AGE_SECONDS
from aiservice.services.tokens import DEFAULT_TTL_SECONDS, require_key

_MAX_BODY_BYTES = 16 << 10
_ASKED = ("expires_in", "scopes", "metadata")
_ENDED = ("token", "id", "all")


class TokenRoutes:
    """For whoever holds a client key; the public keys are for everybody."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> Routes:
        return {
            "/ai-service/token": {"POST": Handler(self._issue, scope_name="key", without_secret=_without_token)},
            "/ai-service/token/revoke": {"POST": Handler(self._end, scope_name="key", is_free=True)},
            "/.well-known/jwks.json": {"GET": Handler(self._jwks)},
        }

    async def _issue(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        principal = await authenticate(self._core, scope)
        require_key(principal)
        await count_request(self._core.limiter, principal, request_id)
        asked = await _object(scope, receive, _ASKED)
        made = await self._core.tokens.issue(
            principal,
            ttl_seconds=_seconds(asked.get("expires_in")),
            scopes=_texts(asked.get("scopes")),
            metadata=_metadata(asked.get("metadata")),
            address=self._address(scope),
        )
        told = {
            "object": "ai_service.token",
            "id": made.id,
            "token": made.token.reveal_text(),
            "expires_at": iso(made.expires_us),
            "scopes": made.scopes,
        }
        headers = (*_identified(request_id), *headers_of_caller(self._core.limiter, principal))
        await send_whole(send, 200, headers, orjson.dumps(told))

    async def _end(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        principal = await authenticate(self._core, scope)
        require_key(principal)
        asked = await _object(scope, receive, _ENDED)
        if len(asked) != 1:
            raise InvalidRequest('Send one of {"token": "…"}, {"id": "tok_…"} and {"all": true}.')
        name, value = asked.popitem()
        if name == "all":
            if value is not True:
                raise InvalidRequest("'all' can only be true.", param="all")
            await self._core.tokens.end_all(principal)
            told: dict[str, object] = {"revoked": True, "all": True}
        else:
            if not isinstance(value, str):
                raise InvalidRequest(f"'{name}' must be a text.", param=name)
            told = {"revoked": True, "id": await self._core.tokens.end(principal, value, address=self._address(scope))}
        headers = (*_identified(request_id), *headers_of_caller(self._core.limiter, principal))
        await send_whole(send, 200, headers, orjson.dumps(told))

    async def _jwks(self, _scope: Scope, _receive: Receive, send: Send, request_id: str) -> None:
        keys = self._core.tokens.keys
        keys.require()
        await send_public(send, _identified(request_id), keys.jwks(), max_age_seconds=JWKS_MAX_AGE_SECONDS)

    def _address(self, scope: Scope) -> str:
        return client_address(scope, self._core.settings.trusted_proxies)


def _without_token(body: bytes) -> bytes:
    """What is told again of a token that was issued: all but the token, which is kept nowhere."""
    return orjson.dumps({**orjson.loads(body), "token": None, "already_issued": True})


def _identified(request_id: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"x-request-id", request_id.encode()),)


async def _object(scope: Scope, receive: Receive, known: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in the body, with no other members than `known`; no body is an empty one."""
    raw = await read_body(scope, receive, _MAX_BODY_BYTES)
    try:
        body = parse(raw) if raw.strip() else {}
    except BadJson as exc:
        raise InvalidRequest(str(exc), code="invalid_json") from None
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.", code="invalid_json")
    for name in body:
        if name not in known:
            raise InvalidRequest(f"'{name[:60]}' is not known here. Known: {', '.join(known)}.", param=name[:60])
    return body


def _seconds(value: Any) -> int:
    if value is None:
        return DEFAULT_TTL_SECONDS
    if type(value) is not int:
        raise InvalidRequest("'expires_in' must be a whole number of seconds.", param="expires_in")
    return value


def _texts(value: Any) -> list[str] | None:
    if value is not None and (not isinstance(value, list) or not all(isinstance(item, str) for item in value)):
        raise InvalidRequest("'scopes' must be a list of texts.", param="scopes")
    return value


def _metadata(value: Any) -> dict[str, str] | None:
    if value is not None and (not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values())):
        raise InvalidRequest("'metadata' must be an object of texts.", param="metadata")
    return value
