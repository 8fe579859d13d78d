// Code to copy, in tabs, with the address that this page came from and the person's key put in here in the browser; and
// the first call, made from the page itself.
import { createElement as h, useEffect, useId, useRef, useState } from "react";
import { CopyButton, ErrorNote, post } from "$/utils/browser";

// Where the API is: below whatever this page is below, so behind a proxy and under a sub-path too. In development the API
// listens beside the port that serves the pages.
export function useBase(page, devPort) {
  const [base, setBase] = useState("");
  useEffect(() => {
    const { protocol, hostname, origin } = window.location;
    setBase(devPort ? protocol + "//" + hostname + ":" + devPort : origin + root(page));
  }, [page, devPort]);
  return base;
}

// The path that this portal is under: "" unless a proxy says otherwise.
export function root(page) {
  const at = window.location.pathname.lastIndexOf(page);
  return at > 0 ? window.location.pathname.slice(0, at) : "";
}

// The events of a stream of server-sent events, each as [name, object], as they come.
export async function* eventsOf(answer) {
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const name = /^event: ?(.*)$/m.exec(block)?.[1] || "message";
      const data = [...block.matchAll(/^data: ?(.*)$/gm)].map((line) => line[1]).join("\n");
      if (!data || data === "[DONE]") continue;
      yield [name, JSON.parse(data)];
    }
  }
}

// An answer that is none, as what people are told of it: the words, what to look for it by, and when to try again.
export async function errorOf(answer) {
  let error = {};
  try {
    error = (await answer.json()).error || {};
  } catch {
    // no JSON of ours
  }
  return {
    status: answer.status,
    code: error.code || "",
    message: error.message || "The server answered " + answer.status + ".",
    request_id: error.request_id || answer.headers.get("x-request-id") || "",
    retry_after: error.retry_after ?? null,
  };
}

export const AWAY = { status: 0, code: "", message: "The server cannot be reached. What you typed is kept: try again.", request_id: "" };

