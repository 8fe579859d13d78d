// What axe-core does not look at, run in the page; each function gives the words of what is wrong. Only what can be
// reached counts: the topmost open dialog where there is one, else all of the page.
(() => {
  const CONTROLS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
  const top = () => [...document.querySelectorAll("dialog[open]")].filter((one) => one.matches(":modal")).at(-1) || document;
  const isShown = (one) => one.checkVisibility({ visibilityProperty: true }) && one.getClientRects().length > 0 && !one.closest("[inert]");
  const isFocusable = (one) => !one.disabled && one.tabIndex >= 0;
  const controls = () => [...top().querySelectorAll(CONTROLS)].filter((one) => isShown(one) && isFocusable(one));
  const named = (one) => {
    const words = one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent || one.name || "";
    return `<${one.tagName.toLowerCase()}> '${words.trim().slice(0, 40)}'`;
  };

  // WCAG 2.5.8: 24 by 24 CSS pixels, but for links within a sentence and for what has room enough around it.
  const targetOf = (one) => {
    const boxes = [one, ...(one.labels || [])].filter(isShown).map((part) => part.getBoundingClientRect());
    const left = Math.min(...boxes.map((box) => box.left));
    const upper = Math.min(...boxes.map((box) => box.top));
    const right = Math.max(...boxes.map((box) => box.right));
    const lower = Math.max(...boxes.map((box) => box.bottom));
    return { left, top: upper, right, bottom: lower, width: right - left, height: lower - upper };
  };
  const isInSentence = (one) => getComputedStyle(one).display === "inline" && one.parentElement.textContent.trim().length > one.textContent.trim().length + 8;
  const isClear = (box, other) => {
    const x = (box.left + box.right) / 2;
    const y = (box.top + box.bottom) / 2;
    const dx = Math.max(other.left - x, 0, x - other.right);
    const dy = Math.max(other.top - y, 0, y - other.bottom);
    return Math.hypot(dx, dy) >= 12;
  };
  const smallTargets = () => {
    const all = controls()
      .filter((one) => one.matches("a, button, input, select, textarea, summary, [role=slider]"))
      .filter((one) => !one.classList.contains("sr-only") && !one.className.includes?.("sr-only"))
      .map((one) => [one, targetOf(one)]);
    const isSmall = ([, box]) => box.width < 23.9 || box.height < 23.9;
    return all
      .filter((pair) => isSmall(pair) && !isInSentence(pair[0]))
      .filter(([one, box]) => all.some(([other, near]) => other !== one && !other.contains(one) && !one.contains(other) && !isClear(box, near)))
      .map(([one, box]) => `${named(one)} is ${box.width.toFixed(0)} × ${box.height.toFixed(0)} px`);
  };

  // WCAG 2.4.7 and 2.4.11: whatever has the focus shows it, and is not hidden under what floats over the page.
  const LOOKS = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderTopColor", "borderBottomColor", "backgroundColor"];
  const lookOf = (one) => {
    const style = getComputedStyle(one);
    return LOOKS.map((name) => (name.startsWith("outline") && style.outlineStyle === "none" ? "" : style[name])).join("|");
  };
  const isCovered = (one) => {
    const whole = one.getClientRects()[0];
    if (!whole || whole.width < 2 || whole.height < 2) return false;
    // Of what is larger than the window, the part that is in it.
    const left = Math.max(whole.left, 0), top = Math.max(whole.top, 0);
    const width = Math.min(whole.right, innerWidth) - left, height = Math.min(whole.bottom, innerHeight) - top;
    if (width <= 0 || height <= 0) return true;
    const points = [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]];
    const hits = points.map(([x, y]) => document.elementFromPoint(left + width * x, top + height * y));
    return !hits.some((hit) => hit && (one.contains(hit) || hit.contains(one) || [...(one.labels || [])].some((label) => label.contains(hit))));
  };
  const focusFaults = () => {
    const before = document.activeElement;
    const all = controls();
    const wrong = new Set();
    const plain = new Map(all.map((one) => [one, one === before ? null : lookOf(one)]));
    for (const order of [all, [...all].reverse()]) {
      for (const one of order) {
        one.focus();
        if (document.activeElement !== one) continue;
        if (one.matches(":focus-visible") && plain.get(one) !== null && lookOf(one) === plain.get(one)) wrong.add(`${named(one)} does not show that it has the focus`);
        if (!one.matches(":focus-visible")) wrong.add(`${named(one)} is focused by keys, and yet not :focus-visible`);
        if (isCovered(one)) wrong.add(`${named(one)} has the focus and is covered`);
      }
    }
    before?.focus?.({ preventScroll: true });
    window.scrollTo(0, 0);
    return [...wrong];
  };

  // One control of each look (its tag and classes), for the check by pixels: its place on the page.
  const oneOfEachLook = (seen) => {
    const found = new Map();
    for (const one of controls()) {
      const look = one.tagName + " " + one.className;
      if (!found.has(look) && !seen.includes(look)) found.set(look, one);
    }
    window.ofEachLook = [...found.values()];
    return [...found.keys()];
  };

  // A label belongs to the first element of the id that it names: where two have the same, the second has no name. No
  // rule of axe-core sees that.
  const nameless = () =>
    controls()
      .filter((one) => one.matches("input:not([type=submit], [type=button]), select, textarea"))
      .filter((one) => !one.labels?.length && !one.getAttribute("aria-label") && !one.getAttribute("aria-labelledby"))
      .map((one) => `<${one.tagName.toLowerCase()} id="${one.id}"> has no label: it is another's of the same id`);

  const endlessMotion = () =>
    document
      .getAnimations()
      .filter((one) => one.effect?.getComputedTiming().iterations === Infinity)
      .map((one) => `${named(one.effect.target)} moves without end`);

  // What stands out of the window on its right, innermost first, and does not scroll within something else.
  const scrolls = (one) => one && one !== document.body && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
  const wider = () => {
    const wide = [...document.body.querySelectorAll("*")].filter(
      (one) => one.getBoundingClientRect().right > innerWidth + 1 && !scrolls(one.parentElement),
    );
    return wide.filter((one) => !wide.some((other) => other !== one && one.contains(other))).map((one) => `${named(one)} ${one.outerHTML.slice(0, 80)}`);
  };

  window.checks = { wider, nameless, smallTargets, focusFaults, oneOfEachLook, endlessMotion, named };
})();
