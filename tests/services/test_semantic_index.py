"""The nearest question is found, within its hard key, and what is held is bounded."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiservice.kit.clock import now_us
from aiservice.services import semantic_index
from aiservice.services.semantic_index import SemanticIndex, Vector, cosine, unit

LATER = 2**62
NUMBERS = st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8)


def vector(seed: object, dimensions: int = 256) -> Vector:
    numbers = random.Random(str(seed))
    found = unit([numbers.gauss(0, 1) for _ in range(dimensions)])
    assert found is not None
    return found


def near(one: Vector, seed: object) -> Vector:
    found = unit([number + step / 4 for number, step in zip(one, vector(seed, len(one)), strict=True)])
    assert found is not None
    return found


def test_the_nearest_is_the_nearest_of_all() -> None:
    index, known = SemanticIndex(), {b"%d" % seed: vector(seed) for seed in range(180)}
    for key, one in known.items():
        index.add(b"hard", one, key, "cli_1", LATER)
    for seed in range(0, 180, 7):
        asked = near(known[b"%d" % seed], f"step {seed}")
        found = index.nearest(b"hard", asked)
        assert found is not None
        assert found[0].key == max(known, key=lambda key: cosine(known[key], asked)) == b"%d" % seed
        assert found[1] == pytest.approx(cosine(known[found[0].key], asked))


@given(numbers=NUMBERS, other=NUMBERS)
def test_a_cosine_is_one_and_the_same_both_ways(numbers: list[float], other: list[float]) -> None:
    one, two = unit(numbers), unit(other)
    if one is None or two is None:
        return
    assert cosine(one, one) == pytest.approx(1, abs=1e-5)
    assert cosine(one, two) == pytest.approx(cosine(two, one), abs=1e-6)
    assert -1.00001 <= cosine(one, two) <= 1.00001


def test_what_is_no_direction_is_no_vector() -> None:
    assert unit([0.0, 0.0]) is None
    assert unit([float("nan"), 1.0]) is None
    assert cosine(vector(1, 4), vector(1, 8)) == 0


def test_another_hard_key_and_what_is_over_are_not_found() -> None:
    index = SemanticIndex()
    index.add(b"hard", vector(1), b"a", "cli_1", now_us() - 1)
    index.add(b"other", vector(1), b"b", "cli_1", LATER)
    assert index.nearest(b"hard", vector(1)) is None
    assert index.nearest(b"nobody's", vector(1)) is None


def test_so_much_is_held_and_counted_and_what_was_asked_least_lately_goes() -> None:
    index = SemanticIndex(most_bytes=10_000)
    for number in range(50):
        index.add(b"%d" % (number % 10), vector(number), b"%d" % number, f"cli_{number % 2}", LATER)
        assert index.held_bytes <= 10_000
    assert index.held_bytes == sum(one.size for known in index._known.values() for one in known) > 5_000
    assert index.nearest(b"9", vector(49)) is not None
    index.remove_of("cli_1")
    assert {one.client_id for known in index._known.values() for one in known} <= {"cli_0"}
    index.remove_of("cli_0")
    assert (len(index), index.held_bytes) == (0, 0)


def test_of_a_key_so_many_are_held_and_the_same_answer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic_index, "_MOST_OF_A_KEY", 3)
    index = SemanticIndex()
    for number in (1, 2, 2, 3, 4, 5):
        index.add(b"hard", vector(number), b"%d" % number, "cli_1", LATER)
    assert [one.key for one in index._known[b"hard"]] == [b"3", b"4", b"5"]
