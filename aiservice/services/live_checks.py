"""The live part of the conformance suite: small questions to a provider connection, which show that what the recorded
part holds true of its wire is true of the real thing, here and now.

It asks what cannot be known from the outside: whole answers, streams, tools both ways, a schema, images, vectors,
rankings, counts of tokens and an error. What the model's data says it cannot do is not tried. A model may decide
otherwise than it was asked to; then its check fails and says what came instead. Every check is a call or two of some
hundred tokens, charged by the provider and in no ledger of ours.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson

from aiservice.errors import BrokerError, Overloaded
from aiservice.principal import Person
from aiservice.providers import registry
from aiservice.providers._base import AttemptFailed
from aiservice.providers.capabilities import Capabilities, capabilities_of
from aiservice.services.connection_views import ConnectionView
from aiservice.services.connections import Connections
from aiservice.services.live_asking import Asked
from aiservice.services.live_samples import CITY, NO_SUCH_MODEL, QUESTION, RED_SQUARE, TOOL, chat, message_of
from aiservice.services.rights import needs
from aiservice.services.routing_plan import model_for
from aiservice.upstream.client import Upstream
from aiservice.upstream.failures import UpstreamFailure
from aiservice.wire import AttemptFailure, Json


@dataclass(slots=True, frozen=True)
class LiveCheck:
    """What one check found. `is_ok` None: it was not tried, and `words` say why."""

    name: str
    is_ok: bool | None
    words: str
    took_ms: int | None = None


class _Failed(Exception):
    """An answer came, and is not what it has to be."""


class _Skipped(Exception):
    """There is nothing to be tried."""


class LiveChecks:
    """Runs the checks against stored connections."""

    def __init__(self, connections: Connections, upstream: Upstream | None) -> None:
        self._connections = connections
        self._upstream = upstream

    @needs("connection.test")
    async def run(self, actor: Person, name_or_id: str, model: str | None = None) -> Sequence[LiveCheck]:
        """Every check in its order. `model` is the one that chats; by default the first that the connection has.

        Raises:
            NotFound, PermissionDenied: as `Connections.test`.
            Overloaded: the vault is sealed, the stored key does not open, or this process has no way out.
        """
        if self._upstream is None:
            raise Overloaded("This process was started without access to providers.", code="no_upstream")
        found = await self._connections.find(actor, name_or_id)
        await self._connections.refresh()
        view = next(view for view in self._connections.snapshot() if view.name == found.name)
        provider = registry()[view.kind].at(view.base_url)
        asked = Asked(self._connections, self._upstream, view, provider)
        return [await _checked(asked, name, check) for name, check in _Checks(asked, view, model).all()]


async def _checked(asked: Asked, name: str, check: Callable[[], Awaitable[str]]) -> LiveCheck:
    asked.took_ms = 0
    try:
        words = await check()
    except _Skipped as skipped:
        return LiveCheck(name, None, str(skipped))
    except _Failed as exc:
        return LiveCheck(name, False, str(exc), asked.took_ms)
    except (AttemptFailed, UpstreamFailure) as exc:
        # Refused before it was sent: a word that its wire does not have, which requests are told as well.
        is_known = exc.failure.code == "unsupported_parameter" and exc.failure.upstream_status is None
        words = f"{exc.failure.code}: {exc.failure.message}"
        return LiveCheck(name, None if is_known else False, words, None if is_known else asked.took_ms)
    except BrokerError as exc:
        return LiveCheck(name, False, f"{exc.code}: {exc.message}", asked.took_ms)
    return LiveCheck(name, True, words, asked.took_ms)


class _Checks:
    """The checks of one connection, each of which says what came, or raises."""

    def __init__(self, asked: Asked, view: ConnectionView, model: str | None) -> None:
        self._asked = asked
        self._view = view
        self._named = model

    def all(self) -> Sequence[tuple[str, Callable[[], Awaitable[str]]]]:
        return (
            ("whole answer", self._whole),
            ("stream", self._stream),
            ("tool call", self._tool_call),
            ("streamed tool call", self._streamed_tool_call),
            ("JSON schema", self._schema),
            ("image", self._image),
            ("token count", self._count),
            ("unknown model", self._unknown_model),
            ("embedding", self._embedding),
            ("ranking", self._ranking),
        )

    def _model(self) -> str:
        model = self._named or model_for(self._view, None, "chat")
        if model is None:
            raise _Skipped("It has no model that chats.")
        return model

    def _able(self, ability: str) -> Capabilities:
        """What the model can do; skips the check where that is known not to include `ability`."""
        known = capabilities_of(self._view.kind, self._model(), self._view.base_url, self._view.stated)
        if getattr(known, ability) is False:
            raise _Skipped(f"{self._model()} is known not to have it ('{ability}').")
        return known

    def _unshown(self, ability: str, words: str) -> _Failed:
        """It did not do what nobody knew, or everybody believed, that it can; says how that is stated."""
        model = self._model()
        return _Failed(
            f"{words} Where it cannot: provider set {self._view.name} --model {model} --capability {ability}=no"
        )

    async def _whole(self) -> str:
        answer = await self._asked.whole("chat", chat(QUESTION), self._model())
        message = message_of(answer.body)
        text = str(message.get("content") or "").strip()
        if not (text or message.get("reasoning_content") or message.get("reasoning_details")):
            raise _Failed("The answer says nothing.")
        if answer.finish_reason not in ("stop", "length"):
            raise _Failed(f"It ended with '{answer.finish_reason}' instead of 'stop'.")
        usage = answer.usage
        if not answer.is_usage_valid:
            raise _Failed("Its usage is made of numbers that cannot be.")
        if usage is None or not usage.input_tokens:
            return f"{_shown(text)}; no usage told, so requests are counted here"
        return f"{_shown(text)}; {usage.input_tokens} tokens in, {usage.output_tokens} out"

    async def _stream(self) -> str:
        self._able("streaming")
        told = await self._asked.streamed(chat(QUESTION), self._model())
        if not told.text.strip() and not told.has_thought:
            raise _Failed("The stream says nothing.")
        if len(told.finishes) != 1 or told.finishes[0] not in ("stop", "length"):
            raise _Failed(f"Instead of one end with 'stop' it has {told.finishes or 'none'}.")
        return f"{_shown(told.text)}; {'with' if told.has_usage else 'without'} usage, ended as it should"

    async def _tool_call(self) -> str:
        body, model = self._with_tool(), self._model()
        message = message_of((answer := await self._asked.whole("chat", body, model)).body)
        calls = message.get("tool_calls") or []
        if not calls:
            raise self._unshown(
                "tools", f"It was to call a tool, and said {_shown(str(message.get('content') or ''))}."
            )
        city = _city_in(calls[0]["function"]["name"], calls[0]["function"]["arguments"])
        if answer.finish_reason != "tool_calls":
            raise _Failed(f"It ended with '{answer.finish_reason}' instead of 'tool_calls'.")
        results = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 degrees"} for call in calls]
        going_on = {**body, "messages": [*body["messages"], message, *results]}
        going_on.pop("tool_choice", None)
        took_ms = self._asked.took_ms
        after = message_of((await self._asked.whole("chat", going_on, model)).body)
        self._asked.took_ms += took_ms
        text = str(after.get("content") or "")
        if not text.strip() and not after.get("tool_calls"):
            raise _Failed("The tool was called, and with its result nothing was said.")
        return f"look_up_weather({_shown(city)}), then {_shown(text)}"

    async def _streamed_tool_call(self) -> str:
        self._able("streaming")
        told = await self._asked.streamed(self._with_tool(), self._model())
        if not told.names:
            raise self._unshown("tools", f"It was to call a tool, and said {_shown(told.text)}.")
        first = min(told.names)
        city = _city_in(told.names[first], told.arguments[first])
        if told.finishes != ["tool_calls"]:
            raise _Failed(f"Instead of one end with 'tool_calls' it has {told.finishes or 'none'}.")
        return f"look_up_weather({_shown(city)})"

    def _with_tool(self) -> Json:
        known = self._able("tools")
        body = {**chat("What is the weather in Bern? Look it up."), "tools": [TOOL]}
        return body if known.forced_tools is False else {**body, "tool_choice": "required"}

    async def _schema(self) -> str:
        self._able("json_schema")
        form = {"type": "json_schema", "json_schema": {"name": "capital", "schema": CITY, "strict": True}}
        body = {**chat("What is the capital of Switzerland?"), "response_format": form}
        message = message_of((await self._asked.whole("chat", body, self._model())).body)
        text = str(message.get("content") or "")
        if not text.lstrip().startswith("{"):
            raise self._unshown("json_schema", f"It was to answer by a schema, and said {_shown(text)}.")
        return _shown(_city_of(text))

    async def _image(self) -> str:
        if self._able("images").images is None:
            raise _Skipped("Nobody knows whether the model sees: provider set NAME --model … --capability images=yes")
        body = chat("Of what colour is this? Answer with one word.")
        asked = {"type": "text", "text": body["messages"][0]["content"]}
        shown = {"type": "image_url", "image_url": {"url": RED_SQUARE}}
        body["messages"] = [{"role": "user", "content": [asked, shown]}]
        message = message_of((await self._asked.whole("chat", body, self._model())).body)
        text = str(message.get("content") or "")
        if not text.strip():
            raise _Failed("Nothing was said of the image.")
        return _shown(text)

    async def _count(self) -> str:
        model, provider = self._model(), self._asked.provider
        if not provider.counts(model):
            raise _Skipped("Its provider counts no prompts: counts are estimated, and said to be.")
        counted = (await self._asked.whole("token-count", chat(QUESTION), model)).body.get("input_tokens")
        if not isinstance(counted, int) or counted < 1:
            raise _Failed(f"A prompt is said to have {counted} tokens.")
        return f"{counted} tokens"

    async def _unknown_model(self) -> str:
        self._model()
        try:
            await self._asked.whole("chat", chat(QUESTION), NO_SUCH_MODEL)
        except AttemptFailed as exc:
            return _refusal_of(exc.failure)
        raise _Skipped("It answers whatever model is named.")

    async def _embedding(self) -> str:
        model = model_for(self._view, None, "embedding")
        if model is None:
            raise _Skipped("It has no model that makes vectors.")
        body = {"input": ["one sentence", "another one"], "encoding_format": "float"}
        rows = (await self._asked.whole("embedding", body, model)).body.get("data") or []
        sizes = {len(row.get("embedding") or ()) for row in rows}
        if len(rows) != 2 or len(sizes) != 1 or sizes == {0}:
            raise _Failed(f"For two texts there came {len(rows)} vectors of {sorted(sizes)} numbers.")
        return f"{model}: two vectors of {sizes.pop()} numbers"

    async def _ranking(self) -> str:
        model = model_for(self._view, None, "rerank")
        if model is None:
            raise _Skipped("It has no model that ranks.")
        body = {"query": "capital of Switzerland", "documents": ["A recipe for bread", "Bern is Switzerland's capital"]}
        rows = (await self._asked.whole("rerank", body, model)).body.get("results") or []
        scores = [row.get("relevance_score") for row in rows]
        if {row.get("index") for row in rows} != {0, 1} or scores != sorted(scores, reverse=True):
            raise _Failed("The documents did not come back once each, the best first.")
        return f"{model}: document {rows[0]['index'] + 1} of 2 first"


def _city_in(name: str, arguments: str) -> str:
    if name != "look_up_weather":
        raise _Failed(f"It called '{name[:60]}', which nobody offered.")
    return _city_of(arguments)


def _city_of(text: str) -> str:
    try:
        city = orjson.loads(text)["city"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _Failed(f"What came is not by the schema: {_shown(text)}.") from None
    if not isinstance(city, str):
        raise _Failed("What came is not by the schema: 'city' is no text.")
    return city


def _refusal_of(failure: AttemptFailure) -> str:
    if failure.upstream_status is None or not 400 <= failure.upstream_status < 500:
        raise _Failed(f"A model that does not exist is told as {failure.code}.")
    return f"told as {failure.code}"


def _shown(text: str) -> str:
    """What a model said, short and on one line: it is nobody's to trust."""
    plain = "".join(ch if ch.isprintable() else " " for ch in text.strip())
    return f"'{plain[:60]}{'…' if len(plain) > 60 else ''}'"
