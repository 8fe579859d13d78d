"""`POST /ai-service/leaked-keys`: where a secret scanner reports keys that it found in public.

In the form of GitHub's secret scanning partner programme: the body is an array of `{"token", "type", "url", "source"}`,
signed as a whole; the answer says of each whether it is a key of ours, by its hash, so that no key is sent back.
"""

import base64
from hashlib import sha256
from typing import Any

import orjson

from aiservice.errors import InvalidRequest
from aiservice.gateway.exchange import Handler, Receive, Routes, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.respond import send_whole
from aiservice.kit.addresses import client_address
from aiservice.kit.strict_json import BadJson, parse
from aiservice.services.core import Core
from aiservice.services.leaks import Report

_MAX_BODY_BYTES = 1 << 20
_MAX_REPORTS = 1_000
_IDENTIFIER, _SIGNATURE = b"github-public-key-identifier", b"github-public-key-signature"


class LeakRoutes:
    """For the scanner whose public keys an admin has put here; without them there is no such route."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def routes(self) -> Routes:
        return {"/ai-service/leaked-keys": {"POST": Handler(self._report)}}

    async def _report(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        raw = await read_body(scope, receive, _MAX_BODY_BYTES)
        address = client_address(scope, self._core.settings.trusted_proxies)
        self._core.leaks.authenticate(_one(scope, _IDENTIFIER), _one(scope, _SIGNATURE), raw, address=address)
        listed = _listed(raw)
        found = await self._core.leaks.report([report for report, _ in listed])
        told = [
            {
                "token_hash": base64.b64encode(sha256(report.token.encode()).digest()).decode(),
                "token_type": kind,
                "label": "false_positive" if leak is None else "true_positive",
            }
            for (report, kind), leak in zip(listed, found, strict=True)
        ]
        await send_whole(send, 200, [(b"x-request-id", request_id.encode())], orjson.dumps(told))


def _one(scope: Scope, name: bytes) -> str:
    """The header's one value; "" where there is none, or more than one."""
    values = [value for header, value in scope["headers"] if header == name]
    return values[0].decode("latin-1").strip() if len(values) == 1 else ""


def _listed(raw: bytes) -> list[tuple[Report, str]]:
    """The reports, and the type that each was sent with."""
    try:
        body = parse(raw)
    except BadJson as exc:
        raise InvalidRequest(str(exc), code="invalid_json") from None
    if not isinstance(body, list) or len(body) > _MAX_REPORTS:
        raise InvalidRequest(f"The body must be an array of at most {_MAX_REPORTS} reports.", code="invalid_json")
    return [_report_of(entry) for entry in body]


def _report_of(entry: Any) -> tuple[Report, str]:
    if not isinstance(entry, dict) or not isinstance(entry.get("token"), str):
        raise InvalidRequest('Each report is an object with a text "token".', param="token")
    said = {name: value if isinstance(value := entry.get(name), str) else "" for name in ("type", "url", "source")}
    return Report(entry["token"], said["url"], said["source"]), said["type"]
