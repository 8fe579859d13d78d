"""How a trial of preferences is told: the places in order, why others are none, and what the last hour shows."""

from aiservice.commands.console import show, show_table
from aiservice.kit.clock import iso
from aiservice.services.preference_trial import Trial
from aiservice.services.routing_decision import Decision

_SHOWN = 20


def show_trial(decision: Decision, trial: Trial, *, as_json: bool) -> None:
    """Both parts; as JSON with every changed request."""
    rows: list[dict[str, object]] = [
        {"place": number, "connection": one.connection.name, "model": one.model, "why": one.reason}
        for number, one in enumerate(decision.candidates, start=1)
    ]
    removed: list[dict[str, object]] = [
        {"connection": one.connection, "rule": one.rule, "why": one.words} for one in decision.removed
    ]
    changed = [
        {
            "request_id": one.request_id,
            "client": one.client,
            "task": one.task,
            "model": one.model,
            "before": one.before,
            "after": one.after,
            "started_at": iso(one.started_us),
        }
        for one in trial.changed
    ]
    refusal = None if decision.refusal is None else decision.refusal.message
    if as_json:
        hour = {"requests": trial.requests, "is_whole": trial.is_whole, "places": dict(trial.places)}
        told = {"candidates": rows, "removed": removed, "refusal": refusal}
        show({**told, "last_hour": {**hour, "refused": trial.refused, "changed": changed}}, [], as_json=True)
        return
    columns = ("place", "connection", "model", "why")
    show_table([*rows, *removed], columns, as_json=False, empty="There is no connection to go to.")
    newest = "" if trial.is_whole else " (the newest of the last hour)"
    show({}, [*([refusal] if refusal else []), "", f"{trial.words}{newest}."], as_json=False)
    if changed:
        heads = ("started_at", "client", "task", "model", "before", "after")
        show_table(changed[:_SHOWN], heads, as_json=False, empty="")
