"""The decision table of a request's page, as far as it is words."""

from aiservice.portal.components.decision import considered_of


def test_places_come_in_order_and_then_what_was_left_out_by_which_rule() -> None:
    place = {"provider": "east", "kind": "openai", "model": "fast", "reason": "preference 1"}
    removed = {"provider": "west", "kind": "openai", "rule": "max_price", "why": "It costs more."}
    lines = considered_of({"candidates": [place, {**place, "provider": "north"}], "removed": [removed]})
    assert [(line["name"], line["place"], line["why"]) for line in lines] == [
        ("east", "first", "Preference 1."),
        ("north", "then, 2", "Preference 1."),
        ("west", "max price", "It costs more."),
    ]


def test_a_decision_that_was_not_kept_is_no_table() -> None:
    assert considered_of(None) == []


def test_what_a_preference_decided_leads_to_the_preferences() -> None:
    place = {"provider": "east", "kind": "openai", "model": "fast"}
    removed = {"provider": "west", "kind": "openai", "why": "It is."}
    lines = considered_of(
        {
            "candidates": [{**place, "reason": "preference 1, key 2"}, {**place, "reason": "default order"}],
            "removed": [{**removed, "rule": "ignore"}, {**removed, "rule": "disabled"}],
        }
    )
    assert [line["is_preference"] for line in lines] == [True, False, True, False]
