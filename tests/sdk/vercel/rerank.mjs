// The Vercel AI SDK ranks documents by Cohere's wire: argv is the server's address, key, model. Prints one JSON object.
import { createCohere } from "@ai-sdk/cohere";
import { rerank } from "ai";

const [address, apiKey, name] = process.argv.slice(2);
const model = createCohere({ baseURL: `${address}/v2`, apiKey }).reranking(name);
const documents = ["Paris, France", "what is ruby", "ruby"];
const { ranking } = await rerank({ model, documents, query: "what is ruby", topN: 2, maxRetries: 0 });
console.log(JSON.stringify({ ranked: ranking.map((each) => each.originalIndex), best: ranking[0].document }));
