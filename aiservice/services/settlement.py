"""What the ledger is told: an intent before the first byte goes upstream, a settlement when all is said; and how both
stand in the journal (a JSON array of kind and values, whose names are in the header of every file, so that a
newer release reads what an older one left behind)."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, NamedTuple, cast

import orjson

from aiservice.tables.ledger import MAX_TOKENS
from aiservice.wire import Usage, UsageSource

Outcome = Literal[
    "finished", "failed", "client_left", "upstream_truncated", "broker_stopped", "budget_exhausted", "interrupted"
]

INTENT, SETTLED, PROGRESS = 1, 2, 3


class Intent(NamedTuple):
    """A request that is about to be sent to a provider. `started_us` is microseconds UTC.

    `provider` and `model` are where it goes first, `kind` and `base_url` what that connection is: if its worker dies,
    whoever finds the intent works out what the prompt alone costs there. `budgets` names the windows that it will be
    charged to.
    """

    request_id: str
    client_id: str
    client: str
    key_id: str
    task: str
    surface: str
    requested_model: str
    is_stream: bool
    started_us: int
    est_input_tokens: int
    provider: str = ""
    model: str = ""
    kind: str = ""
    base_url: str = ""
    budgets: str | None = None


Price = Callable[[str, str, str, Usage, int], int | None]
"""What usage costs (`Prices.cost_nano_usd`)."""


@dataclass(slots=True)
class Progress:
    """What a request has cost so far, by estimate: used only if its worker dies before it is settled."""

    request_id: str
    provider: str
    model: str
    output_tokens: int
    cost_nano_usd: int | None


@dataclass(slots=True)
class Settlement:
    """One row of the ledger; the words are explained at `tables.LedgerEntry`. Token counts are 0 to 10⁹."""

    request_id: str
    client_id: str
    client: str
    key_id: str
    task: str
    surface: str
    provider: str
    model: str
    requested_model: str
    status: int
    outcome: Outcome
    started_us: int
    ended_us: int
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    usage_source: UsageSource = "reported"
    is_usage_invalid: bool = False
    cost_nano_usd: int | None = None
    first_byte_us: int | None = None
    error_code: str | None = None
    is_stream: bool = False
    attempts: list[dict[str, Any]] = field(default_factory=list)
    overhead_us: int | None = None
    budgets: str | None = None
    cache: str | None = None
    decision: str | None = None
    trace_id: str | None = None
    upstream_id: str | None = None
    units: int | None = None
    unit: str | None = None


_RECORDS: dict[int, type[Intent | Progress | Settlement]] = {INTENT: Intent, SETTLED: Settlement, PROGRESS: Progress}
_NAMES = {kind: list(inspect.signature(cls).parameters) for kind, cls in _RECORDS.items()}
_SHARED = frozenset(_NAMES[INTENT]) & frozenset(_NAMES[SETTLED]) - {"provider", "model"}
HEADER = orjson.dumps({"format": 1, "names": {str(kind): names for kind, names in _NAMES.items()}})

_settled_values = attrgetter(*_NAMES[SETTLED])
_progress_values = attrgetter(*_NAMES[PROGRESS])


def encode_intent(intent: Intent) -> bytes:
    """The intent as a journal record."""
    return orjson.dumps((INTENT, tuple(intent)))


def encode_settlement(row: Settlement) -> bytes:
    """The settlement as a journal record."""
    return orjson.dumps((SETTLED, _settled_values(row)))


def encode_progress(progress: Progress) -> bytes:
    """The progress as a journal record."""
    return orjson.dumps((PROGRESS, _progress_values(progress)))


def decode(records: Iterator[bytes]) -> Iterator[Intent | Progress | Settlement]:
    """What the records of one worker's life say. What is no record of ours (damage that passed a CRC) is skipped."""
    names: dict[int, list[str]] = {}
    for payload in records:
        try:
            document = orjson.loads(payload)
            if isinstance(document, dict):
                names = {int(kind): known for kind, known in document["names"].items()}
                continue
            kind, values = document
            cls = _RECORDS[kind]
            given = dict(zip(names.get(kind) or _NAMES[kind], values, strict=True))
            yield cls(**{name: given[name] for name in _NAMES[kind] if name in given})
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def valid_count(value: object) -> int | None:
    """`value` if it can be a number of tokens: an int (not a bool) from 0 to 10⁹; None for anything else.

    A provider may send NaN, -5, 1e308, "10", null or nothing at all; one NaN that gets into a sum makes every later
    comparison with a limit false.
    """
    if type(value) is int and 0 <= value <= MAX_TOKENS:
        return value
    return None


