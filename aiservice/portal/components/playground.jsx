// The playground: one question to one or two places at once, their answers as they come, what each took and cost, and
// the code that asks the same. Calls go through the portal, which makes them as the chosen client: no key is here.
import { createElement as h, useEffect, useId, useRef, useState } from "react";
import { AWAY, CodeTabs, errorOf, eventsOf, root, useBase } from "$/utils/snippets";

const PAGE = "/playground";
// Work that is written as it is thought of; everything else comes in one piece.
const STREAMED = new Set(["", "text-generation", "chat", "summarization", "translation", "question-answering", "code-generation", "extraction", "classification"]);
const HINTS = {
  translation: 'A text with its language: {"text": "Good morning", "target_language": "French"}',
  classification: 'A text with its labels: {"text": "The key is lost", "labels": ["praise", "complaint"]}',
  extraction: 'A text with what to find: {"text": "Invoice 17 of Ada", "fields": ["number", "name"]}',
  "question-answering": 'A question with its context: {"question": "Who has the key?", "context": "Ada has it."}',
  "image-understanding": 'An image with a question: {"image": "data:image/png;base64,…", "question": "What is this?"}',
  rerank: 'A query with documents: {"query": "keys", "documents": ["a door", "a lock"]}',
};
const NEXT = [
  [/^client_|_exceeded$/, "/limits", "See the limits"],
  [/budget/, "/budgets", "See the budgets"],
  [/no_provider|provider_not|model_not/, "/providers", "See the providers"],
  [/key|playground/, "/keys", "See the keys"],
];
// What was refused before it was a request of anybody's has no trace.
const REFUSED = new Set([400, 401, 403, 404, 413, 415, 422]);
const IDLE = { is: "idle", text: "", thinking: "" };

