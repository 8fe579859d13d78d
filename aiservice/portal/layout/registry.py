"""The registry of pages: one decorator, from which routes, navigation and the command palette are built."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import reflex as rx

from aiservice.portal.session.guard import guard_of
from aiservice.services.rights import is_for_admins

# The groups of the navigation, in their order: what everybody uses, what admins run, what is one's own.
USE, RUN, OWN = "use", "run", "own"
GROUPS = {USE: "Use", RUN: "Run", OWN: ""}

Action = tuple[str, str]
"""Something to do, for the command palette: its words, and the address that begins it ("/keys#create")."""


@dataclass(slots=True, frozen=True)
class PageSpec:
    """A page: `place` orders it within its `group` of the navigation; None keeps it out. `below` is the route of the
    page that it belongs to, if it has no place of its own."""

    route: str
    title: str
    icon: str
    place: int | None
    on_load: Any
    content: Callable[[], rx.Component]
    below: str = ""
    group: str = USE
    actions: tuple[Action, ...] = ()

    @property
    def is_admin(self) -> bool:
        """Whether it is for admins alone: what it is loaded with is, by the table of rights."""
        guard = guard_of(self.on_load)
        return guard is not None and not guard.is_public and is_for_admins(guard.action)

    @property
    def is_framed(self) -> bool:
        """Whether it is for people who are signed in."""
        return self.place is not None or bool(self.below)


_pages: dict[str, PageSpec] = {}


def portal_page(
    route: str,
    *,
    title: str,
    icon: str = "list",
    place: int | None = None,
    on_load: Any = None,
    below: str = "",
    group: str = "",
    actions: tuple[Action, ...] = (),
) -> Callable[[Callable[[], rx.Component]], Callable[[], rx.Component]]:
    """Registers a function that returns a page's content. Whose it is, the right of its `on_load` says.

    Without a `group` an admin's page stands under Run, any other under Use. `actions` are for the command palette.
    """

    def register(content: Callable[[], rx.Component]) -> Callable[[], rx.Component]:
        page = PageSpec(route, title, icon, place, on_load, content, below, group, actions)
        _pages[route] = page if group else replace(page, group=RUN if page.is_admin else USE)
        return content

    return register


def registered_pages() -> list[PageSpec]:
    """All pages, in the order of the navigation."""
    return sorted(_pages.values(), key=_order)


def navigation() -> list[PageSpec]:
    """The pages that have a place in the navigation, group by group."""
    return [page for page in registered_pages() if page.place is not None]


def _order(page: PageSpec) -> tuple[int, bool, int, str]:
    return (list(GROUPS).index(page.group), page.place is None, page.place or 0, page.route)
