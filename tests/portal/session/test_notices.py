"""What a person is told when something fails: a page that was not loaded, an action refused, a session that ended."""

from types import SimpleNamespace
from typing import Any

import pytest

from aiservice.errors import InvalidRequest, Overloaded, PermissionDenied, Unauthenticated
from aiservice.portal.session.guard import SessionState, _notice_of, become


class Page:
    """A state, as far as this needs one."""

    def __init__(self) -> None:
        self.session = SimpleNamespace(
            notice="", notice_kind="", notice_id="", asks_password=False, load_error="", load_error_id=""
        )
        self.router = SimpleNamespace(url=SimpleNamespace(path="/keys", query_parameters={"q": "a b"}))

    async def get_state(self, wanted: Any) -> Any:
        assert wanted is SessionState
        return self.session


async def load() -> None: ...


async def save() -> None: ...


@pytest.mark.parametrize("failure", [RuntimeError("a secret"), Overloaded("The database is away.")])
async def test_a_page_that_could_not_be_loaded_says_so_in_its_place_with_an_id(failure: Exception) -> None:
    page: Any = Page()
    await _notice_of(page, failure, load)
    assert page.session.load_error_id.startswith("req_")
    assert page.session.load_error
    assert "secret" not in page.session.load_error
    assert page.session.notice == ""


async def test_an_action_that_failed_and_a_filter_that_is_none_stand_above_what_there_is() -> None:
    for failure, function in ((RuntimeError(), save), (InvalidRequest("There is no such range."), load)):
        page: Any = Page()
        await _notice_of(page, failure, function)
        assert page.session.load_error == ""
        assert page.session.notice_id.startswith("req_")


async def test_a_page_that_has_nothing_yet_does_not_stand_there_as_if_it_still_waited() -> None:
    page: Any = Page()
    page.is_loaded = False
    await _notice_of(page, InvalidRequest("What is stored cannot be read."), load)
    assert page.session.load_error == "What is stored cannot be read."
    page = Page()
    page.is_loaded = False
    await _notice_of(page, PermissionDenied("Only an admin may."), load)  # the page says where to go instead
    assert (page.session.load_error, page.session.notice) == ("", "Only an admin may.")


@pytest.mark.parametrize(("had_session", "is_told"), [(True, True), (False, False)])
async def test_only_whose_session_has_ended_is_told_so_and_both_come_back_here(
    had_session: bool, is_told: bool
) -> None:
    page: Any = Page()
    become(None, had_session=had_session)
    try:
        event = await _notice_of(page, Unauthenticated(), load)
    finally:
        become(None)
    told = str(event.args)
    assert "/sign-in?next=/keys%3Fq%3Da%2Bb" in told
    assert ("error=session_expired" in told) is is_told
