"""Who may do what, asked of the one table (role × action × whose row it is) by the portal, `/api` and the command line.

A method of a service names its action with `@needs`: without that right to any row it is not even begun. Which row is
meant it finds out by itself: it narrows its query with `scope`, or asks `require` with `whose` row it found. A page, a
button, a route or a command names the same action and decides nothing. An action that the table does not know is an
error where it is named, at the start of the process. Fails closed.
"""

from collections.abc import AsyncIterator, Callable
from functools import wraps
from inspect import isasyncgenfunction
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from aiservice.errors import PermissionDenied
from aiservice.principal import OPERATOR, Person
from aiservice.services.rights_table import ONESELF, TABLE, Reach

__all__ = [
    "Reach", "action_of", "is_for_admins", "known", "may", "named", "needs", "reach", "require", "scope", "whose",
]  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

ACTION_ATTRIBUTE = "__action__"
_OF = {Reach.TEAM: " of a team", Reach.PLATFORM: " of the platform", Reach.ANYONE: " of others"}


def reach(person: Person, action: str) -> Reach:
    """How far a person's right to `action` reaches."""
    held = TABLE[action][0]
    return held.operator if person.user_id == OPERATOR.user_id else held.by(person.role)


def may(person: Person, action: str, row: Reach = Reach.OWN) -> bool:
    """Whether a person may do `action` with such a row; by default, whether they may do it at all."""
    return reach(person, action) >= row


def require(person: Person, action: str, row: Reach = Reach.OWN) -> None:
    """Lets pass who may do `action` with such a row.

    Raises:
        PermissionDenied: `admin_only`, or `owner_only` where not even an admin may.
    """
    if may(person, action, row):
        return
    held, words = TABLE[action]
    if held is ONESELF or held.admin < row:
        raise PermissionDenied(f"Nobody else may {words}.", code="owner_only")
    of = _OF.get(row, "") if reach(person, action) else ""
    raise PermissionDenied(f"Only an admin may {words}{of}.", code="admin_only")


def whose(person: Person, owner_id: str | None) -> Reach:
    """How far away a row of that person (None: of nobody) is from who asks."""
    return Reach.OWN if owner_id == person.user_id else Reach.ANYONE


def scope(person: Person, action: str) -> str | None:
    """Whose rows a query may find for `action`: the person's, by their id, or everybody's (None).

    Raises:
        PermissionDenied: as `require`.
    """
    require(person, action)
    return None if may(person, action, Reach.ANYONE) else person.user_id


def is_for_admins(action: str) -> bool:
    """Whether a developer has no right to `action` at all."""
    return not TABLE[action][0].developer


def needs(
    action: str,
) -> Callable[[Callable[Concatenate[S, Person, P], R]], Callable[Concatenate[S, Person, P], R]]:
    """Marks a service's async method, which takes the acting person first, as how `action` is done."""
    known(action)

    def mark(method: Callable[Concatenate[S, Person, P], R]) -> Callable[Concatenate[S, Person, P], R]:
        checked = _checked_generator if isasyncgenfunction(method) else _checked_coroutine
        marked: Any = wraps(method)(checked(method, action))
        named(marked, action)
        return cast(Callable[Concatenate[S, Person, P], R], marked)

    return mark


def _checked_coroutine(method: Any, action: str) -> Any:
    async def checked(self: object, actor: Person, /, *args: Any, **kwargs: Any) -> Any:
        require(actor, action)
        return await method(self, actor, *args, **kwargs)

    return checked


def _checked_generator(method: Any, action: str) -> Any:
    async def checked(self: object, actor: Person, /, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        require(actor, action)
        async for each in method(self, actor, *args, **kwargs):
            yield each

    return checked


def named(function: Any, action: str) -> None:
    """Makes `function` known to be how `action` is done."""
    setattr(function, ACTION_ATTRIBUTE, known(action))


def action_of(function: Any) -> str | None:
    """The action that a function is known to do."""
    found = getattr(function, ACTION_ATTRIBUTE, None)
    return found if isinstance(found, str) else None


def known(action: str) -> str:
    """The action.

    Raises:
        LookupError: the table has no such action.
    """
    if action not in TABLE:
        raise LookupError(f"'{action}' is not an action of the table of rights (services/rights_table.py)")
    return action