def is_valid(row: Settlement) -> bool:
    """Whether all counts of `row` may stand in the ledger."""
    prompt, answer, cost = row.input_tokens, row.output_tokens, row.cost_nano_usd
    cached, written, thought = row.cached_input_tokens, row.cache_write_tokens, row.reasoning_tokens
    if not type(prompt) is type(answer) is type(cached) is type(written) is type(thought) is int:
        return False
    # All bits together are below zero where one is, and no less than the largest.
    is_small = 0 <= (prompt | answer | cached | written | thought) <= MAX_TOKENS
    if not is_small and not all(0 <= count <= MAX_TOKENS for count in (prompt, answer, cached, written, thought)):
        return False
    if row.units is not None and valid_count(row.units) is None:
        return False
    return cost is None or (type(cost) is int and 0 <= cost < 2**63)


def repair(row: Settlement, est_input_tokens: int) -> None:
    """Replaces counts that cannot be by the estimate, so that the request is in the ledger at all."""
    row.is_usage_invalid = True
    row.usage_source = "estimated"
    row.input_tokens = valid_count(row.input_tokens) or valid_count(est_input_tokens) or 0
    row.output_tokens = valid_count(row.output_tokens) or 0
    row.cached_input_tokens = valid_count(row.cached_input_tokens) or 0
    row.cache_write_tokens = valid_count(row.cache_write_tokens) or 0
    row.reasoning_tokens = valid_count(row.reasoning_tokens) or 0
    row.units = valid_count(row.units)
    cost = row.cost_nano_usd
    if cost is not None and (type(cost) is not int or not 0 <= cost < 2**63):
        row.cost_nano_usd = None


def interrupted(intent: Intent, progress: Progress | None, ended_us: int, price: Price) -> Settlement:
    """The row of a request whose worker died under it: status 500 whatever had been sent, since the client was not
    given a whole answer; the estimate of the prompt, and of the output as far as it was seen."""
    if progress is not None:
        cost = progress.cost_nano_usd
    elif intent.kind:
        prompt = Usage(valid_count(intent.est_input_tokens) or 0)
        cost = price(intent.kind, intent.base_url, intent.model, prompt, intent.started_us)
    else:
        cost = None
    return Settlement(
        **{name: getattr(intent, name) for name in _NAMES[INTENT] if name in _SHARED},
        provider=progress.provider if progress else intent.provider,
        model=progress.model if progress else intent.model,
        status=500,
        outcome="interrupted",
        error_code="interrupted",
        ended_us=max(ended_us, intent.started_us),
        input_tokens=valid_count(intent.est_input_tokens) or 0,
        output_tokens=(valid_count(progress.output_tokens) or 0) if progress else 0,
        usage_source="estimated",
        cost_nano_usd=cost,
    )


def rows_of(records: Iterator[bytes], died_us: int, price: Price) -> list[Settlement]:
    """What one worker's life owes the database: its settlements, and an estimate for each intent without one."""
    intents: dict[str, Intent] = {}
    progress: dict[str, Progress] = {}
    rows: dict[str, Settlement] = {}
    for record in decode(records):
        if isinstance(record, Settlement):
            rows.setdefault(record.request_id, record)
        elif isinstance(record, Intent):
            intents[record.request_id] = record
        else:
            progress[record.request_id] = record
    for request_id, intent in intents.items():
        if request_id not in rows:
            rows[request_id] = interrupted(intent, progress.get(request_id), died_us, price)
    return list(rows.values())


def open_intents(records: Iterator[bytes]) -> list[Intent]:
    """What one worker's life has begun and not settled."""
    found: dict[str, Intent] = {}
    for record in decode(records):
        if isinstance(record, Intent):
            found[record.request_id] = record
        elif isinstance(record, Settlement):
            found.pop(record.request_id, None)
    return list(found.values())


def pack_settlement(row: Settlement) -> bytes:
    """The settlement by the names of its values, for whoever keeps it outside of a journal."""
    return orjson.dumps(columns(row))


def unpack_settlement(packed: bytes) -> Settlement:
    """A settlement that was packed, by this release or another."""
    told = orjson.loads(packed)
    return Settlement(**{name: told[name] for name in _NAMES[SETTLED] if name in told})


def columns(row: Settlement) -> dict[str, Any]:
    """The row as columns of the ledger table."""
    return cast(dict[str, Any], dict(zip(_NAMES[SETTLED], _settled_values(row), strict=True)))
