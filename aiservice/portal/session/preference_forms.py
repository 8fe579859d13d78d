"""What the pages of preferences show and send: terms as fields of a form, decisions and versions as rows."""

from typing import Any, TypedDict

from pydantic import ConfigDict
from typing_extensions import TypedDict as ValidatedDict

from aiservice.errors import BrokerError, InvalidRequest
from aiservice.portal.queries import Zone
from aiservice.principal import Person
from aiservice.services.core import Core
from aiservice.services.preference_trial import Trial
from aiservice.services.preferences import ANY_TASK
from aiservice.services.rights import may
from aiservice.services.rights_table import ROW_OF_SCOPE
from aiservice.services.routing_decision import Decision
from aiservice.services.routing_history import Version
from aiservice.services.routing_scopes import Scope
from aiservice.services.routing_terms import Terms
from aiservice.services.terms_words import differences, sentence
from aiservice.tasks import registry

MAX_SHOWN = 20
_MAX_KEYS = 200
_YES_NO = {True: "yes", False: "no", None: ""}
PLATFORM_VALUE = "platform"


class Option(TypedDict):
    """A choice in a select."""

    value: str
    label: str


class Line(TypedDict):
    """A name with what is said of it, and where that leads."""

    name: str
    words: str
    value: str


class DifferenceRow(TypedDict):
    """A field that the draft changes."""

    field: str
    before: str
    after: str


class PlaceRow(TypedDict):
    """A line of the decision table: `place` is "1", "2", …, or empty where a rule removed the connection."""

    place: str
    connection: str
    model: str
    why: str
    is_chosen: bool


class MovedRow(TypedDict):
    """A request of the last hour that would have gone elsewhere."""

    href: str
    at: str
    client: str
    model: str
    before: str
    after: str


class VersionRow(TypedDict):
    """A change in the history."""

    number: int
    at: str
    who: str
    task: str
    words: str
    is_current: bool


class TermsForm(ValidatedDict):
    """The form of terms, as the browser sends it."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]
    only: str
    ignore: str
    sort: str
    strategy: str
    fallbacks: str
    prompt: str
    completion: str
    request: str
    latency: str
    throughput: str
    floor: str
    data_collection: str
    zdr: str
    regions: str
    parameters: str
    asked: str


def fields_of(terms: Terms) -> dict[str, str]:
    """The form's fields, filled in with what is stored."""
    said = terms.to_json()
    price = said.get("max_price", {})
    return {
        "only": ", ".join(said.get("only", ())),
        "ignore": ", ".join(said.get("ignore", ())),
        "sort": terms.sort or "",
        "strategy": terms.strategy or "",
        "fallbacks": _YES_NO[terms.allow_fallbacks],
        "prompt": str(price.get("prompt", "")),
        "completion": str(price.get("completion", "")),
        "request": str(price.get("request", "")),
        "latency": str(terms.preferred_max_latency_ms or ""),
        "throughput": _plain(terms.preferred_min_throughput),
        "floor": _plain(terms.fallback_below_throughput),
        "data_collection": terms.data_collection or "",
        "zdr": _YES_NO[terms.zdr],
        "regions": ", ".join(said.get("regions", ())),
        "parameters": _YES_NO[terms.require_parameters],
        "asked": "",
    }


def _plain(number: float | None) -> str:
    return "" if number is None else str(int(number)) if number == int(number) else str(number)


def terms_of_form(form: TermsForm, order: list[str]) -> Terms | None:
    """The draft that the form and the chain say; None where they say nothing.

    Raises:
        InvalidRequest: a field cannot be read (named in `param`).
    """
    price = {name: form[name].strip() for name in ("prompt", "completion", "request")}
    said = {
        "order": order or None,
        "only": _names(form["only"]),
        "ignore": _names(form["ignore"]),
        "sort": form["sort"] or None,
        "strategy": form["strategy"] or None,
        "allow_fallbacks": _flag(form["fallbacks"]),
        "max_price": {name: text for name, text in price.items() if text} or None,
        "preferred_max_latency_ms": _number(form["latency"], "Preferred latency"),
        "preferred_min_throughput": _number(form["throughput"], "Preferred throughput"),
        "fallback_below_throughput": _number(form["floor"], "The throughput below which a stream goes elsewhere"),
        "data_collection": form["data_collection"] or None,
        "zdr": _flag(form["zdr"]),
        "regions": _names(form["regions"]),
        "require_parameters": _flag(form["parameters"]),
    }
    terms = Terms.read({name: value for name, value in said.items() if value is not None})
    return None if terms == Terms() else terms


