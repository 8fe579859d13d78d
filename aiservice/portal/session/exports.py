"""Downloads: what a page shows, as CSV or JSON, from the same query as the page's URL. Plain routes, since a download
of a million lines has no place in a page's state.

Each takes a GET by somebody signed in, from a page of this portal; the services decide what they may see.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from aiservice.errors import BrokerError, InternalFault, PermissionDenied, Unauthenticated
from aiservice.kit.addresses import is_https
from aiservice.kit.ids import new_id
from aiservice.portal.queries import AuditView, RequestsView, UsageView
from aiservice.portal.session.cookie import read_session_cookie
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.rights import require
from aiservice.services.usage_export import series_csv, series_json
from aiservice.services.usage_series import Breakdown, Series

log = logging.getLogger(__name__)

PREFIX = "/auth/export"
_PIECE_CHARACTERS = 64 * 1024
# What a browser says of a link on one of our pages, and of an address that somebody typed.
_OWN_SITES = {"same-origin", "none"}
Lines = AsyncIterator[str]
Export = Callable[[Core, Person, Mapping[str, str]], Awaitable[Lines]]


def build(core: Callable[[], Core], *, beside: ASGIApp) -> ASGIApp:
    """The ASGI app for every path below `PREFIX`; `beside` gets all others."""
    app = Starlette(
        routes=[Route(PREFIX + path, _answered(core, *export), methods=["GET"]) for path, export in EXPORTS.items()]
    )
    app.router.redirect_slashes = False

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (app if is_ours else beside)(scope, receive, send)

    return chosen


async def _requests(core: Core, person: Person, params: Mapping[str, str]) -> Lines:
    """The request log, as the Requests page narrows it; all of it, not one page."""
    return core.requests.export_csv(person, RequestsView.of(params).asked)


async def _requests_json(core: Core, person: Person, params: Mapping[str, str]) -> Lines:
    """The same as a JSON array."""
    return core.requests.export_json(person, RequestsView.of(params).asked)


async def _audit(core: Core, person: Person, params: Mapping[str, str]) -> Lines:
    """The audit log, as the Audit page narrows it; all of it, not one page."""
    return await core.audit.export_csv(person, AuditView.of(params).asked)


async def _audit_json(core: Core, person: Person, params: Mapping[str, str]) -> Lines:
    """The same as JSON, with what was before and after as it was kept."""
    return await core.audit.export_json(person, AuditView.of(params).asked)


def _usage_as(form: Callable[[Series, Breakdown], Lines]) -> Export:
    """The points of the chart on the Usage page, every figure of each."""

    async def usage(core: Core, person: Person, params: Mapping[str, str]) -> Lines:
        view = UsageView.of(params)
        asked = replace(view.asked, has_all=True, is_compared=False)
        return form(await core.usage.series(person, *view.span, asked), asked)

    return usage


EXPORTS: dict[str, tuple[str, Export]] = {
    "/requests.csv": ("request.export", _requests),
    "/requests.json": ("request.export", _requests_json),
    "/usage.csv": ("usage.export", _usage_as(series_csv)),
    "/usage.json": ("usage.export", _usage_as(series_json)),
    "/audit.csv": ("audit.export", _audit),
    "/audit.json": ("audit.export", _audit_json),
}
"""By path: the action, and what does it."""


def _answered(core: Callable[[], Core], action: str, export: Export) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request_id = new_id("req")
        headers = {"cache-control": "no-store", "x-request-id": request_id, "x-content-type-options": "nosniff"}
        try:
            person = await _person(core(), request)
            require(person, action)
            lines = await export(core(), person, dict(request.query_params))
        except BrokerError as error:
            return JSONResponse(error.body(request_id), status_code=error.status, headers=headers)
        except Exception:
            log.exception("An export failed.", extra={"request_id": request_id})
            fault = InternalFault()
            return JSONResponse(fault.body(request_id), status_code=fault.status, headers=headers)
        name = request.url.path.rpartition("/")[2]
        headers["content-disposition"] = f'attachment; filename="{name}"'
        kind = "application/json" if name.endswith(".json") else "text/csv"
        return StreamingResponse(_in_pieces(lines), media_type=kind, headers=headers)

    return answer


async def _in_pieces(lines: Lines) -> Lines:
    """The lines, many at a time: sending each by itself costs more than making it."""
    piece, size = [], 0
    async for line in lines:
        piece.append(line)
        size += len(line)
        if size >= _PIECE_CHARACTERS:
            yield "".join(piece)
            piece, size = [], 0
    yield "".join(piece)


async def _person(core: Core, request: Request) -> Person:
    """Who asks.

    Raises:
        PermissionDenied: a page of another site made the browser ask. Unauthenticated: nobody is signed in.
    """
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise PermissionDenied("This was not asked for by a page of this portal.", code="foreign_origin")
    secure = is_https(request.scope, core.settings.trusted_proxies)
    person = await core.accounts.resolve(read_session_cookie(request.scope["headers"], is_https=secure))
    if person is None:
        raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
    return person
