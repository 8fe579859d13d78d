"""Which limit holds each key back first, of all that hold for it: its own, its client's and its client's team's."""

from collections.abc import Iterable
from dataclasses import dataclass

from aiservice.services.limit_standing import Holder
from aiservice.services.limiter import Standing


@dataclass(slots=True, frozen=True)
class Binding:
    """The limit of `holder` of which most is used, among those that hold for `key`."""

    key: Holder
    holder: Holder
    standing: Standing

    @property
    def share(self) -> float:
        """How much of it is used; 1.0 and more is all."""
        return self.standing.used / self.standing.limit.amount


def bindings(holders: Iterable[Holder]) -> list[Binding]:
    """One for each key for which any limit holds, the fullest first."""
    known = tuple(holders)
    clients = {one.name: one for one in known if one.scope == "client"}
    teams = {one.name: one for one in known if one.scope == "team"}
    found = []
    for key in (one for one in known if one.scope == "key"):
        client = clients.get(key.within)
        team = teams.get(client.within) if client is not None else None
        for_key = [
            Binding(key, holder, standing)
            for holder in (key, client, team)
            if holder is not None
            for standing in holder.standing
        ]
        if for_key:
            found.append(max(for_key, key=lambda one: one.share))
    return sorted(found, key=lambda one: -one.share)
