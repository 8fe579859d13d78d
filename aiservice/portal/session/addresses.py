"""Pages whose address says what they show: how a choice changes it."""

from typing import Any

import reflex as rx

from aiservice.portal.queries import Params, in_own_zone, url_of

Ahead = list[dict[str, str]]
"""Queries of addresses that a browser was led to and has not come to, the oldest first."""
_MOST_AHEAD = 20
"""Nobody chooses as often while a page loads."""


def go_on_at(state: Any, path: str, params: Params, /, **changed: str) -> Any:
    """Leads to the page's own address with the query `params`, some of them changed.

    The `url` of its state is that at once, before the page is loaded with it: what somebody chooses meanwhile goes on
    from there, and nothing that was chosen is lost.
    """
    state.url = {name: value for name, value in {**params, **changed}.items() if value}
    state._ahead = [*state._ahead, in_own_zone(state.url)][-_MOST_AHEAD:]
    return rx.redirect(url_of(path, state.url))


def arrived_at(state: Any, names: set[str]) -> dict[str, str]:
    """What the page shows now that it is loaded: what its address says of `names`.

    Whoever chooses twice before the first answer is led to two addresses, one after the other, and the page is loaded
    with each. Until it comes to the last, it is that one which is shown, and which a third choice is added to.
    """
    asked = {name: value for name, value in state.router.url.query_parameters.items() if name in names}
    url, ahead = in_own_zone(asked), [dict(one) for one in state._ahead]
    while ahead and url in ahead:
        ahead.pop(0)
    is_on_the_way = len(ahead) < len(state._ahead)
    state._ahead = ahead if is_on_the_way else []  # else somebody went elsewhere: back, or by a link
    return dict(ahead[-1]) if ahead and is_on_the_way else url
