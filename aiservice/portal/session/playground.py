"""Routes by which a page of the portal calls the gateway as one of the person's clients: the request goes on to the
gateway's own door, in this process, with a token of a minute in place of the session's cookie. The browser never has
the token, and what it gets is what the gateway answers, streams as they come.
"""

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from aiservice.errors import BrokerError, InternalFault, InvalidRequest, Overloaded
from aiservice.kit.addresses import client_address
from aiservice.kit.ids import new_id
from aiservice.portal.session.bodies import receive_body
from aiservice.portal.session.caller import posting_person
from aiservice.services.core import Core
from aiservice.services.playground import token_for

log = logging.getLogger(__name__)

PREFIX = "/auth/playground"
# What the page may ask, and where that goes in the gateway.
CALLS = {
    f"{PREFIX}/run": ("POST", "/ai-service"),
    f"{PREFIX}/models": ("GET", "/v1/models"),
    f"{PREFIX}/tasks": ("GET", "/ai-service/tasks"),
}
# The cookie stays here, and so does every header by which a caller could ask for more than the page does.
_PASSED_ON = frozenset(
    {
        *(b"host", b"content-type", b"content-length", b"transfer-encoding", b"user-agent", b"accept"),
        *(b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"),
    }
)
_OF_BODIES = frozenset({b"content-type", b"content-length", b"transfer-encoding"})
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def build(core: Callable[[], Core], gateway: Callable[[], Asgi | None], *, beside: Asgi) -> Asgi:
    """The ASGI app for the paths of `CALLS`, given the scope as it came; `beside` gets all others. `gateway` is asked
    for when a request comes."""

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        called = CALLS.get(scope["path"]) if scope["type"] == "http" else None
        if called is None:
            await beside(scope, receive, send)
            return
        request_id = new_id("req")
        try:
            inner = await _as_client(core(), scope, *called)
            door = _open(gateway())
        except BrokerError as error:
            await _refuse(error, request_id, scope, receive, send)
        except Exception:
            log.exception("A call from the playground failed.", extra={"request_id": request_id})
            await _refuse(InternalFault(), request_id, scope, receive, send)
        else:
            await door(inner, receive, send)

    return chosen


def _open(door: Asgi | None) -> Asgi:
    if door is None:
        raise Overloaded("The broker is starting.", code="starting", retry_after=1)
    return door


async def _as_client(core: Core, scope: Scope, method: str, path: str) -> Scope:
    """The scope of the same request as the client itself would make it.

    Raises:
        InvalidRequest: it is no POST, or names no client. Others: as `posting_person` and `token_for`.
    """
    request = Request(scope)
    if scope["method"] != "POST":
        raise InvalidRequest("The playground takes POST.", code="method_not_allowed")
    person = await posting_person(core, request)
    client = request.query_params.get("client", "")
    if not client:
        raise InvalidRequest("Say which client calls.", param="client")
    address = client_address(scope, core.settings.trusted_proxies)
    token = await token_for(person, client, address, keys=core.keys, tokens=core.tokens, cluster=core.cluster)
    kept = _PASSED_ON if method == "POST" else _PASSED_ON - _OF_BODIES
    headers = [(name, value) for name, value in scope["headers"] if name in kept]
    headers.append((b"authorization", b"Bearer " + token.reveal_text().encode()))
    inner = {name: value for name, value in scope.items() if not name.startswith("aiservice.")}
    return {**inner, "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}


async def _refuse(error: BrokerError, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
    with suppress(BrokerError):  # over HTTP/2 an answer that leaves before the body came is lost with its stream
        await receive_body(Request(scope, receive))
    headers = {"cache-control": "no-store", "x-request-id": request_id}
    await JSONResponse(error.body(request_id), status_code=error.status, headers=headers)(scope, receive, send)
