"""The Alerts page: what was measured against which threshold, and a link to exactly the requests that it is about."""

from typing import Any

import pytest

from aiservice.kit.clock import MINUTE_US
from aiservice.portal.components.alert_rows import filters_of, row_of, span_of
from aiservice.portal.queries import RequestsView
from aiservice.services.alert_notes import Severity
from aiservice.services.alerts import AlertView

AT_US = 1_795_000_000_000_000 // MINUTE_US * MINUTE_US


def alert(subject: str = "eu", **evidence: Any) -> AlertView:
    times = {"first_us": AT_US, "last_us": AT_US + 5 * MINUTE_US, "resolved_us": None, "muted_until_us": None}
    known: dict[str, Any] = {
        "id": "alt_1",
        "kind": "error_rate",
        "title": "Error rate",
        "subject": subject,
        "client": None,
        "severity": Severity.CRITICAL,
        "state": "open",
        "words": "w",
        "evidence": evidence,
        "count": 1,
        "acknowledged_us": None,
        "acknowledged_by": "",
        "resolved_by": "",
        **times,
    }
    return AlertView(**known)


def test_value_and_threshold_stand_on_one_scale() -> None:
    row = row_of(alert(value=40.0, threshold=10, scope="connection"))
    assert row["measured"] == "40 measured, threshold 10"
    assert (row["width"], row["mark"]) == ("90.9%", "22.7%")
    assert [fact["name"] for fact in row["facts"]] == ["scope"]
    nothing = row_of(alert(value=None, threshold=10))
    assert (nothing["measured"], [fact["name"] for fact in nothing["facts"]]) == ("", ["threshold"])


def test_shares_are_bars_with_a_link_to_their_requests_and_no_facts() -> None:
    part = {"by": "key", "id": "key_1", "name": "ci-bot", "value": 31.0, "share": 0.62, "of": "failed requests"}
    row = row_of(alert(scope="connection", contributors=[part]))
    assert (row["shares_of"], "contributors" in {fact["name"] for fact in row["facts"]}) == ("failed requests", False)
    [share] = row["shares"]
    assert (share["name"], share["share"], share["width"]) == ("ci-bot", "62%", "62.0%")
    assert share["requests"].startswith("/requests?provider=eu&key=key_1&from=")


@pytest.mark.parametrize(
    ("id_", "name", "shown"), [("", "", "no provider"), ("con_1", "", "con_1"), ("con_1", "eu", "eu")]
)
def test_a_share_has_a_name_also_where_requests_never_came_to_a_provider(id_: str, name: str, shown: str) -> None:
    part = {"by": "provider", "id": id_, "name": name, "value": 3.0, "share": 0.5, "of": "failed requests"}
    [share] = row_of(alert(contributors=[part]))["shares"]
    assert share["name"] == shown


def test_the_link_asks_for_the_requests_of_its_window_and_no_others() -> None:
    view = alert(value=1, threshold=1, window_seconds=600, scope="connection")
    begin, end = span_of(view)
    assert (begin, end) == (AT_US - 10 * MINUTE_US, AT_US + 6 * MINUTE_US)
    url = row_of(view)["requests"]
    assert url.startswith("/requests?provider=eu&from=")
    params = dict(part.split("=") for part in url.partition("?")[2].replace("%3A", ":").split("&"))
    asked = RequestsView.of(params).asked
    assert (asked.provider, asked.start_us, asked.end_us) == ("eu", begin, end)


def test_what_was_noted_of_a_connection_leads_to_its_requests_and_a_key_to_its_connections() -> None:
    assert filters_of(alert("mock key 2", connection="mock key 2")) == {"provider": "mock"}
    assert filters_of(alert("cli_1", scope="client")) == {"client": "cli_1"}
    assert row_of(alert("ledger"))["requests"] == ""
