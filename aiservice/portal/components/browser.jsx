// What has to happen in the browser itself: copying on plain http, and secrets that go from an answer of the server
// straight to the person, never through Reflex's state.
import { createElement as h, useEffect, useId, useRef, useState } from "react";

export async function copyText(text, beside) {
  // navigator.clipboard exists on https and loopback only; a portal on http://some-host needs the old way.
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // falls through: the permission may be denied
    }
  }
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.style.cssText = "position:fixed;top:0;left:0;opacity:0";
  // In the button's own dialog: everything outside the topmost one is inert, and nothing in there can be selected.
  (beside.closest("dialog") || document.body).append(area);
  const before = document.activeElement;
  area.select();
  // execCommand says true also when it copied something else: only the event tells that it was ours.
  let copied = false;
  const fill = (event) => {
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
    copied = true;
  };
  area.addEventListener("copy", fill);
  try {
    copied = document.execCommand("copy") && copied;
  } catch {
    copied = false;
  }
  area.remove();
  before?.focus?.();
  return copied;
}

export function CopyButton({ text, label = "Copy", className, onCopied, focusFirst }) {
  const [shown, setShown] = useState(label);
  const button = useRef(null);
  useEffect(() => {
    if (focusFirst) button.current?.focus();
  }, [focusFirst]);
  const copy = async () => {
    const copied = await copyText(text, button.current);
    setShown(copied ? "Copied" : "Select and copy by hand");
    if (copied) onCopied?.();
    setTimeout(() => setShown(label), 2500);
  };
  return h(
    "button",
    { type: "button", ref: button, className, onClick: copy },
    h("span", { "aria-live": "polite" }, shown),
  );
}

// The path that the portal lives under: "" at the root of its host.
export const BASE = import.meta.env.BASE_URL.replace(/\/$/, "");

