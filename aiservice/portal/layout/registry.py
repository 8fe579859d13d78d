"""The registry of pages: one decorator, from which routes and navigation are built."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx


@dataclass(slots=True, frozen=True)
class PageSpec:
    """A page: `place` orders it in the navigation; None keeps it out. `is_admin` pages show only to admins there.
    `below` is the route of the page that it belongs to, if it has no place of its own."""

    route: str
    title: str
    icon: str
    place: int | None
    is_admin: bool
    on_load: Any
    content: Callable[[], rx.Component]
    below: str = ""

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
    is_admin: bool = False,
    on_load: Any = None,
    below: str = "",
) -> Callable[[Callable[[], rx.Component]], Callable[[], rx.Component]]:
    """Registers a function that returns a page's content. Rights are checked by handlers, never by this."""

    def register(content: Callable[[], rx.Component]) -> Callable[[], rx.Component]:
        _pages[route] = PageSpec(route, title, icon, place, is_admin, on_load, content, below)
        return content

    return register


def registered_pages() -> list[PageSpec]:
    """All pages, in the order of the navigation."""
    return sorted(_pages.values(), key=lambda page: (page.place is None, page.place or 0, page.route))


def navigation() -> list[PageSpec]:
    """The pages that have a place in the navigation."""
    return [page for page in registered_pages() if page.place is not None]
