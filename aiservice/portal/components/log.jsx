// What the request log does in the browser itself: bars to narrow it by, news that wait for the pointer, the sheet that
// j and k walk through, and a call written down as curl.
import { createElement as h, useEffect, useId, useRef, useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { BASE, copyText, post } from "$/utils/browser";

const LIVE = "aiservice:live";
const SHORTCUTS = "aiservice:shortcuts";
const ROWS = "log-rows";
const SECOND_KEY_MS = 1500;

// Calls `act` when `key` is pressed by itself: not while typing, not as the second of two, and not where a person has
// switched single keys off (WCAG 2.1.4).
function useKeys(act) {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    let prefixedAt = 0;
    const pressed = (event) => {
      const isText = event.isComposing || event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.ctrlKey || event.metaKey || event.altKey || isText || localStorage.getItem(SHORTCUTS) === "off") return;
      const isSecond = Date.now() - prefixedAt < SECOND_KEY_MS;
      prefixedAt = event.key === "g" ? Date.now() : 0;
      if (!isSecond && event.key !== "g" && latest.current(event)) event.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

// Bars over time. One slider to the keyboard and to screen readers, a chart to everybody else: arrows (or a pointer)
// choose a bar, Enter (or a click, or a drag over several) narrows the list to it through the URL.
export function LogBars({ bars, label, styles }) {
  const [chosen, setChosen] = useState(-1);
  const [from, setFrom] = useState(-1);
  const chart = useRef(null);
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  useEffect(() => {
    setChosen(-1);
    setFrom(-1);
  }, [bars]);
  if (!bars.length) return null;
  const most = Math.max(1, ...bars.map((bar) => bar.requests));
  const narrow = (first, last) => {
    const query = new URLSearchParams(search);
    for (const name of ["range", "before", "after", "peek"]) query.delete(name);
    query.set("from", bars[Math.min(first, last)].start);
    query.set("to", bars[Math.max(first, last)].end);
    navigate(pathname + "?" + query, { preventScrollReset: true });
  };
  const at = (event) => {
    const box = chart.current.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - box.left) / box.width) * bars.length)));
  };
  const here = chosen < 0 ? bars.length - 1 : chosen;
  const keys = (event) => {
    const to = { ArrowLeft: here - 1, ArrowDown: here - 1, ArrowRight: here + 1, ArrowUp: here + 1, Home: 0, End: bars.length - 1 }[event.key];
    if (to !== undefined) setChosen(chosen < 0 && event.key !== "Home" ? bars.length - 1 : Math.max(0, Math.min(bars.length - 1, to)));
    else if (event.key === "Enter" || event.key === " ") narrow(here, here);
    else return;
    event.preventDefault();
  };
  const pointer = {
    onPointerDown: (event) => {
      chart.current.setPointerCapture?.(event.pointerId);
      setFrom(at(event));
      setChosen(at(event));
    },
    onPointerMove: (event) => setChosen(at(event)),
    onPointerUp: (event) => {
      if (from >= 0) narrow(from, at(event));
      setFrom(-1);
    },
    onPointerCancel: () => setFrom(-1),
    onPointerLeave: () => from < 0 && setChosen(-1),
  };
  const isIn = (index) => (from >= 0 ? index >= Math.min(from, here) && index <= Math.max(from, here) : index === chosen);
  const part = (share, className) => h("span", { className, style: { height: share ? `max(${(share / most) * 100}%, 2px)` : "0" } });
  const bar = (one, index) =>
    h(
      "span",
      { key: one.start, className: isIn(index) ? styles.barOn : styles.bar },
      part(one.errors, styles.barBad),
      part(one.requests - one.errors, styles.barGood),
    );
  const said = chosen < 0 ? null : bars[chosen];
  return h(
    "div",
    null,
    h(
      "div",
      {
        ref: chart,
        role: "slider",
        tabIndex: 0,
        className: styles.bars,
        "aria-label": label,
        "aria-valuemin": 0,
        "aria-valuemax": bars.length - 1,
        "aria-valuenow": here,
        "aria-valuetext": bars[here].words + ". Enter narrows the list to it.",
        onKeyDown: keys,
        onBlur: () => setChosen(-1),
        ...pointer,
      },
      bars.map(bar),
    ),
    h(
      "div",
      { className: styles.barEnds, "aria-hidden": true },
      h("span", null, bars[0].label),
      h("span", { className: styles.barSaid }, said ? said.words : ""),
      h("span", null, bars[bars.length - 1].label),
    ),
  );
}

