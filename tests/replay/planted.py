"""Thirty translation bugs that others shipped, each as an edit of one adapter: the threads are those of the field.

Every one is planted alone (`test_planted.py`); `wire` and `provider` say which recordings are replayed against it, and
`tests` which tests of the adapters run after them.
"""

from typing import NamedTuple

from tests.replay import wires

Edit = tuple[str, str]


class Bug(NamedTuple):
    """`thread` is where it was reported; `path` the file under aiservice/; each edit's first text occurs in it once."""

    name: str
    thread: str
    path: str
    edits: tuple[Edit, ...]
    wire: str
    provider: str
    tests: tuple[str, ...] = ()


_STREAM, _SHAPE = "providers/_openai_stream.py", "providers/_openai_shape.py"
_CLAUDE, _CLAUDES = "providers/_anthropic_stream.py", "providers/_anthropic_answer.py"
_OF_STREAMS = ("providers/test_openai_stream.py", "providers/test_mistral.py")
_OF_CLAUDE = ("providers/test_anthropic_stream.py", "providers/test_anthropic_answer.py")
_OF_BEDROCK = ("providers/test_bedrock_stream.py", "providers/test_bedrock_request.py")

BUGS: tuple[Bug, ...] = (
    Bug(
        *("azures_first_chunk_without_choices_crashes", "BerriAI/litellm#35785, pydantic/pydantic-ai#164", _STREAM),
        (("        if type(choices) is list:\n", "        if choices[0]:\n"),),
        *(wires.OPENAI_CHAT, "azure", _OF_STREAMS),
    ),
    Bug(
        *("usage_without_choices_is_dropped", "langchain-litellm#56", _STREAM),
        (('if chunk.get("usage") or "x_groq" in chunk:', 'if choices and (chunk.get("usage") or "x_groq" in chunk):'),),
        *(wires.OPENAI_CHAT, "openai", _OF_STREAMS),
    ),
    Bug(
        *("a_later_null_wipes_usage", "openai/openai-agents-python#2126", _STREAM),
        (
            ('if chunk.get("usage") or "x_groq" in chunk:', 'if "usage" in chunk or "x_groq" in chunk:'),
            ("if usage is not None or not is_valid:", "if True:"),
        ),
        *(wires.OPENAI_CHAT, "openai", _OF_STREAMS),
    ),
    Bug(
        *("a_second_finish_reason_is_passed_on", "wire.md 0.1: OpenRouter says it twice", _STREAM),
        (("elif number not in self._finished:", "else:"),),
        *(wires.OPENAI_CHAT, "openrouter", _OF_STREAMS),
    ),
    Bug(
        *("an_error_in_a_stream_is_no_error", "ggml-org/llama.cpp#14566, groq recordings", _STREAM),
        (('if chunk.get("error") or frame.name == b"error" or chunk.get("object") == "error":', "if False:"),),
        *(wires.OPENAI_CHAT, "groq", _OF_STREAMS),
    ),
    Bug(
        *("an_empty_name_overwrites_the_calls_name", "wire.md 1.5: Mistral's later pieces", _STREAM),
        (("name=name if isinstance(name, str) and name else None", "name=name if isinstance(name, str) else None"),),
        *(wires.OPENAI_CHAT, "mistral", _OF_STREAMS),
    ),
    Bug(
        *("content_in_parts_is_lost", "wire.md 1.5: Mistral's thinking", _STREAM),
        (("content = text_in(content)", 'content = ""'),),
        *(wires.OPENAI_CHAT, "mistral", _OF_STREAMS),
    ),
    Bug(
        *("reasoning_on_top_is_not_counted", "wire.md 0.3: xAI's total", _SHAPE),
        (("            usage.output_tokens += reasoning\n", "            pass\n"),),
        *(wires.OPENAI_CHAT, "xai"),
    ),
    Bug(
        *("more_is_cached_than_there_was", "wire.md 0.3: Grok on Azure", _SHAPE),
        (("usage.cached_input_tokens = min(cached, prompt)", "usage.cached_input_tokens = cached"),),
        *(wires.OPENAI_CHAT, "azure"),
    ),
    Bug(
        *("a_limit_is_a_clean_stop", "wire.md 0.2", "providers/_openai_finish.py"),
        (('    "length": "length",\n', '    "length": "stop",\n'),),
        *(wires.OPENAI_CHAT, "openai"),
    ),
    Bug(
        *("deepseeks_cache_hits_are_lost", "wire.md 0.3: prompt_cache_hit_tokens", _SHAPE),
        (
            ('raw.get("prompt_cache_hit_tokens", raw.get("num_cached_tokens"))', "None"),
            ('raw.get("cached_tokens")', "0"),
        ),
        *(wires.OPENAI_CHAT, "mistral", ("providers/test_openai_shape.py",)),
    ),
    Bug(
        *("a_spent_account_is_a_rate_limit", "wire.md 0.4: insufficient_quota", "providers/_openai_errors.py"),
        (('if status == 402 or code_text == "insufficient_quota":', "if False:"),),
        *(wires.OPENAI_RESPONSES, "openai", ("providers/test_openai.py",)),
    ),
    Bug(
        *("thinking_is_not_given_back", "earendil-works/pi#3636", "providers/_vendors/rows/deepseek.toml"),
        (('thinking_kept = "with_tool_calls"', 'thinking_kept = "never"'),),
        *(wires.OPENAI_CHAT, "deepseek", ("providers/test_vendors.py",)),
    ),
    Bug(
        *("what_the_cache_had_is_not_counted", "wire.md 0.3: Anthropic's input_tokens", _CLAUDES),
        (("total.input_tokens += fresh + written + read", "total.input_tokens += fresh"),),
        *(wires.ANTHROPIC, "anthropic", _OF_CLAUDE),
    ),
    Bug(
        *("an_overload_after_200_is_silence", "BerriAI/litellm#24004, #6532, forgecode#2595", _CLAUDE),
        (('elif kind == "error" or event.get("error") or frame.name == b"error":', "elif False:"),),
        *(wires.ANTHROPIC, "anthropic", _OF_CLAUDE),
    ),
    Bug(
        *("calls_are_numbered_by_block", "Portkey-AI/gateway: tool_calls[].index", _CLAUDE),
        (("                made.number = self._calls\n", "                made.number = index\n"),),
        *(wires.ANTHROPIC, "anthropic", _OF_CLAUDE),
    ),
    Bug(
        *("a_call_without_arguments_has_none", "wire.md 1.2: the first input_json_delta is empty", _CLAUDE),
        (("self._give_input(block, orjson.dumps(block.start_input or {}).decode(), events)", "pass"),),
        *(wires.ANTHROPIC, "anthropic", _OF_CLAUDE),
    ),
    Bug(
        *("a_cut_answer_of_claude_is_whole", "wire.md 0.2: max_tokens", _CLAUDES),
        (('    "max_tokens": "length",\n', '    "max_tokens": "stop",\n'),),
        *(wires.ANTHROPIC, "anthropic", _OF_CLAUDE),
    ),
    Bug(
        *("a_turn_of_calls_ends_the_turn", "maximhq/bifrost#6123, #3638", "dialects/_messages_answer.py"),
        (
            ('"tool_calls": "tool_use"', '"tool_calls": "end_turn"'),
            ("if has_tool_use and reason", "if False and reason"),
        ),
        *(wires.OPENAI_CHAT, "groq", ("dialects/test_anthropic_messages_answers.py",)),
    ),
    Bug(
        *("geminis_calls_end_in_stop", "BerriAI/litellm#21041, #12240, #10485", "providers/_gemini/candidate.py"),
        (("has_calls=self._calls > 0)", "has_calls=False)"),),
        *(wires.GEMINI, "gemini"),
    ),
    Bug(
        *("geminis_thoughts_are_free", "wire.md 0.3: 75+414+117+573", "providers/_gemini/usage.py"),
        (("Usage(prompt, candidates + thoughts, ", "Usage(prompt, candidates, "),),
        *(wires.GEMINI, "gemini"),
    ),
    Bug(
        *("a_finish_reason_by_number_is_unknown", "wire.md 0.2: enum-encoding=int", "providers/_gemini/usage.py"),
        (('        said = _NUMBERS.get(said, "OTHER")\n', '        said = "OTHER"\n'),),
        *(wires.GEMINI, "vertex"),
    ),
    Bug(
        *("a_signature_is_dropped", "wire.md 1.3: MISSING_THOUGHT_SIGNATURE", "providers/_gemini/contents.py"),
        (('{**part, "thoughtSignature": signature})', "part)"),),
        *(wires.GEMINI, "gemini"),
    ),
    Bug(
        *("a_broken_call_is_a_clean_stop", "Portkey-AI/gateway: finishReasonMap.ts", "providers/_gemini/usage.py"),
        (
            ('return invalid_answer("its model made a function call that is none")', 'return "stop"'),
            ("    if found is None:\n        return cut_short()", '    if found is None:\n        return "stop"'),
        ),
        *(wires.GEMINI, "gemini", ("providers/test_gemini_answer.py", "providers/test_gemini_stream.py")),
    ),
    Bug(
        *("bedrocks_cache_is_not_counted", "wire.md 0.3: 10+4+7351", "providers/_bedrock/answer.py"),
        (("Usage(fresh + read + written, output", "Usage(fresh, output"),),
        *(wires.BEDROCK_CONVERSE, "bedrock", _OF_BEDROCK),
    ),
    Bug(
        *("a_stream_without_its_end_is_whole", "earendil-works/pi#4210", "providers/_bedrock/stream.py"),
        (
            (
                "    def end(self) -> list[StreamEvent]:\n        return []",
                "    def end(self) -> list[StreamEvent]:\n        self.is_finished = True\n        return []",
            ),
        ),
        *(wires.BEDROCK_CONVERSE, "bedrock", _OF_BEDROCK),
    ),
    Bug(
        *("results_of_one_turn_are_several_messages", "maximhq/bifrost#2976", "providers/_bedrock/turns.py"),
        (('if not self.turns or self.turns[-1]["role"] != role:', "if True:"),),
        *(wires.BEDROCK_CONVERSE, "bedrock", _OF_BEDROCK),
    ),
    Bug(
        *("null_is_passed_on_as_arguments", "wire.md 1.6: Cohere's \"null\"", "providers/_cohere/answer.py"),
        (('given = "{}" if arguments in NO_ARGUMENTS else', "given ="),),
        *(wires.COHERE_CHAT, "cohere", ("providers/test_cohere.py", "providers/test_cohere_stream.py")),
    ),
    Bug(
        *("ollamas_calls_end_in_stop", "wire.md 0.2: done_reason stays stop", "providers/_ollama/answer.py"),
        (('return "tool_calls" if has_called else "stop"', 'return "stop"'),),
        *(wires.OLLAMA_CHAT, "ollama", ("providers/test_ollama.py",)),
    ),
    Bug(
        *("streamed_arguments_are_lost", "maximhq/bifrost#2048, #2786", "providers/_openai_responses_stream.py"),
        (
            ('"response.function_call_arguments.delta"', '"delta_"'),
            ('"response.function_call_arguments.done"', '"done_"'),
        ),
        *(wires.OPENAI_RESPONSES, "xai", ("providers/test_openai_responses.py",)),
    ),
)  # fmt: skip
