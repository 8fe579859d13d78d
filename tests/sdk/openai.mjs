// One session of openai-node: argv is base URL, key, model. Prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const user = (content) => [{ role: "user", content }];
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      description: "The weather of a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];
const schema = {
  type: "json_schema",
  json_schema: {
    name: "place",
    strict: true,
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

const said = {};
const chat = await client.chat.completions.create({ model, messages: user("say (words-5) please") });
said.chat = {
  text: chat.choices[0].message.content,
  finish: chat.choices[0].finish_reason,
  input: chat.usage.prompt_tokens,
  output: chat.usage.completion_tokens,
};
const streamed = client.chat.completions.stream({
  model,
  messages: user("say (words-5) please"),
  stream_options: { include_usage: true },
});
const whole = await streamed.finalChatCompletion();
said.stream = {
  text: whole.choices[0].message.content,
  finish: whole.choices[0].finish_reason,
  input: whole.usage.prompt_tokens,
  output: whole.usage.completion_tokens,
};
const asked = user('weather? (tool weather {"city": "Bern"})');
const first = await client.chat.completions.create({ model, messages: asked, tools });
const call = first.choices[0].message.tool_calls[0];
said.tool = { name: call.function.name, arguments: JSON.parse(call.function.arguments), finish: first.choices[0].finish_reason };
const again = await client.chat.completions.stream({ model, messages: asked, tools }).finalChatCompletion();
const other = again.choices[0].message.tool_calls[0];
said.tool_stream = { name: other.function.name, arguments: JSON.parse(other.function.arguments), finish: again.choices[0].finish_reason };
const turns = [...asked, first.choices[0].message, { role: "tool", tool_call_id: call.id, content: "snow" }];
const after = await client.chat.completions.create({ model, messages: turns, tools });
said.after_tool = after.choices[0].message.content;
const json = await client.chat.completions.create({ model, messages: user("where? (json)"), response_format: schema });
said.json = JSON.parse(json.choices[0].message.content);
const image = await client.chat.completions.create({
  model,
  messages: user([
    { type: "text", text: "what is this (words-2)" },
    { type: "image_url", image_url: { url: pixel } },
  ]),
});
said.image = image.choices[0].message.content;
said.bad = await refused(client.chat.completions.create({ model, messages: user("(status-400)") }));
said.down = await refused(client.chat.completions.create({ model, messages: user("(status-500)") }));
said.limit = await refused(client.chat.completions.create({ model, messages: user("(retry-after-2)") }));
const stranger = new OpenAI({ baseURL, apiKey: apiKey.slice(0, -1), maxRetries: 0 });
said.stranger = await refused(stranger.chat.completions.create({ model, messages: user("hi") }));
let broken = null;
try {
  for await (const chunk of await client.chat.completions.create({ model, messages: user("(error-event)"), stream: true })) void chunk;
} catch (error) {
  broken = error.constructor.name;
}
said.broken = broken !== null;
console.log(JSON.stringify(said));