// News of the log. Rows never move by themselves: the server only says how many there are. Switched on, the browser
// asks for them, but not while the pointer or the focus is among the rows, something is open over them, or nobody looks.
export function LiveTail({ count, isNewest, styles, onShow }) {
  const [isOn, setOn] = useState(false);
  const [isHeld, setHeld] = useState(false);
  useEffect(() => setOn(localStorage.getItem(LIVE) === "on"), []);
  const turn = () => {
    localStorage.setItem(LIVE, isOn ? "off" : "on");
    setOn(!isOn);
  };
  useKeys((event) => {
    if (event.key !== "l" || document.querySelector("dialog[open]")) return false;
    turn();
    return true;
  });
  useEffect(() => {
    if (!count || !isOn || !isNewest) {
      setHeld(false);
      return undefined;
    }
    const look = () => {
      const isBusy = document.hidden || document.querySelector(`#${ROWS}:hover, #${ROWS} :focus, dialog[open]`);
      setHeld(Boolean(isBusy));
      if (!isBusy) onShow?.();
    };
    look();
    const timer = setInterval(look, 500);
    return () => clearInterval(timer);
  }, [count, isOn, isNewest]);
  const words = `${count.toLocaleString("en")} new request${count === 1 ? "" : "s"}`;
  const isSaid = count > 0 && (!isOn || !isNewest || isHeld);
  return h(
    "div",
    { className: styles.live },
    h(
      "button",
      { type: "button", className: isOn ? styles.choiceOn : styles.choiceOff, "aria-pressed": isOn, "aria-keyshortcuts": "l", title: "Shows new requests as they come. Key: l", onClick: turn },
      h("span", { className: isOn ? styles.liveOn : styles.liveOff, "aria-hidden": true }),
      "Live",
    ),
    h(
      "div",
      { className: styles.liveNews, "aria-live": "polite" },
      isSaid
        ? h("button", { type: "button", className: styles.submit, onClick: () => onShow?.() }, words + " ▲")
        : h("span", { className: styles.liveWords }, isOn && isNewest ? "New ones come in by themselves, but never under the pointer." : "New ones are announced here."),
    ),
  );
}

// A sheet over the list, which it covers in part or, on a phone, whole: modal, so that nothing under it has the focus
// (WCAG 2.4.11). What it shows stands in the page's address, so it is open in another tab too; j and k open the next and
// the previous request, Escape and a click beside it close it. `shown` is the one whose content the server has sent.
export function Peek({ rows, shown, styles, children }) {
  const dialog = useRef(null);
  const title = useRef(null);
  const last = useRef("");
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const open = new URLSearchParams(search).get("peek") || "";
  const place = rows.findIndex((row) => row.id === open);
  const next = rows[place + 1]?.id || "";
  const before = place > 0 ? rows[place - 1].id : "";
  const go = (id) => {
    const query = new URLSearchParams(search);
    if (id) query.set("peek", id);
    else query.delete("peek");
    navigate({ pathname, search: query.toString() }, { preventScrollReset: true });
  };
  useKeys((event) => {
    // By the address, not by what was drawn last: two keys may come faster than a page is drawn.
    const now = new URLSearchParams(window.location.search).get("peek") || "";
    const at = rows.findIndex((row) => row.id === now);
    const to = { j: rows[at + 1]?.id || "", k: at > 0 ? rows[at - 1].id : "" }[event.key];
    if (to) go(to);
    return to !== undefined;
  });
  useEffect(() => {
    const sheet = dialog.current;
    if (open && !sheet.open) {
      sheet.showModal();
      title.current?.focus({ preventScroll: true });
    } else if (open) {
      sheet.scrollTop = 0;
    } else if (sheet.open) {
      sheet.close();
      document.querySelector(`[data-request="${CSS.escape(last.current)}"]`)?.focus();
    }
    last.current = open;
  }, [open]);
  // Escape, a phone's way back, and what a browser closes by itself: all go by the address. Dialogs within tell of
  // themselves, and a sheet that is open again has nothing to say of having been closed.
  const closed = (event) => {
    if (event.target !== dialog.current || (event.type === "close" && dialog.current.open)) return;
    event.preventDefault();
    if (new URLSearchParams(window.location.search).has("peek")) go("");
  };
  // Where the button goes down: text that is selected beyond the edge closes nothing.
  const pressed = (event) => event.target === dialog.current && event.clientX < dialog.current.getBoundingClientRect().left && go("");
  const step = (words, sign, key, isOff, act) =>
    h("button", { type: "button", className: styles.icon, disabled: isOff, "aria-label": words, "aria-keyshortcuts": key, title: `${words}: ${key}`, onClick: act }, sign);
  return h(
    "dialog",
    { ref: dialog, className: styles.sheet, "aria-label": `Request ${open}`, onCancel: closed, onClose: closed, onMouseDown: pressed },
    open
      ? h(
          "div",
          { className: styles.sheetHead },
          h("h2", { ref: title, tabIndex: -1, className: styles.title }, "Request"),
          h(
            "div",
            { className: "flex items-center gap-1" },
            step("Next request", "↓", "j", !next, () => go(next)),
            step("Previous request", "↑", "k", !before, () => go(before)),
            step("Close", "✕", "Escape", false, () => go("")),
          ),
        )
      : null,
    open && shown === open.slice(0, 60) ? children : null,
    open && shown !== open.slice(0, 60) ? h("div", { className: styles.sheetBusy, "aria-busy": true }) : null,
  );
}

const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

// The call as a command. Its body is the one that was sent where that is kept, and an example of its form where not.
export function CurlButton({ request, path, example, action, hasBody, className }) {
  const [shown, setShown] = useState("");
  const button = useRef(null);
  const id = useId();
  const copy = async () => {
    let body = example;
    let note = "";
    if (hasBody) {
      const kept = await post(action, { id: request });
      if (typeof kept.request === "string") body = kept.request;
      else note = " with an example's body";
    }
    const lines = [`curl ${quoted(window.location.origin + BASE + path)}`, '-H "Authorization: Bearer $KEY"', "-H 'content-type: application/json'", `-d ${quoted(body)}`];
    const isCopied = await copyText(lines.join(" \\\n  "), button.current);
    setShown(isCopied ? "Copied" + note : "Select and copy by hand");
    setTimeout(() => setShown(""), 2500);
  };
  return h("button", { type: "button", id, ref: button, className, onClick: copy }, h("span", { "aria-live": "polite" }, shown || "Copy as curl"));
}
