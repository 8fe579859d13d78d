"""Changes to an open page that no event of its own has asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx
from reflex.istate.manager.token import BaseStateToken

from aiservice.portal.session.guard import SessionState, signed_in


@dataclass(slots=True, frozen=True)
class Place:
    """An open page: which tab it is in, in whose session, and on which path it was opened."""

    token: str
    session_hash: str
    state: type[rx.State]
    path: str

    @classmethod
    def of(cls, state: rx.State) -> "Place":
        """Where the event comes from that is under way."""
        router = state.router
        return cls(router.session.client_token, signed_in().session_hash, type(state), router.url.path)


async def push(app: rx.App, place: Place, show: Callable[[Any], None]) -> bool:
    """Tells the page what `show` changes in its state. False: somebody else is signed in there, or it was left.

    The tab's own events wait meanwhile: what is shown is there already.
    """
    async with app.modify_state(BaseStateToken(ident=place.token, cls=place.state)) as root:
        session = await root.get_state(SessionState)
        state: rx.State = await root.get_state(place.state)
        if session._bound_session != place.session_hash or state.router.url.path != place.path:
            return False
        show(state)
        return True
