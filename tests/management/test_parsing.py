"""Whatever comes in a query, a cursor or a body: an answer, or a problem that says what is wrong. Never a fault of
ours."""

from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.management import ROWS
from aiservice.management.models import PageQuery
from aiservice.management.paging import Place, cursor_of, page_of, place_of
from aiservice.management.problems import InvalidBody, InvalidQuery, problem
from aiservice.management.reading import read_object, read_query
from aiservice.management.resources.usage import moment

BODIES = sorted({row.body for row in ROWS if row.body is not None}, key=lambda model: model.__name__)
QUERIES = sorted({row.query for row in ROWS if row.query is not None}, key=lambda model: model.__name__)
FIELDS = sorted({name for model in (*BODIES, *QUERIES) for name in model.model_fields})
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), values, max_size=6)
places = st.lists(st.text(max_size=20) | st.integers(-(2**53), 2**53), min_size=1, max_size=3).map(tuple)


@given(st.sampled_from(BODIES), objects)
def test_a_body_is_read_or_every_fault_in_it_is_named(model: Any, said: dict[str, Any]) -> None:
    try:
        raw = orjson.dumps(said)
    except TypeError:  # numbers that no JSON of ours holds
        return
    try:
        read = read_object(model, raw)
    except InvalidBody as error:
        told = orjson.loads(problem(error, "req_1", "/api/x", "", model.model_fields))
        assert all(one["pointer"].startswith("#") and one["detail"] and one["code"] for one in told["errors"])
    except InvalidRequest as error:
        assert (error.code, b"\\u0000" in raw) == ("invalid_json", True)
    else:
        assert read.model_fields_set <= set(said)


@given(st.binary(max_size=60))
def test_bytes_that_are_no_object_are_a_400(raw: bytes) -> None:
    try:
        read_object(BODIES[0], raw)
    except BrokerError as error:
        assert error.status in (400, 422)


@given(st.sampled_from(QUERIES), st.lists(st.tuples(st.sampled_from(FIELDS), st.text(max_size=12)), max_size=4))
def test_a_query_is_read_or_its_parameter_named(model: Any, said: list[tuple[str, str]]) -> None:

    try:
        read_query(model, urlencode(said).encode())
    except InvalidQuery as error:
        assert all(one["parameter"] and one["detail"] for one in error.faults)


@given(places)
def test_a_cursor_names_the_place_that_it_was_made_of(place: Place) -> None:
    assert place_of("things", cursor_of("things", place)) == place
    with pytest.raises(InvalidRequest):
        place_of("others", cursor_of("things", place))


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")))
def test_a_cursor_that_is_none_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        place_of("things", text)


@given(st.lists(st.tuples(st.text(max_size=3), st.integers(0, 50)), unique=True), st.integers(1, 5), st.booleans())
def test_pages_give_everything_once_and_in_order(items: list[Place], limit: int, newest_first: bool) -> None:
    seen: list[Place] = []
    cursor: str | None = None
    while True:
        query = PageQuery(limit=limit, cursor=cursor)
        data, cursor = page_of(items, lambda item: item, query, "things", newest_first=newest_first)
        seen += data
        if cursor is None:
            break
    assert seen == sorted(items, reverse=newest_first)


@given(places, st.lists(st.tuples(st.text(max_size=3), st.integers(0, 9)), max_size=4))
def test_a_cursor_of_another_shape_is_refused_and_breaks_nothing(place: Place, items: list[Place]) -> None:
    query = PageQuery(cursor=cursor_of("things", place))
    try:
        page_of(items, lambda item: item, query, "things")
    except InvalidRequest as error:
        assert error.code == "invalid_cursor"


@given(st.text(max_size=30))
def test_a_time_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(moment(text, "start"), int)
    except InvalidRequest as error:
        assert error.param == "start"
