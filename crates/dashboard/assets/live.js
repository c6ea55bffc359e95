// Regions that keep themselves fresh: `<div id="running" data-live="2">` is looked at again every two seconds. The page is
// fetched as it would be shown, and what changed of its regions is put in place; focus, what is unfolded and how far it is
// scrolled stay. While nobody looks at the page, nothing is fetched.

const SLOWEST = 60;

let slowdown = 1;
let running = false;
let enhance = () => {};

const regions = () => [...document.querySelectorAll("[data-live][id]")];
const shown = new Map();
const due = new Map();

// What a region says; that a second has passed is nothing new.
const told = (region) => region.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");

// How to find an element again in a region that was shown anew.
const place = (region, element) => {
  if (!element || !region.contains(element) || element === region) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const tag = element.localName;
  const href = element.getAttribute("href");
  if (href) return `${tag}[href="${CSS.escape(href)}"]`;
  return `${tag}:nth-of-type(${[...element.parentElement.querySelectorAll(`:scope > ${tag}`)].indexOf(element) + 1})`;
};

const swap = (region, fresh) => {
  const says = told(fresh);
  if (shown.get(region.id) === says) return;
  // Not under somebody's hands: a selection, or a form that is being filled in.
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  const fills = region.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  if (selects || fills) return;
  shown.set(region.id, says);
  const focused = place(region, document.activeElement);
  const opened = [...region.querySelectorAll("details")].map((details) => details.open);
  const scrolled = [...region.querySelectorAll(".scroll")].map((box) => box.scrollTop);
  region.replaceChildren(...document.adoptNode(fresh).childNodes);
  region.querySelectorAll("details").forEach((details, index) => { details.open = opened[index] ?? details.open; });
  region.querySelectorAll(".scroll").forEach((box, index) => { box.scrollTop = scrolled[index] ?? 0; });
  if (focused) region.querySelector(focused)?.focus({ preventScroll: true });
  enhance(region);
};

// Says that the page is not fresh any more, and why.
const tell = (text, isEnd) => {
  let note = document.getElementById("stale");
  if (!text) {
    note?.remove();
    return;
  }
  if (!note) {
    note = document.createElement("p");
    note.id = "stale";
    note.className = "flash warn stale";
    note.setAttribute("role", "status");
    document.getElementById("content").append(note);
  }
  note.textContent = text;
  if (isEnd) {
    const link = document.createElement("a");
    link.href = window.location.href;
    link.textContent = "Sign in again";
    note.append(" ", link);
  }
};

const refresh = async () => {
  const now = performance.now();
  const wanted = regions().filter((region) => (due.get(region.id) ?? 0) <= now);
  if (running || document.hidden || wanted.length === 0) return;
  running = true;
  try {
    const answer = await fetch(window.location.href, { headers: { "x-horarium-live": "1", accept: "text/html" } });
    if (answer.status === 401) {
      tell("You are signed out.", true);
      slowdown = Infinity;
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of wanted) {
      const fresh = page.getElementById(region.id);
      if (fresh) swap(region, fresh);
    }
    slowdown = 1;
    tell("");
  } catch {
    slowdown = Math.min(slowdown * 2, SLOWEST);
    tell("The server does not answer; what you see may be old. It is asked again by itself.");
  } finally {
    running = false;
    for (const region of wanted) {
      due.set(region.id, performance.now() + Number(region.dataset.live) * 1000 * slowdown);
    }
  }
};

export const keepFresh = (again) => {
  enhance = again;
  if (regions().length === 0) return;
  for (const region of regions()) {
    shown.set(region.id, told(region));
    due.set(region.id, performance.now() + Number(region.dataset.live) * 1000);
  }
  setInterval(refresh, 500);
  document.addEventListener("visibilitychange", () => {
    // Whoever comes back wants to see how it stands now.
    if (!document.hidden) for (const region of regions()) due.set(region.id, 0);
  });
};
