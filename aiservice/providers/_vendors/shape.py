"""A vendor of OpenAI's wire by its row: what is asked of it is put in its words, or refused by name."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from aiservice.providers._base import AttemptFailed, cannot_carry
from aiservice.providers._capabilities import NEUTRAL, Capabilities
from aiservice.providers._limit_headers import notes_of
from aiservice.providers._media_names import media_kind_of
from aiservice.providers._model_names import is_ranking_name
from aiservice.providers._openai_media import MEDIA_PATHS
from aiservice.providers._openai_shape import OpenAiShape
from aiservice.providers._openai_strict import Keeps, keeps_by_name
from aiservice.providers._vendors import embeddings
from aiservice.providers._vendors.effort import put_effort
from aiservice.providers._vendors.messages import alternated, with_thinking_as, without_developer
from aiservice.providers._vendors.refusals import failure_by_rule
from aiservice.providers._vendors.row import ModelRule, VendorRow
from aiservice.wire import EMBEDDINGS_WIRE, Answer, Ask, AskKind, AttemptFailure, HttpCall, HttpReply, Json, QuotaNote

_NO_RULE = ModelRule(re.compile("(?!)"))
_CHOICES_OF_NONE = ("auto", "none", None)


class VendorShape(OpenAiShape):
    """One row at work. Without state: two of the same row are the same provider."""

    has_media_events = False  # as far as their documents say

    def __init__(self, row: VendorRow) -> None:
        self.row = row
        self.kind, self.title = row.kind, row.title
        self.default_base_url = row.base_url or None
        self.needs_base_url = not row.base_url
        self.needs_key, self.address_hint = row.needs_key, row.base_url_example
        self.has_stream_options = row.has_stream_options
        self.chat_path, self.embeddings_path = row.path("chat"), row.path("embeddings")
        self.models_path, self.completions_path = row.path("models"), row.path("completions")
        self.rerank_path = row.path("rerank")
        self.media_paths = {name: row.path(name) for name in MEDIA_PATHS}
        self._names_completing = any(rule.is_completion for rule in row.models)
        self.responses_path = row.path("responses")
        self.rule_of = lru_cache(maxsize=1024)(self._rule_of)

    def _rule_of(self, model: str) -> ModelRule:
        return next((rule for rule in self.row.models if rule.pattern.match(model)), _NO_RULE)

    def serves(self, model: str, kind: AskKind) -> bool:
        if is_ranking_name(model):
            return super().serves(model, kind)
        if kind == "embedding" and not self.embeddings_path:
            return False
        if kind in ("chat", "embedding") and self.rule_of(model).is_embedding:
            return kind == "embedding"
        return super().serves(model, kind)

    def completes(self, model: str) -> bool:
        said = self.rule_of(model).is_completion
        return bool(self.completions_path) and (not self._names_completing if said is None else said)

    def capabilities(self, model: str) -> Capabilities:
        rule, row = self.rule_of(model), self.row
        known = {name: value for name in Capabilities.__slots__ if (value := getattr(rule.can, name)) is not None}
        formats = rule.response_formats if rule.response_formats is not None else row.response_formats
        if formats is not None:
            for name in ("json_schema", "json_object"):
                if name not in formats:
                    known |= {name: False, f"{name}_with_tools": False}
        is_free = row.tool_choices is not None and "required" not in row.tool_choices
        if is_free or {"tools", "tool_choice"} & (row.refused | rule.refused):
            known.setdefault("forced_tools", False)
        if "tools" in row.refused | rule.refused:
            known["tools"] = False
        if media_kind_of(model) is not None and not self.serves(model, "chat"):
            return Capabilities(**known)
        return Capabilities(**{"streaming": self.serves(model, "chat"), "system": True, **known})

    def keeps(self, model: str) -> Keeps:
        row, rule = self.row, self.rule_of(model)
        said = rule.thinking_kept or row.thinking_kept
        names = {"reasoning_details"} if row.thinking_field == "reasoning_details" else set()
        if row.has_cache_control:
            names.add("cache_control")
        return Keeps(said or keeps_by_name(model).thinking, frozenset(names))  # type: ignore[arg-type]

    def adapted(self, body: Json, model: str) -> None:
        """`body` in this vendor's words.

        Raises:
            AttemptFailed: it asks for what the vendor refuses or ignores (named in `param`).
        """
        row, rule = self.row, self.rule_of(model)
        for name in row.left_out:
            body.pop(name, None)
        for refused in (row.refused, rule.refused):
            if not refused.isdisjoint(body):
                self._refuse(body, refused, model)
        for ours, theirs in row.renamed:
            if ours in body:
                value = body.pop(ours)
                if body.get(theirs) is None:
                    body[theirs] = value
        if "reasoning_effort" in body:
            put_effort(body, row.efforts if rule.efforts is None else rule.efforts, row.effort_switch)
        if body.get("messages"):
            self._adapt_chat(body, rule, model)
        elif "input" in body and row.embedding_encoding:
            embeddings.ask_for_own(body)

    def _refuse(self, body: Json, names: frozenset[str], model: str) -> None:
        for name in sorted(names & body.keys()):
            value = body[name]
            if value is None or value == NEUTRAL.get(name) or (name == "tool_choice" and value in _CHOICES_OF_NONE):
                continue
            raise self._not_taken(name, "", model)

    def _not_taken(self, name: str, what: str, model: str) -> AttemptFailed:
        return cannot_carry(
            name,
            f"'{name}' {what}is not taken by '{model}' at {self.title}: leave it out, or choose another model or "
            "provider.",
        )

    def _adapt_chat(self, body: Json, rule: ModelRule, model: str) -> None:
        row = self.row
        messages: list[Any] = body["messages"]
        if not row.has_developer_role:
            messages = without_developer(messages)
        if row.thinking_field is not None:
            messages = with_thinking_as(row.thinking_field, messages)
        if row.alternates:
            messages = alternated(messages)
        body["messages"] = messages
        wanted = body.get("response_format")
        formats = rule.response_formats if rule.response_formats is not None else row.response_formats
        if formats is not None and type(wanted) is dict and wanted.get("type") not in ("text", None, *formats):
            raise self._not_taken("response_format", f"of type '{wanted.get('type')}' ", model)
        if type(body.get("tools")) is list and body["tools"]:
            self._adapt_tools(body, model)

    def _adapt_tools(self, body: Json, model: str) -> None:
        row, choice = self.row, body.get("tool_choice")
        if row.tool_choices is not None and choice is not None:
            said = "named" if type(choice) is dict else "required" if choice == "any" else choice
            if said == "none" and "none" not in row.tool_choices:
                del body["tools"], body["tool_choice"]  # tools that may not be called are none
                return
            if said not in row.tool_choices:
                raise self._not_taken("tool_choice", f"'{said}' ", model)
        if not row.has_strict_tools and any(_is_strict(tool) for tool in body["tools"]):
            raise cannot_carry("tools", f"{self.title} holds no tool call to its schema: leave 'strict' out.")

    def read(self, ask: Ask, call: HttpCall, reply: HttpReply) -> Answer:
        answer = super().read(ask, call, reply)
        if ask.kind == "embedding" and self.row.embedding_encoding:
            # Who names no encoding on this very wire is given what the vendor gives.
            asked = ask.body.get("encoding_format", None if ask.wire == EMBEDDINGS_WIRE else "float")
            embeddings.give_as_asked(answer, asked, self.row.embedding_encoding)
        return answer

    def failure(self, reply: HttpReply) -> AttemptFailure:
        return failure_by_rule(self.row.errors, reply) or super().failure(reply)

    def quota_in(self, headers: Mapping[str, str]) -> tuple[QuotaNote, ...]:
        limits = self.row.limits
        return notes_of(limits, headers) if limits else super().quota_in(headers)


def _is_strict(tool: Any) -> bool:
    function = tool.get("function") if type(tool) is dict else None
    return type(function) is dict and function.get("strict") is True
