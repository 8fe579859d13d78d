"""Code that calls this server, one text for each tool that people use: `{{base}}` and `{{key}}` are put in by the
browser."""

from typing import TypedDict

PLACEHOLDER = "YOUR_KEY"
FIRST_BODY = '{"task": "text-generation", "input": "Write a haiku about keys"}'


class Sample(TypedDict):
    """A tab: its name, its code, and a sentence on where it goes."""

    name: str
    code: str
    note: str


_CURL = """curl {{base}}/ai-service \\
  -H "Authorization: Bearer {{key}}" \\
  -H "Content-Type: application/json" \\
  -d '{"task": "text-generation", "input": "Write a haiku about keys"}'"""

_OPENAI = """# pip install openai
from openai import OpenAI

client = OpenAI(base_url="{{base}}/v1", api_key="{{key}}")
answer = client.chat.completions.create(
    model="auto",
    messages=[{"role": "user", "content": "Write a haiku about keys"}],
)
print(answer.choices[0].message.content)"""

_ANTHROPIC = """# pip install anthropic
from anthropic import Anthropic

client = Anthropic(base_url="{{base}}", api_key="{{key}}")
answer = client.messages.create(
    model="auto",
    max_tokens=200,
    messages=[{"role": "user", "content": "Write a haiku about keys"}],
)
print(answer.content[0].text)"""

_JAVASCRIPT = """const answer = await fetch("{{base}}/v1/chat/completions", {
  method: "POST",
  headers: { "Authorization": "Bearer {{key}}", "Content-Type": "application/json" },
  body: JSON.stringify({
    model: "auto",
    messages: [{ role: "user", content: "Write a haiku about keys" }],
  }),
});
console.log((await answer.json()).choices[0].message.content);"""

_AI_SDK = """// npm install ai @ai-sdk/openai-compatible
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText } from "ai";

const broker = createOpenAICompatible({
  name: "broker",
  baseURL: "{{base}}/v1",
  apiKey: "{{key}}",
  includeUsage: true,
});
const { text } = await generateText({ model: broker("auto"), prompt: "Write a haiku about keys" });
console.log(text);"""

_LANGCHAIN = """# pip install langchain-openai
from langchain_openai import ChatOpenAI

model = ChatOpenAI(base_url="{{base}}/v1", api_key="{{key}}", model="auto")
print(model.invoke("Write a haiku about keys").content)"""

_CLAUDE_CODE = """export ANTHROPIC_BASE_URL={{base}}
export ANTHROPIC_AUTH_TOKEN={{key}}
export ANTHROPIC_MODEL=auto
claude"""

_CODEX = """model = "auto"
model_provider = "aiservice"

[model_providers.aiservice]
name = "aiservice"
base_url = "{{base}}/v1"
env_key = "AISERVICE_KEY"   # export AISERVICE_KEY={{key}}
wire_api = "responses"
http_headers = { "x-aiservice-lossy" = "tools" }"""

SAMPLES = [
    Sample(name="curl", code=_CURL, note="In a terminal."),
    Sample(name="Python openai", code=_OPENAI, note="What you have for OpenAI's API needs this address and key only."),
    Sample(name="Python anthropic", code=_ANTHROPIC, note="The base URL has no /v1: Anthropic's library adds it."),
    Sample(name="JS", code=_JAVASCRIPT, note="Node 18 or newer, nothing to install: save as first.mjs, run with node."),
    Sample(name="AI SDK", code=_AI_SDK, note="Save as first.mjs, run with node."),
    Sample(name="LangChain", code=_LANGCHAIN, note="The base URL ends in /v1."),
    Sample(
        name="Claude Code",
        code=_CLAUDE_CODE,
        note="In a terminal. Name a model in place of auto to hold it to one: openai/gpt-5-mini, or an alias.",
    ),
    Sample(
        name="Codex",
        code=_CODEX,
        note="In ~/.codex/config.toml. The last line leaves out OpenAI's own web search where another model answers.",
    ),
]

AGENT_PROMPT = """Make this project call our AI broker instead of a provider's API.

- Base URL for OpenAI-compatible libraries: {{base}}/v1 (for Anthropic's: {{base}}, without /v1).
- API key: {{key}}. Put it into an environment variable (AISERVICE_KEY) or the project's secret store; never into code
  or version control.
- Use model "auto": the broker picks provider and model. A model may be named as connection/model instead.
- Routes: POST /v1/chat/completions, /v1/responses, /v1/embeddings (OpenAI's formats), /v1/messages (Anthropic's), and
  POST /ai-service with {"task": "...", "input": "..."}.
- Do not retry answers whose error says "retryable": false. Every answer has an x-request-id: log it.
- List the models this key may use: GET {{base}}/v1/models with "Authorization: Bearer <key>".
- Prove that it works: send one request and show me its answer and its x-request-id."""
