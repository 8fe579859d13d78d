// A session of openai-node with the Responses API: argv is base URL, key, model. Prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const city = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", name: "weather", description: "The weather", parameters: city }];
const asked = 'weather? (think) (tool weather {"city": "Bern"})';
const schema = { type: "json_schema", name: "Place", strict: true, schema: { ...city, additionalProperties: false } };

const facts = (answer) => ({
  text: answer.output_text,
  status: answer.status,
  input: answer.usage.input_tokens,
  output: answer.usage.output_tokens,
});
const callOf = (answer) => answer.output.find((item) => item.type === "function_call");
const tool = (answer) => ({ name: callOf(answer).name, arguments: JSON.parse(callOf(answer).arguments) });
const create = (fields) => client.responses.create({ model, ...fields });
const streamed = (fields) => client.responses.stream({ model, ...fields }).finalResponse();
const refusal = (call) => call.then(() => 200, (error) => error.status);

const first = await create({ input: asked, tools });
const result = { type: "function_call_output", call_id: callOf(first).call_id, output: "snow" };
const picture = { type: "input_image", image_url: pixel };
const seen = [{ role: "user", content: [{ type: "input_text", text: "what is this (words-2)" }, picture] }];
const byHand = [{ role: "user", content: asked }, ...first.output, result];
const after = await create({ input: [result], tools, previous_response_id: first.id });
await client.responses.delete(after.id);
const listed = [];
for await (const item of client.responses.inputItems.list(first.id)) listed.push(item.type);

const said = {
  whole: facts(await create({ input: "say (words-5) please" })),
  stream: facts(await streamed({ input: "say (words-5) please" })),
  tool: tool(first),
  tool_stream: tool(await streamed({ input: asked, tools })),
  after_tool: after.output_text,
  after_tool_by_hand: (await create({ input: byHand, tools, store: false })).output_text,
  kept: (await client.responses.retrieve(first.id)).id === first.id,
  listed,
  deleted: await refusal(client.responses.retrieve(after.id)),
  parsed: (await client.responses.parse({ model, input: "where? (json)", text: { format: schema } })).output_parsed.city,
  image: (await create({ input: seen })).output_text,
  bad: await refusal(create({ input: "(status-400)" })),
};
said.broken = await (async () => {
  try {
    for await (const event of await create({ input: "(error-event)", stream: true })) void event;
    return false;
  } catch {
    return true;
  }
})();
console.log(JSON.stringify(said));
