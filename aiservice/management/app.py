"""The management API: everything below `/api`, and its description. One ASGI callable; whatever happens, it answers in
JSON, and errors as problem details.

Callers send an access token of a person and act with that person's own rights. Neither a client key (it is for
inference) nor a portal session is taken: what a browser sends by itself can do nothing here, so there is no forgery of
requests to guard against. Fails closed.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiservice.errors import BrokerError, InternalFault, InvalidRequest, MethodNotAllowed, NotFound, PermissionDenied
from aiservice.gateway.authenticate import credential_of
from aiservice.gateway.browser_headers import API
from aiservice.gateway.edge import check_head, check_query
from aiservice.gateway.exchange import Receive, Scope, Send
from aiservice.gateway.intake import read_body
from aiservice.gateway.respond import Header, end_stream, send_nothing, send_piece, send_whole
from aiservice.kit import keyformat
from aiservice.kit.addresses import client_address
from aiservice.kit.ids import new_id
from aiservice.management.described import PATHS, Described
from aiservice.management.models import CsvLines, Given, Query, Told
from aiservice.management.once import Keyed, OncePerKey
from aiservice.management.problems import MEDIA_TYPE, PreconditionFailed, headers_of, problem
from aiservice.management.reading import MAX_BODY_BYTES, check_media_type, read_object, read_query
from aiservice.management.rows import READING, Call, Router, Row
from aiservice.services import rights
from aiservice.services.audit_entry import CALLER_ADDRESS
from aiservice.services.core import Core
from aiservice.services.idempotency import answering
from aiservice.services.management_calls import Kept
from aiservice.services.personal_tokens import Bearer

log = logging.getLogger(__name__)
_PIECE_CHARACTERS = 64 * 1024


class Management:
    """The routes below `/api`. One object a worker."""

    def __init__(self, core: Core, rows: tuple[Row, ...]) -> None:
        self._core = core
        self._router = Router(rows)
        self._once = OncePerKey(core.management_calls)
        self._base_url = (core.settings.public_url or "").rstrip("/")
        self._described = Described(rows, self._base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope, receive, _without_body(send) if scope["method"] == "HEAD" else send, new_id("req"))
        try:
            check_head(scope)
            if scope["path"] in PATHS:
                await self._described.send(scope["path"], scope["method"], asked.named, asked.send)
                return
            row, args = self._row(scope)
            if row is None:
                await send_nothing(asked.send, [(b"allow", args["allow"].encode()), asked.named])
                return
            asked.row = row
            check_query(scope)
            await self._answer(asked, row, args)
        except BrokerError as error:
            await self._refuse(error, asked)
        except Exception:
            log.exception("request %s failed", asked.request_id)
            await self._refuse(InternalFault(), asked)

    def _row(self, scope: Scope) -> tuple[Row | None, dict[str, str]]:
        """What answers, with what its path names; None for OPTIONS, with what there is.

        Raises:
            NotFound, MethodNotAllowed.
        """
        found = self._router.find(scope["path"])
        if found is None:
            raise NotFound("There is no such management route. /docs lists them all.", code="route_not_found")
        methods, args = found
        method: str = scope["method"]
        row = methods.get("GET" if method == "HEAD" else method)
        if row is not None:
            return row, args
        names = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
        allow = ", ".join(sorted(names))
        if method == "OPTIONS":
            return None, {"allow": allow}
        error = MethodNotAllowed(f"This route takes {allow}.")
        error.headers = ((b"allow", allow.encode()),)
        raise error

    async def _answer(self, asked: "Asked", row: Row, args: dict[str, str]) -> None:
        scope = asked.scope
        bearer = await self._bearer(scope)
        if not (bearer.may_write or row.is_reading):
            raise PermissionDenied("This access token only reads. Make one that may write.", code="read_only_token")
        rights.require(bearer.person, row.action)
        call = Call(self._core, bearer.person, args, asked.header(b"if-match"))
        given = await _given(asked, row)
        key = asked.header(b"idempotency-key") if row.method == "POST" else None
        with answering("The database does not answer. Try again in a moment."):
            if key is None:
                told = await self._run(row, call, given)
            else:
                said = b"" if given is None else given.model_dump_json(exclude_unset=True).encode()
                keyed = Keyed(bearer.person, scope["path"], key, said, asked.request_id)
                told = await self._once.made(
                    keyed, row, partial(self._run, row, call, given), partial(self._problem, asked)
                )
        await _send(asked, row, told)

    async def _run(self, row: Row, call: Call, given: Any) -> Any:
        arguments = (call,) if row.given is None else (call, given)
        if call.if_match is None or row.owns_versions or row.method in ("GET", "POST"):
            return await row.run(*arguments)
        async with self._core.cluster.turn("edit by the management API"):
            await self._check_version(row, call)
            return await row.run(*arguments)

    async def _check_version(self, row: Row, call: Call) -> None:
        """Raises PreconditionFailed where what is there now is not what the caller has seen."""
        found = self._router.find(row.path.format(**call.args))
        reader = None if found is None else found[0].get("GET")
        if reader is None or reader.given is not None:
            raise InvalidRequest("This route knows no versions: leave If-Match out.", code="no_versions_here")
        now = etag_of(_json(await reader.run(call)))
        if call.if_match != "*" and now not in _listed(call.if_match):
            raise PreconditionFailed

    async def _bearer(self, scope: Scope) -> Bearer:
        """Who asks. Raises as `PersonalTokens.verify`."""
        address = client_address(scope, self._core.settings.trusted_proxies)
        CALLER_ADDRESS.set(address)
        credential = credential_of(scope["headers"]).decode("latin-1")
        if keyformat.parse(credential) is not None:
            raise PermissionDenied(
                "A client key is for inference. The management API takes an access token of a person: make one on the "
                "portal's page Access tokens.",
                code="client_key_not_taken",
            )
        return await self._core.personal_tokens.verify(credential, address)

    async def _refuse(self, error: BrokerError, asked: "Asked") -> None:
        headers = headers_of(error, asked.request_id)
        await send_whole(asked.send, error.status, headers, self._problem(asked, error), MEDIA_TYPE)

    def _problem(self, asked: "Asked", error: BrokerError) -> bytes:
        body = None if asked.row is None else asked.row.body
        fields: Iterable[str] = () if body is None else body.model_fields
        return problem(error, asked.request_id, asked.scope["path"], self._base_url, fields)


@dataclass(slots=True)
class Asked:
    """A call as it came, and the row that answers it."""

    scope: Scope
    receive: Receive
    send: Send
    request_id: str
    row: Row | None = None

    @property
    def named(self) -> Header:
        return b"x-request-id", self.request_id.encode()

    def header(self, wanted: bytes) -> str | None:
        """A header's value; None where it is not there.

        Raises:
            InvalidRequest: it is there twice.
        """
        found: list[bytes] = [value for name, value in self.scope["headers"] if name == wanted]
        if len(found) > 1:
            raise InvalidRequest(f"The header '{wanted.decode()}' came twice.", code="header_twice")
        return found[0].decode("latin-1").strip() if found else None


async def _given(asked: Asked, row: Row) -> Given | Query | None:
    """What the row takes. Raises as `read_body`, `read_query` and `read_object`."""
    raw = b"" if row.method in READING else await read_body(asked.scope, asked.receive, MAX_BODY_BYTES)
    query = read_query(row.query, asked.scope["query_string"])
    if row.body is not None:
        check_media_type(asked.scope["headers"])
        return read_object(row.body, raw)
    if raw.strip() not in (b"", b"{}"):
        raise InvalidRequest("This route takes no body.", code="no_body_here")
    return query


async def _send(asked: Asked, row: Row, told: Any) -> None:
    send, headers = asked.send, [asked.named]
    if told is None or (isinstance(told, Kept) and not told.body):
        await send_nothing(send, headers)
    elif isinstance(told, Kept):
        again = [*headers, (b"idempotent-replayed", b"true")]
        await send_whole(send, told.status, again, told.body, MEDIA_TYPE if told.status >= 400 else "")
    elif isinstance(told, CsvLines):
        await _send_lines(send, told, headers)
    elif row.method == "GET":
        await _send_versioned(asked, told)
    else:
        await send_whole(send, row.status, headers, _json(told))


async def _send_versioned(asked: Asked, told: Told) -> None:
    body = _json(told)
    etag = told.etag or etag_of(body)
    headers = [asked.named, (b"etag", etag.encode())]
    if etag in _listed(asked.header(b"if-none-match")):
        await asked.send({"type": "http.response.start", "status": 304, "headers": [*API, *headers]})
        await asked.send({"type": "http.response.body", "body": b""})
        return
    await send_whole(asked.send, 200, headers, body)


async def _send_lines(send: Send, told: CsvLines, headers: list[Header]) -> None:
    named = (b"content-disposition", f'attachment; filename="{told.name}"'.encode())
    fixed = [(b"content-type", b"text/csv; charset=utf-8"), (b"cache-control", b"no-store"), named, *API, *headers]
    piece, size, has_begun = list[str](), 0, False
    async for line in told.lines:
        if not has_begun:  # until now it may still be refused
            has_begun = True
            await send({"type": "http.response.start", "status": 200, "headers": fixed})
        piece.append(line)
        size += len(line)
        if size >= _PIECE_CHARACTERS:
            await send_piece(send, "".join(piece).encode())
            piece, size = [], 0
    await end_stream(send, "".join(piece).encode())


def etag_of(body: bytes) -> str:
    """A strong validator of an answer: what it says, hashed."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _json(told: Told) -> bytes:
    return told.model_dump_json(by_alias=True).encode()


def _listed(header: str | None) -> list[str]:
    return [one.strip() for one in (header or "").split(",")]


def _without_body(send: Send) -> Send:
    async def head(message: Any) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head
