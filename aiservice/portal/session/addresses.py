"""Pages whose address says what they show: how a choice changes it."""

from typing import Any

import reflex as rx

from aiservice.portal.queries import Params, url_of


def go_on_at(state: Any, path: str, params: Params, /, **changed: str) -> Any:
    """Leads to the page's own address with the query `params`, some of them changed.

    The `url` of its state is that at once, before the page is loaded with it: what somebody chooses meanwhile goes on
    from there, and nothing that was chosen is lost.
    """
    state.url = {name: value for name, value in {**params, **changed}.items() if value}
    return rx.redirect(url_of(path, state.url))