export function CodeTabs({ samples, fill, styles, onCopied, label }) {
  const [chosen, setChosen] = useState(0);
  const ids = useId();
  const go = (to) => {
    setChosen(to);
    const tab = document.getElementById(ids + "tab" + to);
    tab?.focus();
    tab?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const move = (event) => {
    const last = samples.length - 1;
    const to = { ArrowRight: (chosen + 1) % samples.length, ArrowLeft: chosen ? chosen - 1 : last, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  };
  const tab = (sample, index) =>
    h(
      "button",
      {
        key: sample.name,
        id: ids + "tab" + index,
        type: "button",
        role: "tab",
        "aria-selected": index === chosen,
        "aria-controls": ids + "panel",
        tabIndex: index === chosen ? 0 : -1,
        className: index === chosen ? styles.tabOn : styles.tabOff,
        onClick: () => setChosen(index),
        onKeyDown: move,
      },
      sample.name,
    );
  const sample = samples[Math.min(chosen, samples.length - 1)];
  const code = fill(sample.code);
  return h(
    "div",
    null,
    h("div", { role: "tablist", "aria-label": label || "Language", className: styles.tabs }, samples.map(tab)),
    h(
      "div",
      { role: "tabpanel", id: ids + "panel", "aria-labelledby": ids + "tab" + chosen, className: "relative" },
      h("pre", { className: styles.code, tabIndex: 0, "data-sample": sample.name }, h("code", null, code)),
      h("div", { className: "absolute right-2 top-2" }, h(CopyButton, { text: code, label: "Copy", className: styles.codeCopy, onCopied })),
    ),
    sample.note ? h("p", { className: styles.note }, sample.note) : null,
  );
}

// Steps one and two of the first call. `ask` makes the person's first key, which the server gives once; it makes another
// one when asked to. Without a key at hand the code carries the placeholder, and "Run it here" calls as `client`.
export function FirstCall({ samples, prompt, ask, client, body, placeholder, devPort, styles, onKey }) {
  const [state, setState] = useState({ key: "", error: null, isAsked: false });
  const started = useRef(false);
  const wasCopied = useRef(false);
  const base = useBase("/first-call", devPort);
  const get = (wanted) =>
    post(ask, wanted).then((answer) => {
      setState({ key: answer.secret || "", error: answer.error || null, isAsked: true });
      onKey?.(Boolean(answer.secret));
    });
  useEffect(() => {
    if (started.current) return;
    started.current = true;
    get({});
  }, []);
  useEffect(() => {
    if (!state.key) return undefined;
    const warn = (event) => {
      if (!wasCopied.current) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [state.key]);
  const copied = () => {
    wasCopied.current = true;
  };
  const fill = (text) => text.replaceAll("{{key}}", state.key || placeholder).replaceAll("{{base}}", base);
  return h(
    "ol",
    { className: "flex flex-col gap-5" },
    h(
      "li",
      { className: styles.step },
      h("h2", { className: styles.title }, h(Number, { n: 1, styles }), "Your key"),
      h(ErrorNote, { error: state.error, className: styles.error }),
      h(KeyRow, { state, placeholder, styles, onCopied: copied, onAnother: () => get({ another: "true" }) }),
    ),
    h(
      "li",
      { className: styles.step },
      h("h2", { className: styles.title }, h(Number, { n: 2, styles }), "Send a request"),
      h("p", { className: styles.text }, "Run it here, or copy one of these: each holds this server's address and your key, and works as it is. Before a provider is connected the built-in sandbox answers."),
      h(RunHere, { keyText: state.key, client, body, isReady: state.isAsked && Boolean(state.key || client), styles }),
      h("div", { className: "mt-4", "aria-busy": !state.isAsked }, h(CodeTabs, { samples, fill, styles, onCopied: copied })),
      h(
        "div",
        { className: styles.promptRow },
        h("div", { className: "min-w-0 grow" }, h("p", { className: "text-sm font-medium" }, "Let a coding agent do it"), h("p", { className: styles.note }, "What it has to know of this server, to paste into Claude Code, Codex or any other. The key goes along: it is yours, treat it so.")),
        h(CopyButton, { text: fill(prompt), label: "Copy the prompt", className: styles.secondary, onCopied: copied }),
      ),
    ),
  );
}

function Number({ n, styles }) {
  return h("span", { className: styles.number, "aria-hidden": "true" }, n);
}

function KeyRow({ state, placeholder, styles, onCopied, onAnother }) {
  const [isAsking, setAsking] = useState(false);
  const another = async () => {
    setAsking(true);
    await onAnother();
    setAsking(false);
  };
  if (!state.isAsked) return h("div", { className: styles.keyWait, "aria-busy": true });
  if (state.key)
    return h(
      "div",
      { className: styles.keyRow },
      h("div", { className: "min-w-0 grow" }, h("p", { className: styles.keyNote }, "Made just now, and shown this once:"), h("code", { className: styles.key, "data-secret": "" }, state.key)),
      h(CopyButton, { text: state.key, label: "Copy key", className: styles.secondary, onCopied }),
    );
  return h(
    "div",
    { className: styles.keyKnown },
    h("p", { className: "min-w-0 grow text-sm" }, "You have one: it was shown when it was made, and cannot be shown again. Put it in place of ", h("code", null, placeholder), ", or make another."),
    h("button", { type: "button", className: styles.secondary, onClick: another, disabled: isAsking, "aria-busy": isAsking }, isAsking ? "One moment…" : "Make another key"),
  );
}

function RunHere({ keyText, client, body, isReady, styles }) {
  const [run, setRun] = useState({ is: "idle" });
  const start = async () => {
    if (run.is === "running") return;
    setRun({ is: "running" });
    const under = root("/first-call");
    const headers = { "content-type": "application/json" };
    // With the key at hand it is the very request of the examples; without, the server calls as the person's client.
    if (keyText) headers.authorization = "Bearer " + keyText;
    const target = keyText ? under + "/ai-service" : under + "/auth/playground/run?client=" + encodeURIComponent(client);
    const began = performance.now();
    try {
      const answer = await fetch(target, { method: "POST", headers, body, credentials: keyText ? "omit" : "same-origin" });
      if (!answer.ok) return setRun({ is: "failed", error: await errorOf(answer) });
      const said = await answer.json();
      setRun({ is: "done", said, ms: Math.round(performance.now() - began) });
    } catch {
      setRun({ is: "failed", error: AWAY });
    }
  };
  const { said, error } = run;
  return h(
    "div",
    { className: "mt-3" },
    h("button", { type: "button", className: styles.submit, onClick: start, disabled: !isReady, "aria-busy": run.is === "running" }, run.is === "running" ? "Running…" : "Run it here"),
    h(
      "div",
      { "aria-live": "polite" },
      said
        ? h(
            "div",
            { className: styles.answer },
            h("p", { className: "whitespace-pre-wrap break-words" }, said.output?.text || JSON.stringify(said.output)),
            h("p", { className: styles.note }, [said.provider + " · " + said.model, said.usage?.total_tokens + " tokens", said.cost ? "$" + said.cost.amount : "no price", run.ms + " ms"].join(" · ")),
          )
        : null,
    ),
    error ? h("div", { role: "alert", className: styles.error }, h("p", null, error.message), h("p", { className: "mt-1 text-xs opacity-80" }, [error.code, error.request_id && "Request " + error.request_id].filter(Boolean).join(" · "))) : null,
  );
}
