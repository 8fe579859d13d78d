"""Whole bodies, by task: what is told by objects, lists, media, parameters and models."""

from typing import Any

_SYSTEM = {"role": "system", "content": "You are a helpful assistant."}
_PICTURE = {"type": "image_url", "image_url": {"url": "{image}"}}
_SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRiQ=", "format": "wav"}}
_FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}}
_TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}
_SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "total": {"type": "number"}}}


def _said(*contents: Any) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[place % 2], "content": content} for place, content in enumerate(contents)]


BODIES: dict[str, list[dict[str, Any]]] = {
    "chat": [
        {"input": _said("{question}")},
        {"input": [_SYSTEM, *_said("{greeting}")]},
        {"input": _said("{greeting}", "How can I help?", "{question}")},
        {"input": {"messages": _said("Translate to {language}: {text}")}},
        {"input": [{"role": "system", "content": "Translate everything to {language}."}, *_said("{text}")]},
        {"input": _said("Summarize this: {text}"), "parameters": {"temperature": 0.2}},
        {"input": _said("{question}"), "parameters": {"tools": [_TOOL]}},
        {"input": "{question}", "parameters": {"tools": [_TOOL], "tool_choice": "auto"}},
        {"input": [_SYSTEM, *_said([{"type": "text", "text": "{question}"}])], "model": "{chatter}"},
        {"input": _said("Draw {scene}", "I cannot draw.", "Then describe it."), "stream": True},
        {"input": [{"role": "developer", "content": "Answer in {language}."}, *_said("{long}")]},
        {"input": {"messages": [_SYSTEM, *_said("Write a {programming} function that {job}.")]}},
        {"input": _said([{"type": "text", "text": "What does this file say?"}, _FILE])},
    ],
    "text-generation": [
        {"input": {"prompt": "Write about {topic}"}},
        {"input": {"prompt": "Write a poem on {topic}"}, "parameters": {"max_tokens": 64, "temperature": 0.9}},
        {"input": "Tell me something about {topic}", "model": "{chatter}", "stream": True},
        {"input": "Write a story about {topic}. {long}"},
    ],
    "translation": [
        {"input": {"text": "{text}", "target_language": "{language}"}},
        {"input": {"text": "{text}", "target_language": "{tag}", "source_language": "en"}},
        {"input": "{text}", "parameters": {"target_language": "{language}"}},
        {"input": {"text": "{long}", "target_language": "{tag}"}, "model": "{chatter}"},
        {"input": {"text": "{text}"}, "parameters": {"target_language": "{tag}"}},
        {"input": {"text": "{text}", "target_lang": "{tag}"}},
        {"input": {"text": "{text}", "to": "{language}"}},
        {"input": "{question}", "parameters": {"target_language": "{tag}", "temperature": 0}},
    ],
    "summarization": [
        {"input": {"text": "{text}", "max_words": 40}},
        {"input": {"text": "{long}", "style": "bullet points"}},
        {"input": "{long}", "parameters": {"max_words": 100}},
        {"input": {"text": "{long}", "max_words": 120, "language": "{language}"}, "model": "{chatter}"},
        {"input": {"text": "{text}"}, "parameters": {"style": "for children"}},
        {"input": {"text": "{long}", "length": "short"}},
    ],
    "question-answering": [
        {"input": {"question": "{question}"}},
        {"input": {"question": "{question}", "context": "{english}"}},
        {"input": {"context": "{long}", "question": "What is it about?"}},
        {"input": {"question": "Who is meant?", "context": "{text}"}, "model": "{chatter}"},
    ],
    "code-generation": [
        {"input": {"instruction": "A function that {job}", "language": "{programming}"}},
        {"input": {"prompt": "A program that {job}", "language": "{programming}"}},
        {"input": {"code": "{code}", "instruction": "Fix the bug"}},
        {"input": {"instruction": "Write a function that {job}"}},
        {"input": "{code}", "parameters": {"programming_language": "{programming}"}},
    ],
    "classification": [
        {"input": {"text": "{text}", "labels": "{labels}"}},
        {"input": {"text": "{text}", "classes": "{labels}"}},
        {"input": "{text}", "parameters": {"labels": "{labels}"}},
        {"input": {"text": "{text}", "labels": "{labels}", "multi_label": True}, "model": "{chatter}"},
        {"input": {"text": "{text}", "categories": "{labels}"}},
        {"input": {"text": "{english}", "candidate_labels": "{labels}"}},
        {"input": {"text": "{question}"}, "parameters": {"candidate_labels": "{labels}"}},
    ],
    "extraction": [
        {"input": {"text": "{text}", "fields": "{fields}"}},
        {"input": {"text": "{english}", "schema": _SCHEMA}},
        {"input": "{english}", "parameters": {"schema": _SCHEMA}},
        {"input": "{text}", "parameters": {"fields": "{fields}"}},
        {"input": {"text": "{long}", "entities": "{fields}"}},
        {"input": {"text": "{long}", "schema": _SCHEMA, "fields": "{fields}"}, "model": "{chatter}"},
    ],
    "embedding": [
        {"input": "{texts}"},
        {"input": "{texts}", "model": "{embedder}", "parameters": {"dimensions": 256}},
        {"input": "{text}", "model": "{embedder}"},
        {"input": {"texts": "{texts}"}},
        {"input": "{question}", "model": "{embedder}"},
        {"input": "{text}", "parameters": {"dimensions": 512}},
        {"input": "{text}", "parameters": {"encoding_format": "base64"}},
        {"input": {"texts": "{texts}"}, "model": "{embedder}", "metadata": {"user": "u-1"}},
        {"input": {"text": "{long}"}, "model": "{embedder}"},
    ],
    "rerank": [
        {"input": {"query": "{search}", "documents": "{documents}"}},
        {"input": {"query": "{question}", "documents": "{documents}", "top_n": 3}},
        {"input": {"query": "{search}", "documents": "{documents}"}, "model": "{reranker}"},
        {"input": {"query": "{search}", "passages": "{documents}"}},
        {"input": "{documents}", "parameters": {"query": "{search}", "top_n": 2}},
        {"input": {"query": "{search}", "texts": "{texts}"}, "model": "{reranker}"},
    ],
    "moderation": [
        {"input": "{insult}", "model": "{moderator}"},
        {"input": {"text": "{insult}"}, "model": "{moderator}"},
        {"input": "{texts}", "model": "{moderator}"},
        {"input": {"text": "{insult}", "policies": ["hate", "violence"]}},
        {"input": [{"type": "text", "text": "{insult}"}, _PICTURE], "model": "{moderator}"},
    ],
    "image-generation": [
        {"input": "{scene}", "parameters": {"size": "{size}"}},
        {"input": {"prompt": "{scene}", "size": "{size}"}},
        {"input": "{scene}", "model": "{painter}"},
        {"input": {"prompt": "{scene}"}, "model": "{painter}", "parameters": {"n": 2, "quality": "high"}},
        {"input": {"prompt": "{scene}", "aspect_ratio": "16:9"}},
        {"input": {"prompt": "{scene}", "negative_prompt": "text, watermark"}},
        {"input": {"prompt": "Make the sky pink", "image": "{image}"}, "model": "gpt-image-1"},
    ],
    "image-understanding": [
        {"input": _said([{"type": "text", "text": "What is in this picture?"}, _PICTURE])},
        {"input": [_SYSTEM, *_said([{"type": "text", "text": "{question}"}, _PICTURE])], "model": "{chatter}"},
        {"input": {"image": "{image}", "question": "How many people are there?"}},
        {"input": {"image": "{image}"}},
        {"input": {"image_url": "{image}", "prompt": "Describe it"}},
        {"input": {"text": "What colour is it?", "images": ["{image}"]}},
        {"input": _said([_PICTURE])},
        {"input": {"messages": _said([{"type": "text", "text": "Translate the sign to {language}"}, _PICTURE])}},
        {"input": [{"type": "text", "text": "Summarize the chart"}, _PICTURE]},
        {"input": "{image}"},
        {"input": _said("{greeting}", "Hello!", [{"type": "text", "text": "And this?"}, _PICTURE])},
        {"input": {"image": "{image}", "prompt": "Extract the total"}, "parameters": {"max_tokens": 50}},
    ],
    "speech-to-text": [
        {"input": {"audio": "{sound}"}},
        {"input": {"audio": "{sound}", "language": "en"}, "model": "{listener}"},
        {"input": {"file": "{sound}"}, "model": "{listener}"},
        {"input": _said([{"type": "text", "text": "Transcribe this recording"}, _SOUND])},
        {"input": "{sound}"},
        {"input": {"audio": "{sound}"}, "parameters": {"response_format": "srt"}},
        {"input": [_SOUND]},
        {"input": {"audio_url": "{sound}"}},
    ],
    "text-to-speech": [
        {"input": "{text}", "parameters": {"voice": "{voice}"}},
        {"input": {"text": "{text}", "voice": "{voice}"}},
        {"input": "{text}", "model": "{speaker}"},
        {"input": {"text": "{text}"}, "model": "{speaker}", "parameters": {"voice": "{voice}", "speed": 1}},
        {"input": "{question}", "model": "{speaker}", "parameters": {"voice": "{voice}"}},
        {"input": {"text": "{long}", "voice": "{voice}", "speed": 1.1}},
    ],
    "unclear": [
        {"input": {"text": "{text}"}},
        {"input": {"text": "{long}"}, "parameters": {"temperature": 0.1}},
        {"input": {"text": "{english}"}, "model": "{chatter}"},
        {"input": {"content": "{english}"}},
        {"input": {"text": "{foreign}", "language": "de"}},
        {"input": {"text": "{text}", "target_language": "{tag}", "max_words": 30}},
        {"input": {"text": "{text}", "labels": "{labels}", "fields": "{fields}"}},
    ],
}  # fmt: skip
