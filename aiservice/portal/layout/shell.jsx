// The frame around every page of a signed-in person: navigation, its drawer on a phone, shortcuts, and what is said
// while the server is away. What it shows comes from `site.js`; who is signed in, from Reflex.
import { createElement as h, useContext, useEffect, useId, useRef, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { ColorModeContext } from "$/utils/context";
import { ActionForm } from "$/utils/browser";
import { OfflineBanner, useKeptForms } from "$/utils/offline";
import { Palette } from "$/utils/palette";
import { ShortcutSheet, ask, leave, useAsked, useCommandKey, useShortcuts } from "$/utils/shortcuts";
import { site } from "$/utils/site";

const look = site.styles;

export function Icon({ name, className = "size-4 shrink-0" }) {
  return h(
    "svg",
    { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", strokeWidth: 2, strokeLinecap: "round", strokeLinejoin: "round", "aria-hidden": true, className },
    h("path", { d: site.icons[name] }),
  );
}

// The page of the navigation that an address belongs to.
function placeOf(pathname) {
  const path = pathname.replace(/(.)\/+$/, "$1");
  const above = site.below[path] || path;
  if (site.pages.some((page) => page.route === above)) return above;
  const around = site.pages.filter((page) => page.route !== "/" && above.startsWith(page.route + "/"));
  return around.sort((a, b) => b.route.length - a.route.length)[0]?.route || "";
}

function Brand() {
  return h(
    Link,
    { to: "/", className: look.brand },
    h("img", { src: site.base + "/favicon.svg", alt: "", width: 28, height: 28, className: "size-7" }),
    h("span", { className: look.product }, site.product),
  );
}

function Entry({ icon, title, to, isHere, isDocument, children }) {
  const props = { className: isHere ? look.here : look.entry, ...(isHere ? { "aria-current": "page" } : {}) };
  const inside = [h(Icon, { key: "icon", name: icon }), h("span", { key: "title", className: "truncate" }, title), children];
  return h("li", null, isDocument ? h("a", { ...props, href: site.base + to }, inside) : h(Link, { ...props, to }, inside));
}

function Group({ name, title, holdsHere, children }) {
  const list = useId();
  const kept = "aiservice:closed:" + name;
  const [isClosed, setClosed] = useState(false);
  useEffect(() => {
    setClosed(!holdsHere && localStorage.getItem(kept) === "yes");
  }, [kept, holdsHere]);
  const turn = () => {
    localStorage.setItem(kept, isClosed ? "" : "yes");
    setClosed(!isClosed);
  };
  return h(
    "div",
    { className: look.group },
    h(
      "button",
      { type: "button", className: look.groupHead, "aria-expanded": !isClosed, "aria-controls": list, onClick: turn },
      title,
      h(Icon, { name: "down", className: isClosed ? look.chevronClosed : look.chevron }),
    ),
    h("ul", { id: list, hidden: isClosed, className: look.list }, children),
  );
}

function Navigation({ isAdmin, alerts }) {
  const here = placeOf(useLocation().pathname);
  const scroller = useRef(null);
  useEffect(() => {
    // Each page brings a frame of its own: the list stays where it was, with the page one is on in sight.
    scroller.current.scrollTop = Number(sessionStorage.getItem("aiservice:scrolled") || 0);
    scroller.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }, []);
  const entries = (group) =>
    site.pages
      .filter((page) => page.group === group && (isAdmin || !page.isAdmin))
      .map((page) =>
        h(
          Entry,
          { key: page.route, icon: page.icon, title: page.title, to: page.route, isHere: page.route === here },
          page.route === site.alerts && alerts ? h("span", { key: "count", className: look.count }, alerts, h("span", { className: "sr-only" }, " open")) : null,
        ),
      );
  const shown = site.groups.filter((group) => group.title && entries(group.name).length);
  const own = site.groups.filter((group) => !group.title).flatMap((group) => entries(group.name));
  return h(
    "nav",
    { "aria-label": "Main", className: look.nav },
    h(
      "div",
      { ref: scroller, className: look.scroller, onScroll: (event) => sessionStorage.setItem("aiservice:scrolled", event.currentTarget.scrollTop) },
      shown.map((group) => h(Group, { key: group.name, ...group, holdsHere: site.pages.some((page) => page.route === here && page.group === group.name) }, entries(group.name))),
    ),
    h("ul", { className: look.own }, h(Entry, { key: "docs", icon: "book", title: "Docs", to: site.docs, isDocument: true }), own),
  );
}

const SCHEMES = [
  ["light", "sun", "Light"],
  ["dark", "moon", "Dark"],
  ["system", "screen", "As the system"],
];

function Schemes() {
  const { rawColorMode, setColorMode } = useContext(ColorModeContext);
  return h(
    "div",
    { role: "group", "aria-label": "Colour scheme", className: "flex gap-1" },
    SCHEMES.map(([mode, icon, words]) =>
      h(
        "button",
        { key: mode, type: "button", "aria-label": `Colours: ${words}`, title: words, "aria-pressed": rawColorMode === mode, className: rawColorMode === mode ? look.schemeOn : look.scheme, onClick: () => setColorMode(mode) },
        h(Icon, { name: icon }),
      ),
    ),
  );
}

function Person({ email }) {
  return h(
    "div",
    { className: look.foot },
    h("span", { className: look.email, title: email }, email),
    h("div", { className: look.person }, h(Schemes), h(ActionForm, { action: "/auth/sign-out", submit: "Sign out", busy: "One moment…", after: "leave", next: "/sign-in", styles: look.signOut, className: "" })),
  );
}

// On a phone the sidebar is a drawer: while it is open everything else is inert, so focus stays in it.
function useDrawer(panel, opener) {
  const [isOpen, setOpen] = useState(false);
  const { pathname } = useLocation();
  useEffect(() => setOpen(false), [pathname]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const others = [document.getElementById("content"), document.getElementById("topbar")].filter(Boolean);
    others.forEach((other) => other.setAttribute("inert", ""));
    document.body.classList.add("overflow-hidden");
    panel.current.querySelector("button")?.focus();
    const close = (event) => {
      if (event.key === "Escape") setOpen(false);
    };
    const widen = window.matchMedia("(min-width: 48rem)");
    const widened = () => widen.matches && setOpen(false);
    widen.addEventListener("change", widened);
    document.addEventListener("keydown", close);
    return () => {
      others.forEach((other) => other.removeAttribute("inert"));
      document.body.classList.remove("overflow-hidden");
      document.removeEventListener("keydown", close);
      widen.removeEventListener("change", widened);
      opener.current?.focus();
    };
  }, [isOpen]);
  return [isOpen, setOpen];
}

export function Shell({ email, isAdmin, alerts, found, foundFor, onFind, children }) {
  const panel = useRef(null);
  const opener = useRef(null);
  const [isOpen, setOpen] = useDrawer(panel, opener);
  const asked = useAsked();
  const navigate = useNavigate();
  const command = useCommandKey();
  useShortcuts({ navigate, isAdmin });
  useKeptForms();
  const search = () => ask("palette");
  return h(
    "div",
    { className: look.page },
    h("a", { href: "#content", className: look.skip }, "Skip to content"),
    h(OfflineBanner),
    h(
      "header",
      { id: "topbar", className: look.topbar },
      h("button", { type: "button", ref: opener, className: look.icon, "aria-label": "Menu", "aria-expanded": isOpen, "aria-controls": "sidebar", onClick: () => setOpen(true) }, h(Icon, { name: "menu" })),
      h(Brand),
      h("button", { type: "button", className: look.icon, "aria-label": "Search or jump", onClick: search }, h(Icon, { name: "search" })),
    ),
    isOpen ? h("div", { className: look.backdrop, onClick: () => setOpen(false) }) : null,
    h(
      "div",
      { className: look.columns },
      h(
        "div",
        { id: "sidebar", ref: panel, className: isOpen ? look.drawerOpen : look.sidebar, ...(isOpen ? { role: "dialog", "aria-modal": true, "aria-label": "Menu" } : { role: "complementary", "aria-label": "Sidebar" }) },
        h("div", { className: look.drawerHead }, h(Brand), h("button", { type: "button", className: look.drawerClose, "aria-label": "Close the menu", onClick: () => setOpen(false) }, h(Icon, { name: "close" }))),
        h("button", { type: "button", className: look.search, onClick: search }, h(Icon, { name: "search" }), h("span", { className: "grow text-left whitespace-nowrap" }, "Search or jump"), h("kbd", { className: look.kbd }, command, " K")),
        h(Navigation, { isAdmin, alerts }),
        h(Person, { email }),
      ),
      children,
    ),
    h(Palette, { isOpen: asked === "palette", close: () => leave("palette"), showSheet: () => ask("sheet"), isAdmin, found, foundFor, onFind }),
    h(ShortcutSheet, { isOpen: asked === "sheet", close: () => leave("sheet"), isAdmin }),
  );
}
