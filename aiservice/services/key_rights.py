"""What a key may be given: names, scopes, connections and models that exist, never more than its client has."""

from collections.abc import Iterable

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.kit.clock import SECOND_US
from aiservice.services.names import shown, suggestion
from aiservice.store import connections as connection_store
from aiservice.store.session import AsyncSession
from aiservice.tasks import registry

MAX_EXPIRY_SECONDS = 10 * 366 * 86_400
READ_SCOPE = "read"
_MAX_NAMES = 200


def valid_name(name: str) -> str:
    """The name of a key, without space around it. Raises: Unprocessable."""
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Unprocessable("A name has 1 to 100 printable characters.", param="name")
    return name


def expiry(expires_in_seconds: float | None, now: int) -> int | None:
    """When a key made `now` ends, in microseconds UTC; None stays None. Raises: Unprocessable."""
    if expires_in_seconds is None:
        return None
    if not 1 <= expires_in_seconds <= MAX_EXPIRY_SECONDS:
        raise Unprocessable("A key expires in 1 second to 10 years, or never.", param="expires_in")
    return now + int(expires_in_seconds * SECOND_US)


def _names(param: str, names: Iterable[str] | None) -> list[str] | None:
    if names is None:
        return None
    chosen = sorted({name.strip() for name in names})
    if not chosen or len(chosen) > _MAX_NAMES or not all(1 <= len(name) <= 200 for name in chosen):
        raise Unprocessable(f"'{param}' takes 1 to {_MAX_NAMES} names; leave it out for no restriction.", param=param)
    return chosen


def checked_scopes(names: Iterable[str] | None) -> list[str] | None:
    """Scopes, each once; None is "no restriction". Raises: Unprocessable: there is no such scope."""
    chosen = _names("scopes", names)
    unknown = sorted(set(chosen or ()) - set(registry()) - {READ_SCOPE})
    if unknown:
        known = ", ".join(sorted({*registry(), READ_SCOPE}))
        raise Unprocessable(f"'{unknown[0][:60]}' is not a scope. Known ones: {known}.", param="scopes")
    return chosen


async def check_connections(session: AsyncSession, client_id: str, names: "list[str] | None") -> None:
    """Raises `Unprocessable` where a name is no connection that the client may use.

    A key for one that does not exist would be dead, and come alive with whoever makes that name later.
    """
    known = await connection_store.names_for(session, client_id) if names else []
    for name in names or ():
        if name not in known:
            raise Unprocessable(
                f"There is no provider connection '{shown(name)}' that this client may use.{suggestion(name, known)}",
                code="connection_not_found",
                param="connections",
            )


def narrowed(param: str, names: Iterable[str] | None, of_client: list[str] | None) -> list[str] | None:
    """Names that are all among the client's own (None is all).

    Raises:
        Unprocessable: not a list of names.
        PermissionDenied: wider than the client (`wider_than_client`).
    """
    chosen = _names(param, names)
    wider = sorted(set(chosen or ()) - set(of_client)) if of_client is not None else []
    if wider:
        raise PermissionDenied(
            f"The client itself may not use '{wider[0][:60]}'.", code="wider_than_client", param=param
        )
    return chosen