export function Playground({ clients, chosenClient, styles, devPort, onRan, children }) {
  const [form, setForm] = useState({ client: "", task: "", input: "", model: "auto", other: "", max_tokens: "300", temperature: "", more: "" });
  const [lists, setLists] = useState({ is: "waiting", models: [], tasks: [] });
  const [runs, setRuns] = useState([IDLE, IDLE]);
  const [isCodeShown, setCodeShown] = useState(false);
  const [problem, setProblem] = useState("");
  const aborts = useRef([null, null]);
  const base = useBase(PAGE, devPort);
  const ids = useId();
  const set = (name) => (event) => setForm((before) => ({ ...before, [name]: event.target.value }));
  const patch = (side, change) => setRuns((before) => before.map((run, at) => (at === side ? { ...run, ...change(run) } : run)));

  useEffect(() => {
    const asked = new URLSearchParams(window.location.search);
    const given = Object.fromEntries(["client", "task", "input", "model", "other"].filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
    setForm((before) => ({ ...before, ...given }));
    return () => aborts.current.forEach((abort) => abort?.abort());
  }, []);
  const client = form.client || chosenClient;
  useEffect(() => {
    if (client) load();
  }, [client]);

  const load = async () => {
    setLists({ is: "waiting", models: [], tasks: [] });
    try {
      const [models, tasks] = await Promise.all(["models", "tasks"].map((what) => call(what, client, "{}")));
      const bad = [models, tasks].find((answer) => !answer.ok);
      if (bad) return setLists({ is: "failed", models: [], tasks: [], error: await errorOf(bad) });
      const data = [(await models.json()).data, (await tasks.json()).data];
      setLists({ is: "there", models: data[0], tasks: data[1] });
    } catch {
      setLists({ is: "failed", models: [], tasks: [], error: AWAY });
    }
  };

  const run = async (event) => {
    event?.preventDefault();
    if (!client || runs.some((one) => one.is === "running")) return;
    let bodies;
    try {
      bodies = [form.model, ...(form.other ? [form.other] : [])].map((model) => bodyOf(form, model));
    } catch (error) {
      return setProblem(error.message);
    }
    setProblem("");
    const kept = Object.fromEntries(["client", "task", "model", "other"].filter((name) => form[name] && form[name] !== "auto").map((name) => [name, form[name]]));
    window.history.replaceState(window.history.state, "", window.location.pathname + (Object.keys(kept).length ? "?" + new URLSearchParams(kept) : ""));
    await Promise.all(bodies.map((body, side) => runOne(side, body)));
  };

  const runOne = async (side, body) => {
    const abort = (aborts.current[side] = new AbortController());
    const began = performance.now();
    const after = () => Math.round(performance.now() - began);
    setRuns((before) => before.map((one, at) => (at === side ? { ...IDLE, is: "running" } : one)));
    onRan?.(side, "");
    let id = "";
    try {
      const answer = await call("run", client, JSON.stringify(body), abort.signal);
      id = answer.headers.get("x-request-id") || "";
      patch(side, () => ({ id }));
      if (!answer.ok) patch(side, () => ({ is: "failed", ms: after() }));
      if (!answer.ok) {
        const error = await errorOf(answer);
        patch(side, () => ({ error }));
      } else if (body.stream) await follow(side, answer, after);
      else {
        const said = await answer.json();
        patch(side, () => ({ is: "done", said, text: textOf(said.output), ms: after() }));
      }
    } catch (error) {
      patch(side, () => (abort.signal.aborted ? { is: "stopped", ms: after() } : { is: "failed", error: AWAY, ms: after() }));
    }
    if (id) onRan?.(side, id);
  };

  const follow = async (side, answer, after) => {
    let has = false;
    for await (const [name, said] of eventsOf(answer)) {
      if (name === "start") patch(side, () => ({ said }));
      else if (name === "delta") {
        const first = has ? {} : { first_ms: after() };
        has = true;
        patch(side, (before) => ({ ...first, text: before.text + (said.text || ""), thinking: before.thinking + (said.reasoning || "") }));
      } else if (name === "boundary") patch(side, (before) => ({ text: before.text + "\n\n— " + said.provider + " goes on —\n\n" }));
      else if (name === "done") patch(side, (before) => ({ is: "done", said: { ...before.said, ...said }, ms: after() }));
      else if (name === "error") patch(side, () => ({ is: "failed", error: { status: 200, ...said.error }, ms: after() }));
    }
    patch(side, (before) => (before.is === "running" ? { is: "failed", error: { ...AWAY, message: "The stream ended before its end was said. Run it again." }, ms: after() } : {}));
  };

  const stop = () => aborts.current.forEach((abort) => abort?.abort());
  const keys = (event) => {
    if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) run(event);
  };
  const isRunning = runs.some((one) => one.is === "running");
  const options = lists.models.map((model) => [model.owned_by === "aiservice" ? model.id : model.owned_by + "/" + model.id, model.owned_by === "aiservice" ? model.id + " (alias)" : model.owned_by + " / " + model.id]);
  const known = (name) => (form[name] && form[name] !== "auto" && !options.some(([value]) => value === form[name]) ? [[form[name], form[name]]] : []);
  const field = (name, label, control, hint) =>
    h("div", { className: "min-w-0" }, h("label", { htmlFor: ids + name, className: styles.label }, label), control, hint ? h("p", { id: ids + name + "hint", className: styles.note }, hint) : null);
  const select = (name, label, choices) =>
    field(name, label, h("select", { id: ids + name, value: form[name], onChange: set(name), className: styles.input }, choices.map(([value, words]) => h("option", { key: value, value }, words))));
  const input = (name, label, more, hint) => field(name, label, h("input", { id: ids + name, value: form[name], onChange: set(name), className: styles.input, "aria-describedby": hint ? ids + name + "hint" : undefined, ...more }), hint);

  return h(
    "div",
    { className: "flex flex-col gap-5" },
    h(
      "form",
      { className: styles.card, onSubmit: run, onKeyDown: keys, "aria-label": "The request" },
      h(
        "div",
        { className: "grid gap-3 sm:grid-cols-2 lg:grid-cols-4" },
        field("client", "As client", h("select", { id: ids + "client", value: client, onChange: set("client"), className: styles.input }, clients.map((one) => h("option", { key: one.id, value: one.id }, one.name)))),
        select("task", "Task", [["", "Told from what is asked"], ...lists.tasks.map((task) => [task.task, task.title + (task.available ? "" : " (nobody does it)")])]),
        select("model", "Model", [["auto", "auto: as preferences say"], ...known("model"), ...options]),
        select("other", "Beside it", [["", "Nobody"], ["auto", "auto: as preferences say"], ...known("other"), ...options]),
      ),
      h("div", { className: "mt-3" }, field("input", "What is asked", h("textarea", { id: ids + "input", rows: 5, value: form.input, onChange: set("input"), required: true, maxLength: 200000, className: styles.area, placeholder: "Write a haiku about keys", "aria-describedby": ids + "inputhint" }), HINTS[form.task] || "A text, or JSON where the task has fields of its own.")),
      h(
        "details",
        { className: "mt-3" },
        h("summary", { className: styles.summary }, "Parameters"),
        h(
          "div",
          { className: "mt-2 grid gap-3 sm:grid-cols-3" },
          input("max_tokens", "Tokens at most", { type: "number", min: 1, max: 1000000 }),
          input("temperature", "Temperature", { type: "number", min: 0, max: 2, step: 0.1, placeholder: "the model's own" }),
          input("more", "Others, as JSON", { placeholder: '{"top_p": 0.9}' }),
        ),
      ),
      problem ? h("p", { role: "alert", className: styles.error }, problem) : null,
      lists.is === "failed" ? h("div", { role: "alert", className: styles.error }, h("p", null, "The models of this client could not be read. " + lists.error.message), h(Details, { error: lists.error }), h("button", { type: "button", className: styles.secondary + " mt-2", onClick: load }, "Try again")) : null,
      h(
        "div",
        { className: "mt-4 flex flex-wrap items-center gap-2" },
        h("button", { type: "submit", className: styles.submit, disabled: !client || isRunning, "aria-busy": isRunning }, isRunning ? "Running…" : "Run", h("kbd", { className: styles.kbd, "aria-hidden": true }, "⌘↵")),
        isRunning ? h("button", { type: "button", className: styles.secondary, onClick: stop }, "Stop") : null,
        h("button", { type: "button", className: styles.quiet, "aria-expanded": isCodeShown, onClick: () => setCodeShown(!isCodeShown) }, isCodeShown ? "Hide the code" : "Get the code"),
        h("p", { className: styles.note + " grow sm:text-right" }, "Calls from here are the client's own: they count in its usage, limits and budgets."),
      ),
      isCodeShown ? h("div", { className: "mt-4" }, h(Code, { form, base, styles })) : null,
    ),
    h(
      "div",
      { className: form.other ? "grid items-start gap-5 lg:grid-cols-2" : "grid gap-5" },
      h(Answer, { run: runs[0], name: form.other ? "First" : "Answer", styles, decision: children?.[0] }),
      form.other ? h(Answer, { run: runs[1], name: "Beside it", styles, decision: children?.[1] }) : null,
    ),
  );
}

