// The command palette: pages, actions, docs, and what the server finds by name or id. A combobox with a list box, in a
// native dialog, which keeps focus and gives it back.
import { createElement as h, useContext, useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { ColorModeContext } from "$/utils/context";
import { goTo, useFrameDialog } from "$/utils/shortcuts";
import { site } from "$/utils/site";

const look = site.styles;
const ASK_AFTER_MS = 180;
const SHOWN_OF_EACH = 8;

// Every word has to be there; where it begins a title it counts most.
function score(item, words) {
  let sum = 0;
  const title = item.title.toLowerCase();
  const all = `${title} ${(item.hint || "").toLowerCase()}`;
  for (const word of words) {
    if (title.startsWith(word)) sum += 4;
    else if (title.includes(" " + word)) sum += 3;
    else if (title.includes(word)) sum += 2;
    else if (all.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}

function best(items, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return items.filter((item) => !item.isDoc).slice(0, 40);
  const found = items.map((item) => [score(item, words), item]).filter(([points]) => points > 0);
  return found.sort((a, b) => b[0] - a[0]).map(([, item]) => item);
}

// The titles of the documentation, asked for when the palette is first opened.
let docs = null;
async function loadDocs() {
  if (docs) return docs;
  const answer = await fetch(site.base + "/docs/index.json");
  const pages = answer.ok ? await answer.json() : [];
  docs = pages.map((page) => ({ kind: "Docs", title: page.title, hint: page.summary, to: page.path, isDoc: true }));
  return docs;
}

function useItems({ isAdmin, isOpen, showSheet }) {
  const { setColorMode } = useContext(ColorModeContext);
  const [read, setRead] = useState(docs || []);
  useEffect(() => {
    if (isOpen) loadDocs().then(setRead, () => {}); // without them the rest still works
  }, [isOpen]);
  return useMemo(() => {
    const pages = site.pages.filter((page) => isAdmin || !page.isAdmin);
    const keysOf = (page) => (site.letters[page.route] ? ["g", site.letters[page.route]] : null);
    return [
      ...pages.map((page) => ({ kind: "Pages", title: page.title, to: page.route, keys: keysOf(page) })),
      { kind: "Pages", title: "Docs", to: site.docs, keys: ["g", site.letters[site.docs]] },
      ...pages.flatMap((page) => page.actions.map((action) => ({ kind: "Actions", hint: page.title, ...action }))),
      { kind: "Actions", title: "Colours: light", hint: "theme", act: () => setColorMode("light") },
      { kind: "Actions", title: "Colours: dark", hint: "theme", act: () => setColorMode("dark") },
      { kind: "Actions", title: "Colours: as the system", hint: "theme", act: () => setColorMode("system") },
      { kind: "Actions", title: "Keyboard shortcuts", keys: ["?"], act: showSheet, staysOpen: true },
      ...read,
    ];
  }, [isAdmin, read, setColorMode]);
}

function useServer({ text, isOpen, found, foundFor, onFind }) {
  useEffect(() => {
    if (!isOpen || text.trim().length < 2) return undefined;
    const timer = setTimeout(() => onFind?.(text.trim()), ASK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [text, isOpen]);
  const isAsked = text.trim().length >= 2;
  return { isWaiting: isAsked && foundFor !== text.trim(), items: isAsked && foundFor === text.trim() ? found || [] : [] };
}

let typed = ""; // outlives the frame of one page, as the open palette does

export function Palette({ isOpen, close, showSheet, isAdmin, found, foundFor, onFind }) {
  const field = useRef(null);
  const navigate = useNavigate();
  const [text, setText] = useState(typed);
  const [chosen, setChosen] = useState(0);
  const type = (what) => {
    typed = what;
    setText(what);
  };
  const items = useItems({ isAdmin, isOpen, showSheet });
  const server = useServer({ text, isOpen, found, foundFor, onFind });
  const dialog = useFrameDialog({ isOpen, close, onTurn: () => (isOpen ? field.current.focus() : type("")) });
  const groups = new Map(server.items.length ? [["Found", server.items]] : []);
  for (const item of best(items, text)) {
    const of = groups.get(item.kind) || groups.set(item.kind, []).get(item.kind);
    if (of.length < (text ? SHOWN_OF_EACH : 40)) of.push(item);
  }
  const shown = [...groups.values()].flat();
  const at = Math.min(chosen, Math.max(0, shown.length - 1));
  useEffect(() => setChosen(0), [text]);
  useEffect(() => {
    document.getElementById("palette-" + at)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const run = (item) => {
    if (!item) return;
    if (!item.staysOpen) close();
    if (item.act) item.act();
    else goTo(item.to, navigate);
  };
  const pressed = (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (steps[event.key] && shown.length) setChosen((at + steps[event.key] + shown.length) % shown.length);
    else if (event.key === "Home" && !text) setChosen(0);
    else if (event.key === "End" && !text) setChosen(shown.length - 1);
    else if (event.key === "Enter" && !event.nativeEvent.isComposing) run(shown[at]);
    else return;
    event.preventDefault();
  };
  const option = (item) => {
    const index = shown.indexOf(item);
    return h(
      "div",
      { key: index, id: "palette-" + index, role: "option", "aria-selected": index === at, className: index === at ? look.optionOn : look.option, onClick: () => run(item), onMouseMove: () => setChosen(index) },
      h("span", { className: "min-w-0 grow truncate" }, item.title),
      item.hint ? h("span", { className: look.optionHint }, item.hint) : null,
      item.keys ? h("span", { className: "flex gap-1 max-sm:hidden" }, item.keys.map((key) => h("kbd", { key, className: look.kbd }, key))) : null,
    );
  };
  return h(
    "dialog",
    {
      ...dialog,
      className: look.palette,
      "aria-label": "Search or jump",
      onClick: (event) => event.target === event.currentTarget && close(),
    },
    isOpen
      ? h(
          "div",
          { className: "flex max-h-[inherit] flex-col" },
          h("input", {
            ref: field,
            type: "text",
            role: "combobox",
            "aria-label": "Search pages, actions, keys, requests",
            "aria-expanded": shown.length > 0,
            "aria-controls": "palette-list",
            "aria-autocomplete": "list",
            "aria-activedescendant": shown.length ? "palette-" + at : undefined,
            placeholder: "A page, an action, a key's name, a request id…",
            autoComplete: "off",
            spellCheck: false,
            className: look.paletteField,
            value: text,
            onChange: (event) => type(event.target.value),
            onKeyDown: pressed,
          }),
          h(
            "div",
            { id: "palette-list", role: "listbox", "aria-label": "Results", className: look.options },
            [...groups].map(([kind, of]) => h("div", { key: kind, role: "group", "aria-label": kind }, h("div", { className: look.optionGroup, "aria-hidden": true }, kind), of.map(option))),
          ),
          h(
            "p",
            { role: "status", className: shown.length && !server.isWaiting ? "sr-only" : look.paletteNote },
            server.isWaiting ? "Looking…" : shown.length ? `${shown.length} found` : "Nothing by that name. Keys, clients and people are found by their names, requests by their whole id.",
          ),
        )
      : null,
  );
}
