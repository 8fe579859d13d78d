"""What a key may be given: scopes, connections, models and addresses that exist, never more than its client has."""

from collections.abc import Iterable
from typing import TypedDict

from aiservice.errors import PermissionDenied, Unprocessable
from aiservice.kit.addresses import Networks, is_within, network_of, shared
from aiservice.services.names import shown, suggestion
from aiservice.store import connections as connection_store
from aiservice.store.session import AsyncSession
from aiservice.tables import Client, ClientKey
from aiservice.tasks import registry

READ_SCOPE = "read"
_MAX_NAMES = 200
_MAX_NETWORKS = 50

Names = Iterable[str] | None


class Rights(TypedDict, total=False):
    """What is asked for; None is "no restriction", which is to say: what the client may. Scopes are task names and
    "read"; networks are addresses or CIDR. What is left out stays as it is."""

    scopes: Names
    connections: Names
    models: Names
    networks: Names


class Edit(Rights, total=False):
    """A change of a key. None as `expires_in_seconds`, counted from now, is never, or the policy's default."""

    name: str
    expires_in_seconds: float | None


def valid_name(name: str) -> str:
    """The name of a key, without space around it. Raises: Unprocessable."""
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise Unprocessable("A name has 1 to 100 printable characters.", param="name")
    return name


async def give(session: AsyncSession, key: ClientKey, client: Client, asked: Rights) -> None:
    """Stores `asked` as the rights of `key`, a key of `client`.

    Raises:
        Unprocessable: a name or an address that is none.
        PermissionDenied: wider than the client (`wider_than_client`).
    """
    if "scopes" in asked:
        key.scopes = _narrowed("scopes", checked_scopes(asked["scopes"]), client.allowed_scopes)
    if "connections" in asked:
        chosen = _narrowed("connections", _names("connections", asked["connections"]), client.allowed_connections)
        await _check_connections(session, client.id, chosen)
        key.allowed_connections = chosen
    if "models" in asked:
        key.allowed_models = _narrowed("models", _names("models", asked["models"]), client.allowed_models)
    if "networks" in asked:
        key.allowed_networks = _narrowed_networks(checked_networks(asked["networks"]), client.allowed_networks)


def clip(key: ClientKey, client: Client) -> None:
    """Takes from a key what its client may no longer do: what is verified is the part of both, and so is what lasts."""
    key.scopes = _part(key.scopes, client.allowed_scopes)
    key.allowed_connections = _part(key.allowed_connections, client.allowed_connections)
    key.allowed_models = _part(key.allowed_models, client.allowed_models)
    both = networks_of_both(key.allowed_networks, client.allowed_networks)
    if key.allowed_networks is not None and both:
        key.allowed_networks = [str(network) for network in both]


def checked_scopes(names: Names) -> list[str] | None:
    """Scopes, each once; None is "no restriction". Raises: Unprocessable: there is no such scope."""
    chosen = _names("scopes", names)
    unknown = sorted(set(chosen or ()) - set(registry()) - {READ_SCOPE})
    if unknown:
        known = ", ".join(sorted({*registry(), READ_SCOPE}))
        raise Unprocessable(f"'{unknown[0][:60]}' is not a scope. Known ones: {known}.", param="scopes")
    return chosen


def checked_networks(texts: Names) -> list[str] | None:
    """Addresses and networks in their one form, each once; None is "any". Raises: Unprocessable: one is none."""
    chosen = _names("networks", texts)
    if chosen is None:
        return None
    if len(chosen) > _MAX_NETWORKS:
        raise Unprocessable(f"A list of addresses has at most {_MAX_NETWORKS} entries.", param="networks")
    try:
        return sorted({str(network_of(text)) for text in chosen})
    except ValueError as error:
        raise Unprocessable(str(error), code="invalid_network", param="networks") from None


def networks_of_both(first: list[str] | None, second: list[str] | None) -> Networks | None:
    """The addresses that both of two stored lists allow; None is any."""
    if first is None or second is None:
        either = first if second is None else second
        return None if either is None else _parsed(either)
    return shared(_parsed(first), _parsed(second))


def _parsed(texts: Iterable[str]) -> Networks:
    return tuple(network_of(text) for text in texts)


def _names(param: str, names: Names) -> list[str] | None:
    if names is None:
        return None
    chosen = sorted({name.strip() for name in names})
    if not chosen or len(chosen) > _MAX_NAMES or not all(1 <= len(name) <= 200 for name in chosen):
        raise Unprocessable(f"'{param}' takes 1 to {_MAX_NAMES} names; leave it out for no restriction.", param=param)
    return chosen


async def _check_connections(session: AsyncSession, client_id: str, names: "list[str] | None") -> None:
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


def _narrowed(param: str, chosen: list[str] | None, of_client: list[str] | None) -> list[str] | None:
    wider = sorted(set(chosen or ()) - set(of_client)) if of_client is not None else []
    if wider:
        raise _wider(wider[0], param)
    return chosen


def _narrowed_networks(chosen: list[str] | None, of_client: list[str] | None) -> list[str] | None:
    allowed = None if of_client is None else _parsed(of_client)
    for text in chosen or ():
        if allowed is not None and not is_within(network_of(text), allowed):
            raise _wider(text, "networks")
    return chosen


def _part(of_key: list[str] | None, of_client: list[str] | None) -> list[str] | None:
    """What both allow; where that is nothing, the key stays as it is and is good for nothing while that lasts."""
    if of_key is None or of_client is None:
        return of_key
    return sorted(set(of_key) & set(of_client)) or of_key


def _wider(name: str, param: str) -> PermissionDenied:
    return PermissionDenied(f"The client itself may not use '{name[:60]}'.", code="wider_than_client", param=param)