function Answer({ run, name, styles, decision }) {
  const said = run.said || {};
  const usage = said.usage;
  const facts = [
    ["First token", run.first_ms === undefined ? null : run.first_ms + " ms"],
    ["In all", run.ms === undefined ? null : run.ms + " ms"],
    ["Tokens", usage ? usage.input_tokens + " in, " + usage.output_tokens + " out" : null],
    ["Cost", usage ? (said.cost ? "$" + said.cost.amount : "unpriced") : null],
    ["Ended", said.finish_reason || null],
    ["Cache", said.cached ? "answered from it" : null],
  ].filter(([, value]) => value !== null);
  return h(
    "section",
    { className: styles.card, "aria-label": name },
    h(
      "div",
      { className: "mb-2 flex flex-wrap items-baseline justify-between gap-2" },
      h("h2", { className: styles.heading }, said.provider ? said.provider + " · " + said.model : name),
      h("span", { role: "status", className: styles.note }, WORDS[run.is]),
    ),
    run.thinking ? h("details", { className: "mb-2" }, h("summary", { className: styles.summary }, "Thinking"), h("p", { className: styles.thinking }, run.thinking)) : null,
    run.is === "idle"
      ? h("p", { className: styles.note }, "Nothing was asked yet. Write something above and run it.")
      : h("div", { className: styles.output, tabIndex: 0, role: "region", "aria-label": name + ", text", "aria-busy": run.is === "running" }, run.text || (run.is === "running" ? h("span", { className: styles.wait }) : "")),
    run.error ? h("div", { role: "alert", className: styles.error }, h("p", null, run.error.message), h(Details, { error: run.error }), h(NextStep, { code: run.error.code || "", styles })) : null,
    facts.length ? h("dl", { className: "mt-3 flex flex-wrap gap-x-6 gap-y-2 text-sm" }, facts.map(([fact, value]) => h("div", { key: fact }, h("dt", { className: styles.note }, fact), h("dd", { className: "tabular-nums" }, value)))) : null,
    run.id && run.is !== "running" && !REFUSED.has(run.error?.status) ? h("p", { className: "mt-3 text-sm" }, h("a", { href: root(PAGE) + "/requests/" + run.id, className: styles.link }, "Its trace"), h("code", { className: "ml-2 break-all text-xs" }, run.id)) : null,
    decision && run.is !== "idle" ? h("div", { className: "mt-4" }, decision) : null,
  );
}

const WORDS = { idle: "", running: "running…", done: "done", failed: "failed", stopped: "stopped by you" };

function Details({ error }) {
  const parts = [error.status ? "HTTP " + error.status : "", error.request_id ? "Request " + error.request_id : "", error.retry_after ? "again in " + error.retry_after + " s" : ""];
  const code = error.code ? h("a", { href: root(PAGE) + "/docs/errors/" + error.code, className: "underline" }, error.code) : null;
  return h("p", { className: "mt-1 text-xs wrap-anywhere" }, code, code ? " · " : "", parts.filter(Boolean).join(" · "));
}

