"""What may be stored as terms, checked before anything is stored. The wire's own rules are `Terms.read`."""

from collections.abc import Collection, Iterable

from aiservice.errors import Unprocessable
from aiservice.services.connection_rules import is_model_name
from aiservice.services.names import shown, suggestion
from aiservice.services.routing_scopes import Holder
from aiservice.services.routing_terms import Terms
from aiservice.store.session import AsyncSession
from aiservice.tables import Connection
from aiservice.tasks import registry

ANY_TASK = "*"
MAX_ENTRIES = 10
_NOTHING = Terms()


def check_task(task: str) -> None:
    """Raises `Unprocessable` where `task` is neither a task nor "*"."""
    known = registry()
    if task != ANY_TASK and task not in known:
        raise Unprocessable(
            f"'{shown(task)}' is not a task.{suggestion(task, known)} '*' stands for any task.",
            code="unknown_task",
            param="task",
        )


async def check_terms(session: AsyncSession, holder: Holder, terms: Terms) -> None:
    """Whether `terms` can be kept for `holder`.

    Raises:
        Unprocessable: they say nothing; an order that is repeated, too long or without effect; an unknown connection
            or kind (named, with the nearest), or one that the holder may not use.
    """
    if terms == _NOTHING:
        raise Unprocessable("These preferences say nothing. Clear them instead.", code="no_terms")
    if terms.order is not None:
        _check_form(terms.order)
    connections = await holder.connections(session)
    for param, names in (("order", _places(terms.order)), ("only", terms.only), ("ignore", terms.ignore)):
        for name in names or ():
            _check_place(holder, connections, name, param, is_wanted=param != "ignore")
    _check_effect(terms, connections)


def _check_form(order: tuple[str, ...]) -> None:
    if not order:
        raise _invalid("The chain is empty. Name at least one connection, or clear the preference instead.")
    if len(order) > MAX_ENTRIES:
        raise _invalid(f"A chain has at most {MAX_ENTRIES} entries, this one has {len(order)}.")
    if len(set(order)) != len(order):
        repeated = next(entry for place, entry in enumerate(order) if entry in order[:place])
        raise _invalid(f"'{shown(repeated)}' is in the chain twice.")
    for entry in order:
        _, colon, model = entry.partition(":")
        if colon and not is_model_name(model):
            raise _invalid(
                f"'{shown(entry)}' has no valid model after the colon. Write connection or connection:model."
            )


def _check_place(holder: Holder, connections: dict[str, Connection], name: str, param: str, *, is_wanted: bool) -> None:
    """A connection by its name, or all of a kind; one that nobody wants need not be allowed."""
    found = [row for row in connections.values() if name in (row.name, row.kind)]
    if not found:
        message = f"There is no provider connection '{shown(name)}'.{suggestion(name, connections)}"
        raise Unprocessable(message, code="connection_not_found", param=param)
    if is_wanted and not any(holder.may_use(row) for row in found):
        message = f"{holder.words} may not use the connection '{name}'."
        raise Unprocessable(message, code="connection_not_allowed", param=param)


def _check_effect(terms: Terms, connections: dict[str, Connection]) -> None:
    """An entry that the same terms rule out would stand there and never be tried."""
    for entry in terms.order or ():
        name = entry.partition(":")[0]
        places = [{row.name, row.kind} for row in connections.values() if name in (row.name, row.kind)]
        if terms.only is not None and all(not place & terms.only for place in places):
            raise _invalid(
                f"'{shown(entry)}' is in the order, and 'only' leaves it out. Add it to one, or take it out of both."
            )
        if all(place & terms.ignore for place in places):
            raise _invalid(f"'{shown(entry)}' is both in the order and in 'ignore'. Take it out of one of them.")


def _places(order: Iterable[str] | None) -> Collection[str]:
    return [entry.partition(":")[0] for entry in order or ()]


def _invalid(message: str) -> Unprocessable:
    return Unprocessable(message, code="invalid_chain", param="order")
