"""Who posts to one of the portal's own routes, and whether a page of this portal made them."""

from starlette.requests import Request

from aiservice.errors import PermissionDenied, Unauthenticated
from aiservice.kit.addresses import is_https
from aiservice.portal.session.cookie import read_session_cookie
from aiservice.portal.session.same_origin import is_same_origin
from aiservice.principal import Person
from aiservice.services.core import Core


async def posting_person(core: Core, request: Request) -> Person:
    """Who posts, after the page it came from has been checked.

    Raises:
        PermissionDenied: from a page of another site. Unauthenticated: nobody is signed in.
    """
    secure = is_https(request.scope, core.settings.trusted_proxies)
    headers = request.scope["headers"]
    if not is_same_origin(headers, is_https=secure, public_url=core.settings.public_url):
        raise PermissionDenied("This was not sent by a page of this portal.", code="foreign_origin")
    person = await core.accounts.resolve(read_session_cookie(headers, is_https=secure))
    if person is None:
        raise Unauthenticated("Your session has ended. Sign in again.", code="session_expired")
    return person
