"""Terms as the fields of a form, and back."""

from typing import Any, cast

import pytest
from hypothesis import given

from aiservice.errors import InvalidRequest
from aiservice.portal.queries import Zone
from aiservice.portal.session.preference_forms import TermsForm, fields_of, terms_of_form, version_rows
from aiservice.services.routing_history import Version
from aiservice.services.routing_terms import Terms
from tests.services.test_routing_terms import said


def form(**fields: str) -> TermsForm:
    return cast(TermsForm, {**fields_of(Terms()), **fields})


@given(given_=said)
def test_what_is_stored_fills_the_form_and_comes_back_the_same(given_: dict[str, Any]) -> None:
    terms = Terms.read(given_)
    filled = form(**fields_of(terms))
    back = terms_of_form(filled, list(terms.order or ()))
    assert (back or Terms()) == terms


def test_an_empty_form_says_nothing() -> None:
    assert terms_of_form(form(), []) is None
    assert terms_of_form(form(), ["east"]) == Terms(order=("east",))


@pytest.mark.parametrize(
    ("field", "text"), [("prompt", "x"), ("latency", "soon"), ("sort", "colour"), ("data_collection", "perhaps")]
)
def test_what_cannot_be_read_is_refused(field: str, text: str) -> None:
    with pytest.raises(InvalidRequest):
        terms_of_form(form(**{field: text}), [])


def test_a_version_that_cannot_be_read_any_more_stands_among_the_others() -> None:
    said: tuple[Any, ...] = ({"order": "<img src=x>"}, {"order": ["mock"]})
    one, two = (
        Version(n, "terms", "client", "cli_1", "chat", None, after, 0, "", None) for n, after in enumerate(said)
    )
    rows = version_rows([one, two], Zone.of_person())
    assert rows[0]["words"] == "What cannot be read any more"
    assert "mock" in rows[1]["words"]
