// What is said and kept while the server is away: a banner that counts down to the next attempt, and whatever was typed.
import { createElement as h, useContext, useEffect, useRef, useState } from "react";
import { EventLoopContext } from "$/utils/context";
import { site } from "$/utils/site";

const look = site.styles;
const RESTORE_MS = 10_000;

// The socket says when it tries again, and how to make it do so now (see `bundle.py`).
let retry = null;
if (typeof window !== "undefined") window.addEventListener("aiservice:retrying", (event) => (retry = event.detail));

export function useIsLost() {
  const [, errors] = useContext(EventLoopContext);
  return errors.length > 0;
}

export function OfflineBanner() {
  const isLost = useIsLost();
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (!isLost) return undefined;
    const look = () => setSeconds(Math.max(0, Math.ceil(((retry?.at || 0) - Date.now()) / 1000)));
    const now = () => retry?.again();
    look();
    const timer = setInterval(look, 250);
    window.addEventListener("online", now);
    return () => {
      clearInterval(timer);
      window.removeEventListener("online", now);
    };
  }, [isLost]);
  if (!isLost) return null;
  const isOwnFault = typeof navigator !== "undefined" && navigator.onLine === false;
  return h(
    "section",
    { className: look.offline, "aria-label": "Connection" },
    h("span", { role: "alert" }, isOwnFault ? "This device is offline. " : "The connection to the server is lost. ", "What you typed is kept."),
    h("span", { className: "tabular-nums" }, seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again…"),
    h("button", { type: "button", className: look.offlineButton, onClick: () => retry?.again() }, "Try now"),
  );
}

const isKept = (field) => field.matches?.("#content :is(input, textarea, select)") && !["password", "file", "hidden", "submit", "button"].includes(field.type);
const nameOf = (field) => (field.id || field.name ? `${window.location.pathname} ${field.id || field.name}` : "");

function put(field, value) {
  const isBox = field.type === "checkbox" || field.type === "radio";
  const kind = { INPUT: HTMLInputElement, TEXTAREA: HTMLTextAreaElement, SELECT: HTMLSelectElement }[field.tagName];
  if ((isBox ? field.checked : field.value) === value) return;
  if (isBox) {
    field.click();
    return;
  }
  // Past React's own note of the value, or it would take the event for no change.
  Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, value);
  field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
}

// A server that was restarted knows nothing of a page: it fills it anew, and forms with it. What was typed is put back
// into them, and the dialog that was open is opened again. Passwords are never kept.
export function useKeptForms() {
  const isLost = useIsLost();
  const typed = useRef(new Map());
  const opened = useRef("");
  const wasLost = useRef(false);
  useEffect(() => {
    const keep = (event) => {
      const field = event.target;
      if (!isKept(field) || !nameOf(field)) return;
      const value = field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
      typed.current.set(nameOf(field), { value, field });
    };
    const forget = (event) => {
      // A form of ours resets itself once its answer is there; until then the server may yet be away.
      if (event.type === "submit" && event.target.dataset.resets) return;
      for (const field of event.target.elements || []) typed.current.delete(nameOf(field));
    };
    document.addEventListener("input", keep);
    document.addEventListener("submit", forget);
    document.addEventListener("reset", forget);
    return () => {
      document.removeEventListener("input", keep);
      document.removeEventListener("submit", forget);
      document.removeEventListener("reset", forget);
    };
  }, []);
  useEffect(() => {
    if (isLost) {
      wasLost.current = true;
      opened.current = document.querySelector("dialog[open][data-form] h2")?.textContent || "";
      return undefined;
    }
    if (!wasLost.current) return undefined;
    wasLost.current = false;
    const restore = () => {
      const opener = opened.current && [...document.querySelectorAll("[data-opens]")].find((button) => button.dataset.opens === opened.current);
      if (opener && !document.querySelector("dialog[open]")) {
        opened.current = "";
        opener.click();
      }
      for (const field of document.querySelectorAll("#content :is(input, textarea, select)")) {
        const kept = isKept(field) && typed.current.get(nameOf(field));
        if (kept && kept.field !== field) {
          kept.field = field;
          put(field, kept.value);
        }
      }
    };
    const watcher = new MutationObserver(restore);
    watcher.observe(document.getElementById("content") || document.body, { childList: true, subtree: true });
    restore();
    const timer = setTimeout(() => watcher.disconnect(), RESTORE_MS);
    return () => {
      clearTimeout(timer);
      watcher.disconnect();
    };
  }, [isLost]);
}
