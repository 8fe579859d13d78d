// Second factors in the browser. A secret and recovery codes go from the server's answer to the screen, and a passkey's
// answer to the server, never through Reflex's state.
import { createElement as h, useEffect, useId, useRef, useState } from "react";
import { CopyButton, ErrorNote, PasswordAgain, localPath, post, webauthn } from "./browser";

// Does something that may be refused until the person has said who they are; `panel` then asks, and does it again.
function useAsking(styles) {
  const [error, setError] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const [refused, setRefused] = useState(null);
  const form = useRef(null);
  const run = async (work, then, after) => {
    if (isBusy) return;
    setBusy(true);
    setError(null);
    const answer = await work();
    setBusy(false);
    // What was said was wrong, or nothing was said yet: the question stays.
    const isUnsaid = answer.isUnsaid || answer.error?.code === "step_up_required";
    setRefused(isUnsaid ? { work: after || work, then } : null);
    setError(answer.error || null);
    if (!answer.error) then(answer);
  };
  const ask = (work, then) => run(work, then, null);
  const again = async (event) => {
    event.preventDefault();
    const password = new FormData(form.current).get("password");
    const confirmed = async () => {
      const said = await post("/auth/secrets/confirm", { password });
      return said.error ? { ...said, isUnsaid: true } : refused.work();
    };
    await run(confirmed, refused.then, refused.work);
  };
  const panel = refused
    ? h(
        "form",
        { ref: form, onSubmit: again, className: "mt-3 flex flex-col items-start gap-3" },
        h(PasswordAgain, { styles, onShown: () => ask(refused.work, refused.then) }),
        h("button", { type: "submit", className: styles.submit, disabled: isBusy }, "Confirm"),
      )
    : null;
  const note = h(ErrorNote, { error, className: error?.code === "step_up_required" ? styles.warning : styles.error });
  return { ask, isBusy, isRefused: Boolean(refused), error, rest: [h("div", { key: "note" }, note), h("div", { key: "panel" }, panel)] };
}

// After something is done: recovery codes first, where there are any; then on to the next page, or told to Reflex.
function useCodes(after, styles, onDone) {
  const [answer, setAnswer] = useState(null);
  const goOn = (done) => {
    setAnswer(null);
    if (after === "leave") window.location.assign(localPath(done.next));
    else onDone?.(String(done.id || ""));
  };
  const finish = (done) => (done.codes?.length ? setAnswer(done) : goOn(done));
  return [finish, answer ? h(RecoveryCodes, { key: "codes", codes: answer.codes, styles, onSaved: () => goOn(answer) }) : null];
}

// A button that asks a passkey; `after`: "leave" (load the page the answer names) or "stay".
export function PasskeyButton({ ask, action, label, next, after, styles, className, onDone }) {
  const [why, setWhy] = useState("");
  const { ask: asking, isBusy, rest } = useAsking(styles);
  const reason = useId();
  useEffect(() => {
    webauthn().then(({ whyNoPasskeys }) => setWhy(whyNoPasskeys()));
  }, []);
  const show = () =>
    asking(
      async () => (await webauthn()).askedAndShown(post, ask, action, next ? { next: new URLSearchParams(window.location.search).get("next") || next } : {}),
      (answer) => (after === "leave" ? window.location.assign(localPath(answer.next)) : onDone?.("")),
    );
  return h(
    "div",
    null,
    h(
      "button",
      { type: "button", className, onClick: show, disabled: isBusy || Boolean(why), "aria-busy": isBusy, "aria-describedby": why ? reason : undefined },
      isBusy ? "Waiting for your passkey…" : label,
    ),
    why ? h("p", { id: reason, className: styles.text }, why) : null,
    rest,
  );
}

