// Shortcuts of single keys, which a person can switch off (WCAG 2.1.4), and Ctrl or ⌘ with K, which stays.
import { createElement as h, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { site } from "$/utils/site";

const look = site.styles;
const KEPT = "aiservice:shortcuts";
const SECOND_KEY_MS = 1500;

// What the key is called on this keyboard; the server's own first draft of a page cannot know.
export function useCommandKey() {
  const [name, setName] = useState("Ctrl");
  useEffect(() => {
    if (/Mac|iPhone|iPad/.test(navigator.platform)) setName("⌘");
  }, []);
  return name;
}

// What is open: "palette", "sheet" or nothing. Every page brings a frame of its own; what a hurried person opens while
// one page makes way for the next stays open over it, and the first of two keys counts on the next one, too.
let asked = "";
let prefixedAt = 0;
const listeners = new Set();
export function ask(what) {
  asked = what;
  listeners.forEach((listener) => listener());
}
// Not what was asked for since.
export function leave(what) {
  if (asked === what) ask("");
}
const listen = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const useAsked = () => useSyncExternalStore(listen, () => asked, () => "");

// A dialog of the frame. It opens together with what is drawn, not a moment later: the one of the frame before has gone by
// then, and a key that came between the two would be lost, Escape and letters of a search alike.
export function useFrameDialog({ isOpen, close, onTurn }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    const own = dialog.current;
    if (isOpen && !own.open) own.showModal();
    if (!isOpen && own.open) own.close();
    onTurn?.();
    // Escape closes at once and is told of a moment later, which nobody is any more when the frame has gone.
    return () => isOpen && !own.open && close();
  }, [isOpen]);
  // A dialog that is open again has nothing to say of having been closed.
  const onClose = () => !dialog.current.open && close();
  return { ref: dialog, onClose };
}

export const areShortcutsOn = () => localStorage.getItem(KEPT) !== "off";

// Whether keys are text right now: in a field, in a list that has its own keys, while a word is being composed.
function isTyping(event) {
  const place = event.target;
  return event.isComposing || place.isContentEditable || Boolean(place.closest?.("input, textarea, select, [role=textbox], [role=listbox], [role=tablist]"));
}

function targets(isAdmin) {
  const pages = site.pages.filter((page) => isAdmin || !page.isAdmin);
  const all = [...pages, { route: site.docs, title: "Docs", isDocument: true }];
  return all.filter((page) => site.letters[page.route]).map((page) => ({ ...page, letter: site.letters[page.route] }));
}

export function goTo(address, navigate) {
  const isDocument = address.startsWith("/docs");
  if (isDocument) window.location.assign(site.base + address);
  else Promise.resolve(navigate(address)).then(() => window.dispatchEvent(new Event("aiservice:went")));
}

export function useShortcuts({ navigate, isAdmin }) {
  useEffect(() => {
    const pressed = (event) => {
      const withCommand = event.ctrlKey || event.metaKey;
      if (withCommand && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        ask(asked === "palette" ? "" : "palette");
        return;
      }
      if (withCommand || event.altKey || isTyping(event) || !areShortcutsOn() || document.querySelector("dialog[open], [aria-modal=true]")) return;
      const isSecond = Date.now() - prefixedAt < SECOND_KEY_MS;
      prefixedAt = 0;
      if (isSecond) {
        const target = targets(isAdmin).find((page) => page.letter === event.key);
        if (target) {
          event.preventDefault();
          goTo(target.route, navigate);
        }
      } else if (event.key === "g") {
        prefixedAt = Date.now();
      } else if (event.key === "?") {
        event.preventDefault();
        ask("sheet");
      } else if (event.key === "/") {
        event.preventDefault();
        const field = document.querySelector("#content input[type=search]");
        if (field) field.focus();
        else ask("palette");
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [isAdmin]);
}

function Keys({ keys }) {
  return h("dd", { className: "flex gap-1" }, keys.map((key) => h("kbd", { key, className: look.kbd }, key)));
}

export function ShortcutSheet({ isOpen, close, isAdmin }) {
  const dialog = useFrameDialog({ isOpen, close });
  const command = useCommandKey();
  const rows = [
    ["Search, jump, act", [command, "K"]],
    ["Search on this page", ["/"]],
    ["This list", ["?"]],
    ...targets(isAdmin).map((page) => [page.title, ["g", page.letter]]),
  ];
  return h(
    "dialog",
    { ...dialog, className: look.sheet, "aria-labelledby": "shortcut-sheet" },
    h("div", { className: "mb-4 flex items-center justify-between" }, h("h2", { id: "shortcut-sheet", className: look.title }, "Keyboard shortcuts"), h("button", { type: "button", className: look.icon, "aria-label": "Close", onClick: close }, "✕")),
    isOpen
      ? h(
          "dl",
          { className: look.shortcuts },
          rows.map(([words, keys]) => h("div", { key: words, className: look.shortcut }, h("dt", null, words), h(Keys, { keys }))),
        )
      : null,
    h("p", { className: look.hint }, "Single keys can be switched off under Account."),
  );
}

// For the Account page.
export function ShortcutSwitch() {
  const [isOn, setOn] = useState(true);
  useEffect(() => setOn(areShortcutsOn()), []);
  const turn = (event) => {
    localStorage.setItem(KEPT, event.target.checked ? "on" : "off");
    setOn(event.target.checked);
  };
  return h("label", { className: look.choice }, h("input", { type: "checkbox", checked: isOn, onChange: turn, className: look.box }), "Shortcuts of single keys (g u, /, ?)");
}
