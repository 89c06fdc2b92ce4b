"use strict";
// Keeps the page current: fetches the part that changes and replaces it. Without this script the page is complete, and
// a page of something that runs is reloaded by its own header.
{
  const live = document.getElementById("live");
  const bar = document.getElementById("live-bar");
  if (live && bar) {
    const toggle = document.getElementById("live-toggle");
    const said = document.getElementById("live-said");
    const seconds = () => Number(live.firstElementChild?.dataset.live ?? 0);
    let timer;
    let paused = false;
    let failures = 0;
    let last;

    const say = (text) => { if (said.textContent !== text) said.textContent = text; };

    const next = () => {
      clearTimeout(timer);
      const every = seconds();
      toggle.hidden = !every;
      if (!every) say(live.firstElementChild?.dataset.said ?? "");
      if (every && !paused && !document.hidden) timer = setTimeout(ask, every * 1000 * Math.min(2 ** failures, 16));
    };

    // Keeps open what a person has opened, and the focus where it is.
    const key = (element) => element.closest("[data-id]")?.dataset.id ?? "";
    const put = (html) => {
      const open = new Map([...live.querySelectorAll("details")].map((each) => [key(each), each.open]));
      const at = live.contains(document.activeElement) ? document.activeElement : null;
      const address = at?.getAttribute("href");
      const tag = at?.localName;
      const mine = at ? key(at) : "";
      live.innerHTML = html;
      for (const each of live.querySelectorAll("details")) if (open.has(key(each))) each.open = open.get(key(each));
      if (!at) return;
      const same = [...live.querySelectorAll(tag)].find((each) => (address ? each.getAttribute("href") === address : key(each) === mine));
      same?.focus({ preventScroll: true });
    };

    async function ask() {
      const selected = getSelection();
      if (selected && !selected.isCollapsed && live.contains(selected.anchorNode)) return next();
      const address = new URL(location.href);
      address.searchParams.set("fragment", "1");
      try {
        const answer = await fetch(address, { redirect: "manual", signal: AbortSignal.timeout(6000) });
        if (answer.type === "opaqueredirect" || answer.status === 404) return location.reload();
        if (!answer.ok) throw new Error(String(answer.status));
        const html = await answer.text();
        if (paused) return;
        if (html !== last) put(html);
        last = html;
        failures = 0;
        document.title = live.firstElementChild?.dataset.title ?? document.title;
        say(live.firstElementChild?.dataset.said ?? "Live");
      } catch {
        if (paused) return;
        failures += 1;
        say("No response; trying again");
      }
      next();
    }

    toggle.addEventListener("click", () => {
      paused = !paused;
      toggle.textContent = paused ? "Resume" : "Pause";
      say(paused ? "Paused" : "Refreshing");
      if (paused) clearTimeout(timer); else ask();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) clearTimeout(timer);
      else if (!paused && seconds()) ask();
    });
    if (seconds()) {
      bar.hidden = false;
      say(live.firstElementChild.dataset.said ?? "Live");
      next();
    }
  }
}