// A form that makes a passkey.
export function PasskeyAdd({ ask, action, next, after, styles, onDone }) {
  const [why, setWhy] = useState("");
  const [name, setName] = useState("");
  const { ask: asking, isBusy, isRefused, rest } = useAsking(styles);
  const [finish, codes] = useCodes(after, styles, onDone);
  const id = useId();
  const named = () => setName(navigator.userAgentData?.platform || navigator.platform?.split(" ")[0] || "This device");
  useEffect(() => {
    webauthn().then(({ whyNoPasskeys }) => setWhy(whyNoPasskeys()));
    named();
  }, []);
  const added = (answer) => {
    named();
    finish(answer);
  };
  const add = (event) => {
    event.preventDefault();
    asking(async () => (await webauthn()).askedAndMade(post, ask, action, { name, ...(next ? { next: nextOf(next) } : {}) }), added);
  };
  if (why) return h("p", { className: styles.text, role: "note" }, why);
  return h(
    "div",
    null,
    h(
      "form",
      { onSubmit: add, className: "flex flex-wrap items-end gap-3" },
      h(
        "div",
        { className: "min-w-40 grow" },
        h("label", { htmlFor: id, className: styles.label }, "Name of the passkey"),
        h("input", { id, className: styles.input, value: name, maxLength: 60, required: true, autoComplete: "off", onChange: (event) => setName(event.target.value) }),
      ),
      isRefused ? null : h("button", { type: "submit", className: styles.submit, disabled: isBusy, "aria-busy": isBusy }, isBusy ? "Waiting for your device…" : "Add a passkey"),
    ),
    rest,
    codes,
  );
}

const nextOf = (fallback) => new URLSearchParams(window.location.search).get("next") || fallback;

// Sets up an authenticator app: a QR code (and the same as text and as a link), then one code that proves it.
export function AppSetUp({ begin, prove, label, next, after, styles, className, onDone }) {
  const [app, setApp] = useState(null);
  const beginning = useAsking(styles);
  const proving = useAsking(styles);
  const [finish, codes] = useCodes(after, styles, (id) => {
    setApp(null);
    onDone?.(id);
  });
  const code = useRef(null);
  const id = useId();
  useEffect(() => {
    if (app) code.current?.focus();
  }, [app]);
  const start = () => beginning.ask(() => post(begin, {}), setApp);
  const show = (event) => {
    event.preventDefault();
    const body = { code: code.current.value, ...(next ? { next: nextOf(next) } : {}) };
    proving.ask(() => post(prove, body), finish);
  };
  if (!app)
    return h(
      "div",
      null,
      beginning.isRefused ? null : h("button", { type: "button", className, onClick: start, "aria-busy": beginning.isBusy }, label),
      beginning.rest,
      codes,
    );
  const drawn = h(
    "svg",
    { viewBox: "0 0 " + app.qr_size + " " + app.qr_size, role: "img", "aria-label": "QR code for your authenticator app", shapeRendering: "crispEdges", className: "size-48 shrink-0 rounded-lg bg-white" },
    h("path", { d: app.qr_path, fill: "#000" }),
  );
  const grouped = app.app_secret.replace(/(.{4})(?=.)/g, "$1 ");
  return h(
    "div",
    { className: "flex flex-col gap-4" },
    h(
      "ol",
      { className: "flex list-decimal flex-col gap-4 pl-5 text-sm" },
      h(
        "li",
        null,
        "Scan this with your authenticator app.",
        h("div", { className: "mt-2" }, drawn),
        h("p", { className: styles.text }, "On this very device? ", h("a", { href: app.uri, className: styles.link }, "Open it in the app"), ", or type the secret:"),
        h("code", { className: styles.secret, "data-secret": "" }, grouped),
        h("div", { className: "mt-2" }, h(CopyButton, { text: app.app_secret, label: "Copy the secret", className: styles.secondary })),
      ),
      h(
        "li",
        null,
        h(
          "form",
          { onSubmit: show },
          h("label", { htmlFor: id, className: styles.label }, "Type the six digits that it shows"),
          h(
            "div",
            { className: "mt-1 flex flex-wrap items-center gap-3" },
            h("input", { id, ref: code, className: styles.code6, inputMode: "numeric", autoComplete: "one-time-code", required: true, maxLength: 9, placeholder: "000 000" }),
            h("button", { type: "submit", className: styles.submit, "aria-busy": proving.isBusy }, "Turn it on"),
          ),
        ),
        proving.rest,
      ),
    ),
    codes,
  );
}

