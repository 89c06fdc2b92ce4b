"use strict";
// Search, folding, the theme, the keyboard. Without it the page is complete, and every section is open.
{
  const one = (id) => document.getElementById(id);
  const entries = [...document.querySelectorAll(".entry")];
  const subjects = [...document.querySelectorAll(".subject")].filter((subject) => subject.querySelector(".entry"));
  const links = new Map();
  for (const link of document.querySelectorAll("#contents li a")) links.set(link.hash.slice(1), link);
  const texts = new Map(entries.map((entry) => [entry, entry.textContent.toLowerCase()]));
  const sought = one("sought");
  const narrow = matchMedia("(max-width: 68rem)");

  // --- search ---

  const chosen = () => document.querySelector("input[name=show]:checked").value;
  const words = () => sought.value.toLowerCase().split(/\s+/).filter(Boolean);

  function search() {
    const all = words();
    const show = chosen();
    const active = all.length > 0 || show !== "";
    let shown = 0;
    for (const entry of entries) {
      const is = [entry.dataset.texts, entry.dataset.does];
      const fits = (!show || is.includes(show)) && all.every((word) => texts.get(entry).includes(word));
      entry.hidden = !fits;
      links.get(entry.id).parentElement.hidden = !fits;
      if (fits) shown += 1;
    }
    for (const subject of subjects) subject.hidden = !subject.querySelector(".entry:not([hidden])");
    for (const part of document.querySelectorAll("#contents section:has(li)")) part.hidden = !part.querySelector("li:not([hidden])");
    one("found").textContent = active ? `${shown} of ${entries.length}` : "";
    one("nothing").hidden = shown > 0;
    colour(all);
  }

  function colour(all) {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("found");
    const found = new Highlight();
    for (const entry of all.length ? entries : []) {
      if (entry.hidden) continue;
      const walker = document.createTreeWalker(entry, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const text = walker.currentNode.data.toLowerCase();
        if (text.length !== walker.currentNode.data.length) continue;
        for (const word of all) {
          for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
            const range = new Range();
            range.setStart(walker.currentNode, at);
            range.setEnd(walker.currentNode, at + word.length);
            found.add(range);
          }
        }
      }
    }
    CSS.highlights.set("found", found);
  }

  function clear() {
    sought.value = "";
    document.querySelector("input[name=show][value='']").checked = true;
    search();
  }

  let waiting;
  sought.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 80);
  });
  one("search").addEventListener("change", search);
  one("search").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
    const first = entries.find((entry) => !entry.hidden);
    if (first) go(first);
  });

  // --- links: the target of a link is always shown, whatever is filtered or folded ---

  function reveal() {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* use it as it is */ }
    const target = one(id);
    if (!target) return;
    if (target.closest("[hidden]")) clear();
    for (let part = target; part; part = part.parentElement) if (part.localName === "details") part.open = true;
    if (narrow.matches && target.closest("main")) one("contents").open = false;
    for (const [name, link] of links) {
      if (name === (target.closest(".entry") ?? target).id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });

  function go(entry) {
    if (location.hash.slice(1) === entry.id) reveal();
    else location.hash = entry.id;
    entry.querySelector("summary").focus({ preventScroll: true });
  }

  // --- the keyboard ---

  function step(by) {
    const shown = entries.filter((entry) => !entry.hidden);
    const focused = document.activeElement?.closest(".entry");
    const edge = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) + 8;
    const passed = shown.findLastIndex((entry) => entry.getBoundingClientRect().top <= edge);
    const now = focused && shown.includes(focused) ? shown.indexOf(focused) : passed;
    const next = shown[now < 0 && by < 0 ? -1 : now + by];
    if (next) go(next);
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      clear();
      sought.blur();
    } else if (event.target.matches("input[type=search]")) {
      return;
    } else if (event.key === "/") {
      event.preventDefault();
      sought.focus();
      sought.select();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    }
  });

  // --- folding, theme, copying, printing ---

  const fold = one("fold");
  function label() {
    fold.textContent = entries.some((entry) => entry.open) ? "Fold all" : "Unfold all";
  }
  fold.addEventListener("click", () => {
    const open = !entries.some((entry) => entry.open);
    for (const entry of entries) entry.open = open;
    label();
  });
  for (const entry of entries) entry.addEventListener("toggle", label);

  const theme = one("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  function paint(name) {
    if (name) document.documentElement.dataset.theme = name;
    theme.textContent = isDark() ? "Light" : "Dark";
  }
  const kept = (work) => { try { return work(); } catch { return null; } };
  theme.addEventListener("click", () => {
    paint(isDark() ? "light" : "dark");
    kept(() => localStorage.setItem("diglot-theme", document.documentElement.dataset.theme));
  });
  system.addEventListener("change", () => paint());

  for (const text of document.querySelectorAll(".sql")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const lines = [...text.querySelectorAll(".line:not(.gap)")].map((line) => line.textContent);
      try {
        await navigator.clipboard.writeText(lines.join(""));
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    text.parentElement.querySelector("header").append(button);
  }

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    for (const part of folded) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
  });

  // --- at the start: a narrow screen begins with everything folded ---

  one("search").hidden = false;
  document.querySelector(".tools").hidden = false;
  if (narrow.matches) {
    one("contents").open = false;
    for (const entry of entries) entry.open = false;
  }
  const theme_kept = kept(() => localStorage.getItem("diglot-theme"));
  paint(["light", "dark"].includes(theme_kept) ? theme_kept : undefined);
  label();
  reveal();
}