def _names(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None


def _flag(text: str) -> bool | None:
    return {"yes": True, "no": False}.get(text)


def _number(text: str, what: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text.strip().replace(",", ""))
    except ValueError:
        raise InvalidRequest(f"{what} is a number, such as 800.", param=what) from None


def title_of(task: str) -> str:
    """A task as people call it."""
    return "Any task" if task == ANY_TASK else registry()[task].title if task in registry() else task


def words_of(terms: Terms, task: str) -> str:
    """The terms of a task as one sentence."""
    return f"{sentence(terms, 'Any request' if task == ANY_TASK else title_of(task))}."


async def scopes_of(core: Core, me: Person) -> list[Option]:
    """Whose terms this person may see, those of clients first; of keys the newest: there can be very many."""
    found = [Option(value=f"client:{one.id}", label=f"Client {one.name}") for one in await core.clients.list(me)]
    found += [Option(value=f"team:{one.id}", label=f"Team {one.name}") for one in await core.teams.list(me)]
    found.append(Option(value=PLATFORM_VALUE, label="Platform: everybody"))
    keys = [key for key in await core.keys.list(me, limit=_MAX_KEYS) if key.state == "active"]
    found += [Option(value=f"key:{key.id}", label=f"Key {key.name} of {key.client}") for key in keys]
    return found


def may_change(me: Person, scope: Scope) -> bool:
    """Whether the page offers it; the service decides."""
    return may(me, "preference.set", ROW_OF_SCOPE[scope.kind])


def difference_rows(before: Terms, after: Terms) -> list[DifferenceRow]:
    return [DifferenceRow(field=one.field, before=one.before, after=one.after) for one in differences(before, after)]


def place_rows(decision: Decision) -> list[PlaceRow]:
    """The decision table: the places in order, and then why the others are none."""
    chosen = [
        PlaceRow(
            place=str(number), connection=one.connection.name, model=one.model, why=_capital(one.reason), is_chosen=True
        )
        for number, one in enumerate(decision.candidates, start=1)
    ]
    others = [
        PlaceRow(place="", connection=one.connection, model="", why=one.words, is_chosen=False)
        for one in decision.removed
    ]
    return chosen + others


def refusal_words(refusal: BrokerError | None) -> str:
    return "" if refusal is None else refusal.message


def moved_rows(trial: Trial, zone: Zone) -> list[MovedRow]:
    return [
        MovedRow(
            href=f"/requests/{one.request_id}",
            at=zone.show(one.started_us),
            client=one.client,
            model=one.model,
            before=one.before,
            after=one.after,
        )
        for one in trial.changed[:MAX_SHOWN]
    ]


def version_rows(versions: Any, zone: Zone) -> list[VersionRow]:
    """The newest change of each task is what holds now."""
    rows: list[VersionRow] = []
    seen: set[str] = set()
    for one in versions:
        rows.append(
            VersionRow(
                number=one.number,
                at=zone.show(one.at_us),
                who=one.actor or "unknown",
                task=title_of(one.name),
                words=_changes(one),
                is_current=one.name not in seen,
            )
        )
        seen.add(one.name)
    return rows


def _changes(version: Version) -> str:
    if version.after is None:
        return "Cleared"
    try:
        before, after = (Terms.read(said or {}) for said in (version.before, version.after))
    except InvalidRequest:  # an older release took it: the page is there all the same
        return "What cannot be read any more"
    said = "; ".join(f"{one.field}: {one.before} → {one.after}" for one in differences(before, after))
    return f"Back to version {version.reverted_to}: {said}" if version.reverted_to else said


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
