"""What a developer reads of the limit that binds first: how near it is, whom to ask, what a program will be told."""

import orjson

from aiservice.portal.components.answer_example import answer_text
from aiservice.portal.components.limit_binding import binding_rows, level_of
from aiservice.principal import Budget, Limit
from aiservice.services.budget_words import spent_out
from aiservice.services.limit_binding import Binding
from aiservice.services.limit_standing import Holder
from aiservice.services.limiter import Standing, refusal_of

LIMIT = Limit("client", "cli_1", "requests/minute", "requests", 60, 60)
KEY = Holder("key", "key_1", "first", "acme", {}, ())
CLIENT = Holder("client", "cli_1", "acme", "", {"requests/minute": 60}, ())


def test_it_warns_from_four_fifths_on() -> None:
    assert [level_of(share) for share in (0.0, 0.79, 0.8, 0.99, 1.0, 2.0)] == [
        "good", "good", "warn", "warn", "bad", "bad"
    ]  # fmt: skip


def test_who_may_not_raise_it_is_told_whom_to_ask_and_with_what_words() -> None:
    of_client, own = Binding(KEY, CLIENT, Standing(LIMIT, 54, 0)), Binding(KEY, KEY, Standing(LIMIT, 6, 0))
    first, second = binding_rows([of_client, own], may_limit_all=False, contact="an admin (a@example.test)")
    assert (first["raised_by"], first["used"], first["level"]) == (
        "an admin (a@example.test)",
        "54 of 60 (90%)",
        "warn",
    )
    assert "limit of 60 requests a minute of the client 'acme'" in first["ask"]
    assert (second["raised_by"], second["ask"]) == ("you, below", "")
    [as_admin] = binding_rows([of_client], may_limit_all=True, contact="an admin")
    assert as_admin["raised_by"] == "you, below"


def test_the_answer_that_is_shown_is_the_one_that_is_given() -> None:
    text = answer_text(refusal_of(LIMIT, 12_400_000))
    head, _, body = text.partition("\n\n")
    assert head.splitlines()[0] == "HTTP/1.1 429"
    assert "retry-after: 12" in head
    error = orjson.loads(body)["error"]
    assert (error["code"], error["retryable"]) == ("client_rpm_exceeded", True)
    assert "60 requests a minute is used up" in error["message"]
    budget = Budget("bud_1", "key", "key_1", "money", "month", True, 5_000_000_000)
    spent = answer_text(spent_out(budget, 0))
    assert spent.startswith("HTTP/1.1 402")
    assert "retry-after" not in spent.partition("\n\n")[0]
