"""How clients are shown to people, and told of in the audit log."""

from dataclasses import dataclass

from aiservice.tables import Client


@dataclass(slots=True, frozen=True)
class ClientView:
    """A client as people see it. None in an allowed set means all shared ones; times in microseconds UTC."""

    id: str
    name: str
    owner_email: str | None
    team: str | None
    connections: tuple[str, ...] | None
    models: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    networks: tuple[str, ...] | None
    limits: dict[str, int]
    weight: int
    is_disabled: bool
    created_us: int
    keeps_payloads: bool = False


def view(client: Client, owner_email: str | None, team: str | None) -> ClientView:
    """A client, with its owner's address and its team's name."""
    return ClientView(
        id=client.id,
        name=client.name,
        owner_email=owner_email,
        team=team,
        connections=_names(client.allowed_connections),
        models=_names(client.allowed_models),
        scopes=_names(client.allowed_scopes),
        networks=_names(client.allowed_networks),
        limits=dict(client.limits or {}),
        weight=client.weight,
        is_disabled=client.is_disabled,
        created_us=client.created_us,
        keeps_payloads=client.keeps_payloads,
    )


def told(client: Client) -> dict[str, object]:
    """A client as the audit log tells of it."""
    names = (
        "name",
        "owner_id",
        "allowed_connections",
        "allowed_models",
        "allowed_scopes",
        "allowed_networks",
        "weight",
    )
    return {name: getattr(client, name) for name in names}


def _names(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