function NextStep({ code, styles }) {
  const found = NEXT.find(([pattern]) => pattern.test(code));
  return found ? h("a", { href: root(PAGE) + found[1], className: styles.link + " mt-1 inline-block" }, found[2]) : null;
}

function call(what, client, body, signal) {
  const target = root(PAGE) + "/auth/playground/" + what + "?client=" + encodeURIComponent(client);
  return fetch(target, { method: "POST", credentials: "same-origin", headers: { "content-type": "application/json" }, body, signal });
}

// The request as it is sent. A text that is a JSON object or list is meant as one.
function bodyOf(form, model) {
  const text = form.input.trim();
  if (!text) throw new Error("Write what is asked first.");
  const parameters = { ...(form.more.trim() ? jsonOf(form.more, "The other parameters are no JSON object.") : {}) };
  if (form.task !== "embedding" && STREAMED.has(form.task)) {
    if (form.max_tokens) parameters.max_tokens = Number(form.max_tokens);
    if (form.temperature !== "") parameters.temperature = Number(form.temperature);
  }
  const body = { input: text, model };
  if (form.task) body.task = form.task;
  if (/^[[{]/.test(text)) {
    try {
      body.input = JSON.parse(text);
    } catch {
      // a text that begins like JSON
    }
  }
  if (Object.keys(parameters).length) body.parameters = parameters;
  if (STREAMED.has(form.task) && form.task) body.stream = true;
  return body;
}

function jsonOf(text, words) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // said below
  }
  throw new Error(words);
}

function textOf(output) {
  return typeof output?.text === "string" ? output.text : JSON.stringify(output, null, 2);
}

function Code({ form, base, styles }) {
  let body;
  try {
    body = bodyOf({ ...form, input: form.input.trim() || "Write a haiku about keys" }, form.model);
  } catch (error) {
    return h("p", { className: styles.note }, error.message);
  }
  return h(CodeTabs, { samples: codeOf(body), fill: (text) => text.replaceAll("{{base}}", base).replaceAll("{{key}}", "YOUR_KEY"), styles, label: "Language" });
}

function codeOf(body) {
  const json = JSON.stringify(body, null, 2);
  const asked = typeof body.input === "string" ? body.input : JSON.stringify(body.input);
  const { max_tokens, temperature } = body.parameters || {};
  const named = [max_tokens ? "max_tokens=" + max_tokens : "", temperature === undefined ? "" : "temperature=" + temperature].filter(Boolean).map((text) => "\n    " + text + ",");
  const message = JSON.stringify(asked);
  const code = [
    { name: "curl", code: 'curl -N {{base}}/ai-service \\\n  -H "Authorization: Bearer {{key}}" \\\n  -H "Content-Type: application/json" \\\n  -d \'' + json.replaceAll("'", "'\\''") + "'" },
    { name: "JS", code: 'const answer = await fetch("{{base}}/ai-service", {\n  method: "POST",\n  headers: { "Authorization": "Bearer {{key}}", "Content-Type": "application/json" },\n  body: JSON.stringify(' + json.replaceAll("\n", "\n  ") + "),\n});\nfor await (const piece of answer.body.pipeThrough(new TextDecoderStream())) process.stdout.write(piece);" },
    { name: "Python", code: '# pip install httpx\nimport httpx, json\n\nbody = json.loads(r"""' + json.replaceAll('"""', '\\"\\"\\"') + '""")\nwith httpx.stream("POST", "{{base}}/ai-service", json=body, timeout=600,\n                  headers={"Authorization": "Bearer {{key}}"}) as answer:\n    for text in answer.iter_text():\n        print(text, end="", flush=True)' },
  ];
  if (!body.task || ["chat", "text-generation", "code-generation"].includes(body.task)) {
    code.push({ name: "Python openai", code: '# pip install openai\nfrom openai import OpenAI\n\nclient = OpenAI(base_url="{{base}}/v1", api_key="{{key}}")\nanswer = client.chat.completions.create(\n    model=' + JSON.stringify(body.model) + ',\n    messages=[{"role": "user", "content": ' + message + "}]," + named.join("") + "\n)\nprint(answer.choices[0].message.content)" });
    code.push({ name: "Python anthropic", code: '# pip install anthropic\nfrom anthropic import Anthropic\n\nclient = Anthropic(base_url="{{base}}", api_key="{{key}}")\nanswer = client.messages.create(\n    model=' + JSON.stringify(body.model) + ",\n    max_tokens=" + (max_tokens || 300) + ',\n    messages=[{"role": "user", "content": ' + message + "}],\n)\nprint(answer.content[0].text)" });
  }
  return code;
}
