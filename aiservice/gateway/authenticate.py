"""Who is calling: exactly one credential from the headers, resolved to a `Principal`, and from an address that its key
may be used from. Fails closed."""

from collections.abc import Iterable

from aiservice.errors import InvalidRequest, PermissionDenied, Unauthenticated
from aiservice.gateway.exchange import CREDENTIAL_HEADERS, CREDENTIALS, Scope
from aiservice.kit.access_tokens import looks_like_token
from aiservice.kit.addresses import client_address
from aiservice.principal import Principal
from aiservice.services.core import Core
from aiservice.services.sanction_terms import check_blocked

_AUTHORIZATION = b"authorization"
_BEARER, _USUAL_BEARER = b"bearer ", b"Bearer "


async def authenticate(core: Core, scope: Scope) -> Principal:
    """The principal of a request's one credential: a client key, or a token of one.

    Raises:
        InvalidRequest: two credentials that differ.
        Unauthenticated: none, or one that is not valid.
        PermissionDenied: the key is not used from this address (`address_not_allowed`), its client is blocked
            (`blocked_for_abuse`), or it is good for nothing now.
        RateLimited: too many failures from this address.
    """
    principal = recognised(core, scope)
    if principal is not None:
        return principal
    credential = credential_of(scope.get(CREDENTIALS) or scope["headers"])
    address = client_address(scope, core.settings.trusted_proxies)
    if looks_like_token(credential):
        principal = await core.tokens.verify(credential, address=address)
    else:
        principal = await core.keys.verify(credential.decode("latin-1"), address=address)
    if principal.networks is not None:
        _check_address(principal, address)
    if principal.sanction is not None:
        check_blocked(principal.sanction)
    return principal


def recognised(core: Core, scope: Scope) -> Principal | None:
    """The principal of a credential that was verified a moment ago; None: ask `authenticate`, which raises as this."""
    found = scope.get(CREDENTIALS)
    if found and len(found) == 1 and found[0][0] == _AUTHORIZATION and found[0][1][:7] == _USUAL_BEARER:
        credential = found[0][1][7:].strip()
    else:
        credential = credential_of(found or scope["headers"])
    principal = core.keys.cached(credential)
    if principal is not None:
        if principal.networks is not None:
            _check_address(principal, client_address(scope, core.settings.trusted_proxies))
        if principal.sanction is not None:
            check_blocked(principal.sanction)
    return principal


def _check_address(principal: Principal, address: str) -> None:
    if principal.networks is not None and not principal.networks.holds(address):
        raise PermissionDenied(
            f"This API key may not be used from {address}. Whoever manages it can add the address to its list.",
            code="address_not_allowed",
        )


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The one credential in `Authorization: Bearer`, `x-api-key` or `x-goog-api-key`.

    Every occurrence of every one of them must say the same: where two differ, a proxy before us and we could each
    believe another.
    """
    found: bytes | None = None
    for name, value in headers:
        if name in CREDENTIAL_HEADERS:
            credential = _of_header(name, value)
            if found is not None and credential != found:
                raise InvalidRequest(
                    "The request carries two credentials that differ. Send one.", code="conflicting_credentials"
                )
            found = credential
    if not found:
        raise Unauthenticated(
            "No API key came with this request. Send one as 'Authorization: Bearer <key>'; "
            "make one on the portal's Keys page.",
            code="missing_api_key",
        )
    return found


def _of_header(name: bytes, value: bytes) -> bytes:
    if name != _AUTHORIZATION:
        return value.strip()
    if value[:7].lower() != _BEARER:
        raise Unauthenticated("The Authorization header must be 'Bearer <key>'.")
    return value[7:].strip()
