// One session of anthropic-ts: argv is base URL, key, model. Prints one JSON object.
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const max_tokens = 64;
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const tools = [
  {
    name: "weather",
    description: "The weather of a city",
    input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
];
const output_config = {
  format: {
    type: "json_schema",
    schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false },
  },
};

async function refused(call) {
  try {
    await call;
    return { status: 200 };
  } catch (error) {
    return { status: error.status, kind: error.constructor.name, retry_after: error.headers?.get("retry-after") ?? null };
  }
}
const facts = (message) => ({
  text: message.content.map((block) => block.text ?? "").join(""),
  finish: message.stop_reason,
  input: message.usage.input_tokens,
  output: message.usage.output_tokens,
});
// Another vendor's thinking state may come before the call, in a block of its own.
const called = (message) => message.content.find((block) => block.type === "tool_use");
const tool = (message) => ({ name: called(message).name, arguments: called(message).input, finish: message.stop_reason });

const said = {};
const asking = { model, max_tokens, messages: user("say (words-5) please") };
said.chat = facts(await client.messages.create(asking));
said.stream = facts(await client.messages.stream(asking).finalMessage());
const asked = user('weather? (tool weather {"city": "Bern"})');
const first = await client.messages.create({ model, max_tokens, messages: asked, tools });
said.tool = tool(first);
said.tool_stream = tool(await client.messages.stream({ model, max_tokens, messages: asked, tools }).finalMessage());
const result = user([{ type: "tool_result", tool_use_id: called(first).id, content: "snow" }]);
const turns = [...asked, { role: "assistant", content: first.content }, ...result];
said.after_tool = facts(await client.messages.create({ model, max_tokens, messages: turns, tools })).text;
const json = await client.messages.create({ model, max_tokens, messages: user("where? (json)"), output_config });
said.json = JSON.parse(facts(json).text);
const picture = { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } };
const image = await client.messages.create({ model, max_tokens, messages: user([{ type: "text", text: "what is this (words-2)" }, picture]) });
said.image = facts(image).text;
said.bad = await refused(client.messages.create({ model, max_tokens, messages: user("(status-400)") }));
said.down = await refused(client.messages.create({ model, max_tokens, messages: user("(status-500)") }));
said.limit = await refused(client.messages.create({ model, max_tokens, messages: user("(retry-after-2)") }));
const stranger = new Anthropic({ baseURL, apiKey: apiKey.slice(0, -1), maxRetries: 0 });
said.stranger = await refused(stranger.messages.create({ model, max_tokens, messages: user("hi") }));
let broken = null;
try {
  await client.messages.stream({ model, max_tokens, messages: user("(error-event)") }).finalMessage();
} catch (error) {
  broken = error.constructor.name;
}
said.broken = broken !== null;
console.log(JSON.stringify(said));
