// The colours chosen in the portal, before anything is drawn; and "All pages" open where there is room.
(() => {
  let chosen = "system";
  try {
    chosen = localStorage.getItem("theme") || "system";
  } catch {
    // storage may be forbidden
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const isDark = chosen === "dark" || (chosen === "system" && system.matches);
    document.documentElement.classList.toggle("dark", isDark);
    document.documentElement.classList.toggle("light", !isDark);
  };
  system.addEventListener("change", paint);
  paint();
  const wide = matchMedia("(min-width: 56rem)");
  const lay = () => {
    const pages = document.querySelector("nav details");
    if (pages) pages.open = wide.matches;
  };
  wide.addEventListener("change", lay);
  document.addEventListener("DOMContentLoaded", () => {
    lay();
    document.querySelectorAll("pre").forEach((block) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        button.textContent = (await copied(block.textContent)) ? "Copied" : "Select and copy by hand";
        setTimeout(() => (button.textContent = "Copy"), 2500);
      });
      const holder = document.createElement("div");
      holder.className = "code";
      block.replaceWith(holder);
      holder.append(block, button);
    });
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input, textarea, select");
    const isFind = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    let areOn = true;
    try {
      areOn = localStorage.getItem("aiservice:shortcuts") !== "off";
    } catch {
      // as above
    }
    if (isFind || (event.key === "/" && !isTyping && areOn)) {
      event.preventDefault();
      document.querySelector("input[type=search]").focus();
    }
  });
  // navigator.clipboard is there on https and the loopback only.
  async function copied(text) {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        // the old way, then
      }
    }
    let done = false;
    const fill = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
      done = true;
    };
    document.addEventListener("copy", fill);
    document.execCommand("copy");
    document.removeEventListener("copy", fill);
    return done;
  }
})();