export async function post(action, body) {
  let answer;
  try {
    answer = await fetch(BASE + action, {
      method: "POST",
      credentials: "same-origin",
      redirect: "manual",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return { error: { message: "The server cannot be reached. Your input is kept: try again.", request_id: "" } };
  }
  let content = {};
  try {
    content = await answer.json();
  } catch {
    // an empty or foreign body
  }
  if (answer.ok) return content;
  const error = content.error || { message: "The server answered " + answer.status + ".", request_id: "" };
  return { error: { ...error, request_id: error.request_id || answer.headers.get("x-request-id") || "" } };
}

export function ErrorNote({ error, className }) {
  const note = useRef(null);
  useEffect(() => {
    note.current?.scrollIntoView({ block: "nearest" });
  }, [error]);
  if (!error) return null;
  const isFault = error.request_id && error.code !== "step_up_required"; // which only asks
  const id = isFault ? h("span", { className: "block mt-1 opacity-80 text-xs break-all" }, "Request " + error.request_id) : null;
  return h("div", { role: "alert", ref: note, className }, error.message, id);
}

function valuesOf(form) {
  const body = {};
  for (const [name, value] of new FormData(form).entries()) {
    body[name] = value;
  }
  for (const box of form.querySelectorAll("input[type=checkbox]")) if (box.name) body[box.name] = box.checked ? "true" : "";
  return body;
}

// A form whose fields go to one of our own routes as JSON. `after`: "reveal" shows the answer's `secret` once, with the
// words in its `about`; "leave" loads the page the answer names; anything else only tells Reflex that it is done. Where
// the server asks for the person's password again, the form does, and sends it along.
export function ActionForm({ action, fixed, fromQuery, submit, busy, after, next, styles, onDone, children, className }) {
  const [error, setError] = useState(null);
  const [sending, setSending] = useState(false);
  const [secret, setSecret] = useState(null);
  const [mustConfirm, setMustConfirm] = useState(false);
  const form = useRef(null);
  const send = async (event) => {
    event.preventDefault();
    if (sending) return;
    const body = { ...valuesOf(form.current), ...(fixed || {}) };
    const query = new URLSearchParams(window.location.search);
    for (const name of fromQuery || []) body[name] = query.get(name) || "";
    if (after === "leave" && next) body.next ??= next;
    setSending(true);
    setError(null);
    const answer = await post(action, body);
    setSending(false);
    if (answer.error) {
      setError(answer.error);
      const hasPassword = form.current?.querySelector("input[name=password]");
      if (answer.error.code === "step_up_required" && !hasPassword) setMustConfirm(true);
      else form.current?.querySelector("input[type=password]")?.focus();
      return;
    }
    if (after === "leave") {
      window.location.assign(localPath(answer.next || next));
      return;
    }
    form.current?.reset();
    setMustConfirm(false);
    // A link without a host is one below the address that this page came from.
    if (answer.is_path) answer.secret = window.location.origin + BASE + answer.secret;
    if (after === "reveal" && answer.secret) setSecret(answer);
    else onDone?.(String(answer.id || ""));
  };
  const closed = () => {
    const id = String(secret.id || "");
    setSecret(null);
    onDone?.(id);
  };
  return h(
    "form",
    { ref: form, onSubmit: send, className, noValidate: false, autoComplete: "on", "data-resets": "yes" },
    children,
    mustConfirm ? h(PasswordAgain, { styles, onShown: () => form.current?.requestSubmit() }) : null,
    h(ErrorNote, { error, className: error?.code === "step_up_required" ? styles.warning : styles.error }),
    h(
      "div",
      { className: "flex justify-end gap-2" },
      h("button", { type: "submit", className: styles.submit, disabled: sending, "aria-busy": sending }, sending ? busy : submit),
    ),
    secret ? h(RevealOnce, { secret, styles, onClose: closed }) : null,
  );
}

// Loaded when it is needed: most people never do. Vite leaves it as it is.
export const webauthn = () => import(/* @vite-ignore */ import.meta.env.BASE_URL + "webauthn.js");

// Who is there? The password, a code of an authenticator app, or (where one was used in this browser) a passkey, which
// answers by itself: `onShown` then does again what was refused.
export function PasswordAgain({ styles, onShown }) {
  const field = useRef(null);
  const id = useId();
  const [error, setError] = useState(null);
  const [hasPasskey, setHasPasskey] = useState(false);
  const [by, setBy] = useState("");
  useEffect(() => {
    field.current?.focus();
    setBy(document.cookie.match(/(?:^|; )ais_by=([a-z0-9-]{1,32})(?:;|$)/)?.[1] || "");
    try {
      setHasPasskey(Boolean(onShown && localStorage.getItem("ais-passkey")));
    } catch {
      // storage may be forbidden: then there is no such button
    }
  }, []);
  const show = async () => {
    const { askedAndShown } = await webauthn();
    const answer = await askedAndShown(post, "/auth/secrets/confirm/ask-passkey", "/auth/secrets/confirm/passkey", {});
    if (answer.error) setError(answer.error);
    else onShown();
  };
  const passkey = h("button", { type: "button", className: styles.secondary, onClick: show }, "Use a passkey instead");
  // Who came in by single sign-on may have no password. In a tab of its own, so that nothing of the form is lost.
  const elsewhere = h("a", { href: BASE + "/auth/sso/" + by + "/confirm", target: "_blank", className: styles.secondary }, "Use single sign-on instead (opens a tab)");
  return h(
    "div",
    { className: "flex flex-col items-start gap-2" },
    h("label", { htmlFor: id, className: styles.label }, "Your password, or a code of your app"),
    h("input", { id, ref: field, name: "password", type: "password", required: !hasPasskey && !by, autoComplete: "current-password", className: styles.input }),
    hasPasskey ? passkey : null,
    by ? elsewhere : null,
    by ? h("p", { className: styles.keyNote }, "Then come back here and go on.") : null,
    h(ErrorNote, { error, className: styles.error }),
  );
}

// What is kept of a request's bodies, once somebody asks for it: into the page, and nowhere else.
export function KeptPayload({ action, request, styles }) {
  const [error, setError] = useState(null);
  const [isAsking, setAsking] = useState(false);
  const [kept, setKept] = useState(null);
  const show = async () => {
    if (isAsking) return;
    setAsking(true);
    setError(null);
    const answer = await post(action, { id: request });
    setAsking(false);
    if (answer.error) setError(answer.error);
    else setKept(answer);
  };
  if (!kept)
    return h(
      "div",
      null,
      h("button", { type: "button", className: styles.secondary, onClick: show, "aria-busy": isAsking }, isAsking ? "One moment…" : "Show them"),
      h(ErrorNote, { error, className: styles.error }),
    );
  if (kept.request === undefined) return h("p", { role: "status", className: styles.text }, "They are not kept any more.");
  const body = (title, text) => [
    h("h3", { key: `${title} title`, className: styles.bodyTitle }, title),
    h("pre", { key: title, className: styles.body, tabIndex: 0, role: "region", "aria-label": title }, readable(text)),
  ];
  return h(
    "div",
    { role: "status" },
    kept.is_cut ? h("p", { className: styles.warning }, "They were longer: only the first megabyte of each is kept.") : null,
    ...body("Asked", kept.request),
    ...(kept.answer === null ? [h("p", { key: "none", className: styles.text }, "There was no answer.")] : body("Answered", kept.answer)),
  );
}

// JSON with its lines, anything else as it is.
function readable(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" ? JSON.stringify(value, null, 2) : text;
  } catch {
    return text;
  }
}

// Only paths of this site: no scheme, no host, no backslash tricks.
export function localPath(path) {
  return BASE + (typeof path === "string" && /^\/(?![/\\])[^\\\s]*$/.test(path) ? path : "/");
}

function RevealOnce({ secret, styles, onClose }) {
  const dialog = useRef(null);
  const isLeaving = useRef(false);
  const [isCopied, setCopied] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const [isShown, setShown] = useState(false);
  const title = useId();
  // What can be seen again needs no reminder to copy it, but is not left on the screen either.
  const seconds = secret.shown_seconds || 0;
  useEffect(() => {
    dialog.current.showModal();
    if (!seconds) return undefined;
    const timer = setTimeout(close, seconds * 1000);
    return () => clearTimeout(timer);
  }, []);
  useEffect(() => {
    if (isCopied || seconds) return undefined;
    const warn = (event) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [isCopied]);
  const close = () => {
    isLeaving.current = true;
    dialog.current?.close();
    onClose();
  };
  const leave = (event) => {
    event?.preventDefault();
    if (isCopied || isAsking || seconds) close();
    else setAsking(true);
  };
  // Escape never loses a secret: it asks, and only the button says yes. Browsers let a page hold back the dialog's own
  // closing once at most, so the key is taken before it gets there, and a dialog that was closed all the same comes back.
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (isCopied || seconds) leave();
    else setAsking(true);
  };
  const reopen = () => {
    if (!isLeaving.current) dialog.current?.showModal();
  };
  const masked = secret.secret.slice(0, 22) + "•".repeat(16);
  const about = secret.about || {};
  return h(
    "dialog",
    { ref: dialog, className: styles.dialog, "aria-labelledby": title, onKeyDown: escape, onCancel: (event) => event.preventDefault(), onClose: reopen },
    h("h2", { id: title, className: styles.title }, about.title || "Copy your key now"),
    h("p", { className: styles.text }, about.text || "This is the only time it is shown. We keep a keyed hash of it, not the key."),
    h("code", { className: styles.secret, "data-secret": "" }, isShown ? secret.secret : masked),
    h(
      "div",
      { className: "mt-3 flex flex-wrap gap-2" },
      h(CopyButton, { text: secret.secret, label: about.copy || "Copy key", className: styles.submit, onCopied: () => setCopied(true), focusFirst: true }),
      h("button", { type: "button", className: styles.secondary, onClick: () => setShown(!isShown) }, isShown ? "Hide" : "Show"),
    ),
    isAsking && !isCopied
      ? h("p", { role: "alert", className: styles.warning }, "You have not copied it yet, and it cannot be shown again.")
      : null,
    h(
      "div",
      { className: "mt-4 flex justify-end" },
      h("button", { type: "button", className: isAsking && !isCopied ? styles.danger : styles.secondary, onClick: leave }, isAsking && !isCopied ? "Close without copying" : "Done"),
    ),
  );
}

// A dialog's way of opening. What is in it is made the first time: each row of a list has several, few are ever opened,
// and to make them all kept a phone busy for as long as the list itself. `onShown` comes once it can be seen.
function useModal(onShown) {
  const dialog = useRef(null);
  const [isMade, setMade] = useState(false);
  const show = () => {
    if (dialog.current.open) return;
    dialog.current.showModal();
    onShown?.(dialog.current);
  };
  useEffect(() => {
    if (isMade) show();
  }, [isMade]);
  const open = () => {
    if (dialog.current) show();
    else setMade(true);
  };
  return { dialog, isMade, open };
}

// A button whose action asks first. The question is a native dialog: focus, Escape and the backdrop come with it.
export function ConfirmButton(props) {
  const { label, title, text, choice, confirm, styles, className, disabled, onConfirm, onChoose } = props;
  const { dialog, isMade, open } = useModal();
  const box = useRef(null);
  const heading = useId();
  const yes = () => {
    dialog.current.close();
    onConfirm?.();
    onChoose?.(Boolean(box.current?.checked));
  };
  return h(
    "span",
    { className: "contents" },
    h(
      "button",
      { type: "button", className, disabled, "aria-label": props["aria-label"], "data-asks": title, onClick: open },
      label,
    ),
    isMade
      ? h(
          "dialog",
          { ref: dialog, className: styles.dialog, "aria-labelledby": heading },
          h("h2", { id: heading, className: styles.title }, title),
          h("p", { className: styles.text }, text),
          choice ? h("label", { className: styles.choice }, h("input", { type: "checkbox", ref: box, className: styles.box }), choice) : null,
          h(
            "div",
            { className: "mt-5 flex justify-end gap-2" },
            h("button", { type: "button", className: styles.secondary, autoFocus: true, onClick: () => dialog.current.close() }, "Keep it"),
            h("button", { type: "button", className: styles.danger, onClick: yes }, confirm),
          ),
        )
      : null,
  );
}

// A button that opens its children as a modal form; a finished ActionForm inside closes it through `openKey`.
export function OpenDialog({ label, title, className, styles, closeSignal, opensAt, children }) {
  const heading = useId();
  const [isOpen, setOpen] = useState(false);
  const [refusal, setRefusal] = useState("");
  const { dialog, isMade, open } = useModal((shown) => {
    setRefusal("");
    setOpen(true);
    // The browser would focus the first thing that takes focus, and that is the ✕.
    shown.querySelector("form :is(input, select, textarea)")?.focus();
  });
  useEffect(() => {
    dialog.current?.close();
  }, [closeSignal]);
  // What a page's own handler refuses is told in the notice, and that lies behind this dialog: it is told here as well.
  useEffect(() => {
    if (!isOpen) return undefined;
    const noticed = () => document.querySelector("[data-notice=error]");
    const before = noticed()?.innerText; // its request id is in it: the same words again are another refusal
    const watcher = new MutationObserver(() => {
      const now = noticed();
      setRefusal(now && now.innerText !== before ? now.querySelector("span").innerText : "");
    });
    watcher.observe(document.getElementById("content") || document.body, { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["data-notice"] });
    return () => watcher.disconnect();
  }, [isOpen]);
  useEffect(() => {
    // An address may ask for it: the command palette's "Create a key" is /keys#create.
    const look = () => {
      if (!opensAt || window.location.hash !== "#" + opensAt || dialog.current?.open) return;
      window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
      open();
    };
    look();
    window.addEventListener("hashchange", look);
    window.addEventListener("popstate", look);
    window.addEventListener("aiservice:went", look);
    return () => {
      window.removeEventListener("hashchange", look);
      window.removeEventListener("popstate", look);
      window.removeEventListener("aiservice:went", look);
    };
  }, [opensAt]);
  return h(
    "span",
    { className: "contents" },
    h("button", { type: "button", className, "data-opens": title, onClick: open }, label),
    isMade
      ? h(
          "dialog",
          { ref: dialog, className: styles.dialog, "aria-labelledby": heading, "data-form": "yes", onClose: (event) => event.target === dialog.current && setOpen(false) },
          h(
            "div",
            { className: "mb-3 flex items-center justify-between gap-4" },
            h("h2", { id: heading, className: styles.title }, title),
            h("button", { type: "button", className: styles.icon, "aria-label": "Close", onClick: () => dialog.current.close() }, "✕"),
          ),
          refusal ? h("p", { role: "alert", className: styles.error }, refusal) : null,
          children,
        )
      : null,
  );
}

// Times are in UTC unless somebody wants their own: what that is, only their browser knows.
export function ZoneSwitch({ zone, onChoose, styles }) {
  const [own, setOwn] = useState("");
  useEffect(() => {
    setOwn(Intl.DateTimeFormat().resolvedOptions().timeZone || "");
  }, []);
  const names = ["UTC", ...(own && own !== "UTC" ? [own] : []), ...(zone && zone !== "UTC" && zone !== own ? [zone] : [])];
  const button = (name) =>
    h(
      "button",
      { key: name, type: "button", className: name === zone ? styles.choiceOn : styles.choiceOff, "aria-pressed": name === zone, onClick: () => name !== zone && onChoose?.(name) },
      name === own ? name.replaceAll("_", " ") + " (yours)" : name.replaceAll("_", " "),
    );
  return h("div", { role: "group", "aria-label": "Time zone", className: styles.zone }, names.map(button));
}

// A time zone by its IANA name: the browser has the list, and knows its own.
export function ZoneField({ zone, hint, styles }) {
  const id = useId();
  const field = useRef(null);
  const [own, setOwn] = useState("");
  const [names, setNames] = useState([]);
  useEffect(() => setOwn(Intl.DateTimeFormat().resolvedOptions().timeZone || ""), []);
  // Once the field has the focus: hundreds of names keep a phone busy for a second, and few who come here change theirs.
  const offer = () => {
    if (!names.length) setNames(["UTC", ...(Intl.supportedValuesOf ? Intl.supportedValuesOf("timeZone") : [])]);
  };
  const use = () => {
    field.current.value = own;
    field.current.focus();
  };
  return h(
    "div",
    null,
    h("label", { htmlFor: id, className: styles.label }, "Time zone"),
    h(
      "div",
      { className: "mt-1 flex flex-wrap gap-2" },
      h("input", { id, ref: field, name: "time_zone", list: id + "-names", defaultValue: zone, required: true, autoComplete: "off", spellCheck: false, "aria-describedby": id + "-hint", onFocus: offer, className: styles.input.replace("mt-1 ", "") + " min-w-0 flex-1" }),
      own ? h("button", { type: "button", className: styles.secondary, onClick: use }, "Use " + own.replaceAll("_", " ")) : null,
    ),
    h("datalist", { id: id + "-names" }, names.map((name) => h("option", { key: name, value: name }))),
    h("p", { id: id + "-hint", className: styles.hint }, hint),
  );
}

// Shows its first child at once, and its second in place of it when it is about to be seen and the browser is idle: a
// heavy chart costs the first paint nothing, and who never scrolls down to it, as on a phone, nothing at all.
export function MountInSight({ children }) {
  const place = useRef(null);
  const [isMounted, setMounted] = useState(false);
  useEffect(() => {
    let id = 0;
    const later = window.requestIdleCallback || ((run) => setTimeout(run, 300));
    const never = window.cancelIdleCallback || clearTimeout;
    const sight = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        sight.disconnect();
        id = later(() => setMounted(true));
      },
      { rootMargin: "100px 0px" },
    );
    sight.observe(place.current);
    return () => {
      sight.disconnect();
      never(id);
    };
  }, []);
  return h("div", { ref: place }, children[isMounted ? 1 : 0]);
}

// A <details> of which nothing is made before it is opened: a table of thousands of cells that nobody looks at would
// cost every visit what drawing it costs.
export function Unfold({ summary, summaryClass, className, children }) {
  const [wasOpened, setOpened] = useState(false);
  const note = (event) => event.currentTarget.open && setOpened(true);
  return h("details", { className, onToggle: note }, h("summary", { className: summaryClass }, summary), wasOpened ? children : null);
}

// Tells whether this tab is looked at, when that changes: nothing is pushed to one that is not.
export function Sight({ onSeen }) {
  const tell = useRef(onSeen);
  tell.current = onSeen;
  useEffect(() => {
    const changed = () => tell.current?.(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return null;
}
