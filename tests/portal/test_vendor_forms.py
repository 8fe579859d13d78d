"""A vendor's row as the fields of a form, and back."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import InvalidRequest
from aiservice.portal.session.vendor_forms import RowForm, form_of, text_of
from aiservice.providers.vendors import RowError, row_from_toml, texts


@pytest.mark.parametrize("kind", sorted(texts()))
def test_a_row_fills_the_form_and_comes_back_the_same(kind: str) -> None:
    text = texts()[kind]
    assert row_from_toml(text_of(form_of(text))) == row_from_toml(text)


def test_a_row_to_start_from_says_nothing_of_its_vendor() -> None:
    form = form_of(texts()["groq"], as_start=True)
    started = row_from_toml(text_of({**form, "kind": "mine"}))
    plain = row_from_toml(texts()["groq"])
    assert started == replace(plain, kind="mine", key_env="", source="")


def test_text_that_is_no_row_stays_as_it_is() -> None:
    assert form_of("kind = ")["rest"] == "kind = "


def test_a_name_of_several_lines_is_refused() -> None:
    form = form_of('kind = "a"')
    with pytest.raises(InvalidRequest) as refused:
        text_of({**form, "title": "a\nneeds_key = false"})
    assert refused.value.param == "title"


@given(st.fixed_dictionaries({name: st.text(max_size=20) for name in ("kind", "title", "base_url", "key", "rest")}))
def test_any_form_is_a_row_or_is_refused(form: dict[str, str]) -> None:
    try:
        row = row_from_toml(text_of(cast(RowForm, form)))
    except (InvalidRequest, RowError):
        return
    assert row.kind == form["kind"].strip() or not form["kind"].strip()