// A button for ten new recovery codes.
export function NewCodes({ action, label, text, styles, className, onDone }) {
  const [isOpen, setOpen] = useState(false);
  const { ask, isBusy, isRefused, rest } = useAsking(styles);
  const [finish, codes] = useCodes("stay", styles, (id) => {
    setOpen(false);
    onDone?.(id);
  });
  const make = () => ask(() => post(action, {}), finish);
  if (!isOpen) return h("button", { type: "button", className, onClick: () => setOpen(true) }, label);
  return h(
    "div",
    null,
    h("p", { className: styles.text, role: "status" }, text),
    isRefused
      ? null
      : h(
          "div",
          { className: "mt-3 flex flex-wrap gap-2" },
          h("button", { type: "button", className: styles.submit, onClick: make, autoFocus: true, "aria-busy": isBusy }, "Make new codes"),
          h("button", { type: "button", className: styles.secondary, onClick: () => setOpen(false) }, "Keep the old ones"),
        ),
    rest,
    codes,
  );
}

// Ten codes, shown this once. The dialog stays until somebody says that they are saved.
function RecoveryCodes({ codes, styles, onSaved }) {
  const dialog = useRef(null);
  const isLeaving = useRef(false);
  const [isSaved, setSaved] = useState(false);
  const title = useId();
  const list = codes.join("\n");
  useEffect(() => dialog.current.showModal(), []);
  useEffect(() => {
    if (isSaved) return undefined;
    const warn = (event) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [isSaved]);
  const done = () => {
    isLeaving.current = true;
    dialog.current.close();
    onSaved();
  };
  // Browsers let a page hold back a dialog's closing once at most: the key is taken before, and who closes comes back.
  const hold = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
  };
  const reopen = () => {
    if (!isLeaving.current) dialog.current?.showModal();
  };
  const download = () => {
    const text = "Recovery codes of aiservice, " + window.location.host + "\nEach works once.\n\n" + list + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = "aiservice-recovery-codes.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  return h(
    "dialog",
    { ref: dialog, className: styles.dialog + " print:m-0 print:h-screen print:w-screen print:border-0 print:bg-white print:text-black", "aria-labelledby": title, onKeyDown: hold, onCancel: (event) => event.preventDefault(), onClose: reopen },
    h("h2", { id: title, className: styles.title }, "Save your recovery codes"),
    h("p", { className: styles.text }, "If your phone or passkey is lost, each of these signs you in once, behind your password. They are shown only now; we keep keyed hashes of them."),
    h(
      "ul",
      { className: styles.secret + " grid grid-cols-2 gap-x-6 gap-y-1", "data-secret": "" },
      codes.map((code) => h("li", { key: code }, code)),
    ),
    h(
      "div",
      { className: "mt-3 flex flex-wrap gap-2 print:hidden" },
      h(CopyButton, { text: list, label: "Copy", className: styles.submit, focusFirst: true }),
      h("button", { type: "button", className: styles.secondary, onClick: download }, "Download"),
      h("button", { type: "button", className: styles.secondary, onClick: () => window.print() }, "Print"),
    ),
    h(
      "label",
      { className: styles.choice + " print:hidden" },
      h("input", { type: "checkbox", className: styles.box, checked: isSaved, onChange: (event) => setSaved(event.target.checked) }),
      "I have saved them",
    ),
    h(
      "div",
      { className: "mt-4 flex justify-end print:hidden" },
      h("button", { type: "button", className: styles.submit, disabled: !isSaved, onClick: done }, "Done"),
    ),
  );
}
