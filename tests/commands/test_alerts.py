"""`alert`: from a channel to a message in the log, without a server."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from aiservice.kit.secret import Secret
from aiservice.kit.webhooks import verify
from aiservice.services.opening import open_core
from tests.commands.conftest import Console


class Hook(BaseHTTPRequestHandler):
    received: list[tuple[dict[str, str], bytes]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


def test_a_channel_is_added_tested_rolled_and_removed(console: Console) -> None:
    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    refused = console.json("alert", "channel", "add", "pager", "--webhook", url, status=1)
    assert refused["error"]["code"] == "webhook_url_not_allowed"
    added = console.json("alert", "channel", "add", "pager", "--webhook", url, "--allow-private")
    assert console.json("alert", "test", "pager")["delivered"] is True
    headers, body = Hook.received[-1]
    verify([Secret(added["secret"])], headers, body, int(headers["webhook-timestamp"]))
    assert json.loads(body)["type"] == "alert.test"
    rolled = console.json("alert", "channel", "roll-secret", "pager")
    assert rolled["secret"] != added["secret"]
    server.shutdown()
    server.server_close()
    assert console.json("alert", "test", "pager", status=1)["error"]["code"] == "not_delivered"
    assert [row["state"] for row in console.json("alert", "log")] == ["failed", "delivered"]
    assert "secret" not in console.json("alert", "channel", "list")[0]
    console("alert", "channel", "disable", "pager")
    assert console.json("alert", "channel", "enable", "pager")["state"] == "in use"
    assert console.json("alert", "channel", "remove", "pager") == {"channel": "pager", "removed": True}


def test_a_secret_can_be_given_and_is_then_not_printed(console: Console) -> None:
    given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    url = "https://hooks.example.com/x"
    added = console("alert", "channel", "add", "pager", "--webhook", url, "--secret", stdin=given)
    assert given not in added.out + added.err
    short = console.json(*("alert", "channel", "add", "x", "--webhook", url, "--secret"), stdin="whsec_AAAA", status=1)
    assert short["error"]["code"] == "invalid_secret"
    mail = console.json("alert", "channel", "add", "mail", "--email", "a@example.org", status=1)
    assert mail["error"]["code"] == "no_mail_server"


def test_rules_are_listed_set_switched_and_removed(console: Console) -> None:
    names = {row["name"] for row in console.json("alert", "rule", "list")}
    assert "A key expires soon" in names
    rule = ("alert", "rule", "set", "slow", "--metric", "latency_p95", "--above", "4000", "--window", "10m")
    made = console.json(*rule, "--for", "1m", "--severity", "critical")
    assert (made["condition"], made["severity"]) == ("above 4000 ms in 10m for 1m", "critical")
    assert console.json("alert", "rule", "disable", "slow")["state"] == "off"
    console("alert", "rule", "remove", "slow")
    assert console.json("alert", "rule", "remove", "slow", status=1)["error"]["code"] == "alert_rule_not_found"
    console(*rule, "--below", "3", status=2)
    console(*rule, "--severity", "bad", status=2)
    refused = console.json("alert", "rule", "set", "x", "--metric", "latency_p59", "--above", "1", status=1)
    assert "latency_p95" in refused["error"]["message"]


def test_an_alert_is_listed_acknowledged_muted_and_resolved(console: Console) -> None:
    assert console("alert", "list").err == "There are no alerts.\n"

    async def note() -> None:
        async with open_core(console.settings) as core:
            core.alerts.note("budget", "key_1", "All of it is spent.")

    asyncio.run(note())
    [alert] = console.json("alert", "list")
    assert (alert["state"], alert["words"], alert["severity"]) == ("open", "All of it is spent.", "warning")
    console("alert", "ack", alert["id"])
    assert console.json("alert", "list", "--state", "acknowledged")[0]["acknowledged_by"] == "operator"
    assert console.json("alert", "mute", alert["id"], "--for", "4h")["target"] == "alert:budget:key_1"
    assert console.json("alert", "list")[0]["muted_until_at"] is not None
    console("alert", "mute", alert["id"], "--for", "0")
    console("alert", "resolve", alert["id"])
    assert console.json("alert", "list") == []
    assert len(console.json("alert", "list", "--state", "resolved")) == 1
    assert console.json("alert", "ack", "alt_none", status=1)["error"]["code"] == "alert_not_found"
