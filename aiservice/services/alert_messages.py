"""What receivers read: the JSON body of a message, and the mail that is made of it."""

from typing import Any

import orjson

from aiservice.kit.clock import iso
from aiservice.services.alert_contributors import EVIDENCE
from aiservice.services.alert_metrics import title_of
from aiservice.services.alert_notes import Severity
from aiservice.tables import AlertEvent

_TEST: dict[str, Any] = {
    "id": "alt_test",
    "kind": "test",
    "title": "Test",
    "subject": "test",
    "client": None,
    "severity": "info",
    "words": "This is a test message. Alerts of aiservice will arrive here.",
    "evidence": {},
    "count": 1,
}


def body_of(event: str, alert: AlertEvent | None, client: str | None, at_us: int, public_url: str | None) -> str:
    """The body of a message, as Standard Webhooks shapes it (`type`, `timestamp`, `data`); without an alert a test."""
    data: dict[str, Any] = dict(_TEST) if alert is None else _data(alert, client)
    data["url"] = f"{public_url.rstrip('/')}/alerts" if public_url else None
    return orjson.dumps({"type": event, "timestamp": iso(at_us), "data": data}).decode()


def _data(alert: AlertEvent, client: str | None) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "title": title_of(alert.kind),
        "subject": alert.subject,
        "client": client,
        "severity": Severity(alert.severity).name.lower(),
        "words": alert.words,
        "evidence": alert.evidence,
        "count": alert.count,
        "first_at": iso(alert.first_us),
        "last_at": iso(alert.last_us),
        "resolved_at": iso(alert.resolved_us),
    }


def _made_by(parts: list[dict[str, Any]]) -> list[str]:
    """Who had the largest part in it, a line each."""
    if not parts:
        return []
    lines = [f"    {part['by']} {part['name']}: {part['share']:.0%}" for part in parts]
    return ["", f"  Largest shares of {parts[0]['of']}:", *lines]


def mail_of(body: str) -> tuple[str, str]:
    """Subject and text of a message's mail."""
    message: dict[str, Any] = orjson.loads(body)
    data = message["data"]
    is_over = message["type"] == "alert.resolved"
    mark = "Resolved" if is_over else str(data["severity"]).capitalize()
    lines = [data["words"], ""]
    if is_over:
        lines += [f"This is over since {data.get('resolved_at')}.", ""]
    about = {"What": data["title"], "About": data["subject"], "Client": data["client"], "Since": data.get("first_at")}
    if data["count"] > 1:
        about["Times"] = data["count"]
    lines += [f"{name}: {value}" for name, value in about.items() if value]
    evidence = {name: value for name, value in data["evidence"].items() if name != EVIDENCE}
    lines += [f"  {name}: {value}" for name, value in evidence.items() if value not in (None, "")]
    lines += _made_by(data["evidence"].get(EVIDENCE) or [])
    lines += ["", f"Open the alert: {data['url']}" if data["url"] else "Open the portal's Alerts page for more."]
    return f"[aiservice] {mark}: {data['words']}", "\n".join(lines)
