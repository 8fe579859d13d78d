// One session of the Vercel AI SDK: argv is wire, base URL, key, model, a model of embeddings. Prints one JSON object.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";

const [wire, baseURL, apiKey, name, embedder] = process.argv.slice(2);
const make = (key) =>
  wire === "anthropic"
    ? createAnthropic({ baseURL, apiKey: key })
    : createOpenAICompatible({ name: "broker", baseURL, apiKey: key, includeUsage: true, supportsStructuredOutputs: true });
const provider = make(apiKey);
const model = provider(name);
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const object = (properties) => jsonSchema({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
const place = object({ city: { type: "string" } });
const asked = 'weather? (tool weather {"city": "Bern"})';
const weather = (more) => ({ weather: tool({ description: "The weather of a city", inputSchema: place, ...more }) });
globalThis.AI_SDK_LOG_WARNINGS = false;
const quiet = { maxOutputTokens: 64, maxRetries: 0, onError: () => {} };

async function refused(call) {
  try {
    await call();
    return { status: 200 };
  } catch (error) {
    return { status: error.statusCode, kind: error.name, retry_after: error.responseHeaders?.["retry-after"] ?? null };
  }
}
const told = async (result) => ({
  text: await result.text,
  finish: await result.finishReason,
  input: (await result.usage).inputTokens,
  output: (await result.usage).outputTokens,
});
const called = async (result) => {
  const [call] = await result.toolCalls;
  return { name: call.toolName, arguments: call.input, finish: await result.finishReason };
};

const said = {};
said.chat = await told(await generateText({ model, prompt: "say (words-5) please", maxOutputTokens: 64, maxRetries: 0 }));
said.stream = await told(streamText({ model, prompt: "say (words-5) please", ...quiet }));
said.tool = await called(await generateText({ model, prompt: asked, tools: weather(), maxOutputTokens: 64, maxRetries: 0 }));
said.tool_stream = await called(streamText({ model, prompt: asked, tools: weather(), ...quiet }));
const loop = { prompt: asked, tools: weather({ execute: () => "snow" }), stopWhen: stepCountIs(2) };
said.after_tool = (await generateText({ model, ...loop, maxOutputTokens: 64, maxRetries: 0 })).text;
said.after_tool_stream = await streamText({ model, ...loop, ...quiet }).text;
said.json = (await generateText({ model, prompt: "where? (json)", output: Output.object({ schema: place }), maxOutputTokens: 64, maxRetries: 0 })).output;
const content = [{ type: "text", text: "what is this (words-2)" }, { type: "file", mediaType: "image/png", data: pixel }];
said.image = (await generateText({ model, messages: [{ role: "user", content }], maxOutputTokens: 64, maxRetries: 0 })).text;
said.thought = (await generateText({ model, prompt: "(think) (words-2)", maxOutputTokens: 64, maxRetries: 0 })).reasoningText ?? "";
if (wire !== "anthropic") {
  const vectors = await embedMany({ model: provider.embeddingModel(embedder), values: ["a", "b"], maxRetries: 0 });
  said.vectors = vectors.embeddings.map((vector) => vector.length > 3 && vector.every(Number.isFinite));
}
said.bad = await refused(() => generateText({ model, prompt: "(status-400)", maxOutputTokens: 64, maxRetries: 0 }));
said.down = await refused(() => generateText({ model, prompt: "(status-500)", maxOutputTokens: 64, maxRetries: 0 }));
said.limit = await refused(() => generateText({ model, prompt: "(retry-after-2)", maxOutputTokens: 64, maxRetries: 0 }));
said.stranger = await refused(() => generateText({ model: make(apiKey.slice(0, -1))(name), prompt: "hi", maxOutputTokens: 64, maxRetries: 0 }));
let broken = false;
for await (const part of streamText({ model, prompt: "(error-event)", ...quiet }).fullStream) broken ||= part.type === "error";
said.broken = broken;
console.log(JSON.stringify(said));
