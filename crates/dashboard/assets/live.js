// Regions that keep themselves fresh: `<div id="running" data-live="2">` is looked at again every two seconds. The page is
// fetched as it would be shown, and what changed of its regions is put in place; focus, what is ticked or unfolded and how
// far it is scrolled stay. While nobody looks at the page, nothing is fetched.
//
// With `data-live-on="executions"`, a region is also looked at when the server tells of a change of such a topic. In a list
// with `data-grow`, lines are changed in their places, those that have left it are taken out, and new ones wait until they
// are asked for. The names of its lines (`data-row`) are in the order of age, the newest first.
//
// All of it rests while the switch `live` is off.

import { isOn, offerSwitch, onTurn } from "./switches.js";

const SLOWEST = 60;
// Changes are looked at together.
const SOON = 2000;

let slowdown = 1;
let running = false;
let last = 0;
let enhance = () => {};
// Opens and closes the stream of events, as it is wanted.
let adapt = () => {};

const regions = () => [...document.querySelectorAll("[data-live][id]")];
const lines = (part) => [...part.querySelectorAll("[data-grow] > [data-row]")];
const shown = new Map();
const lineShown = new WeakMap();
const due = new Map();
const wantsAll = new Set();

// What a region says; that a second has passed is nothing new.
const told = (region) => region.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");

// How to find an element again in a region that was shown anew.
const place = (region, element) => {
  if (!element || !region.contains(element) || element === region) return null;
  if (element.id) return `#${CSS.escape(element.id)}`;
  const line = element.closest("[data-row]");
  const within = line && document.contains(line) ? `[data-row="${CSS.escape(line.dataset.row)}"] ` : "";
  const tag = within + element.localName;
  const href = element.getAttribute("href");
  if (href) return `${tag}[href="${CSS.escape(href)}"]`;
  if (element.name) return `${tag}[name="${CSS.escape(element.name)}"][value="${CSS.escape(element.value)}"]`;
  return `${tag}:nth-of-type(${[...element.parentElement.querySelectorAll(`:scope > ${element.localName}`)].indexOf(element) + 1})`;
};

// Puts what is shown anew in the place of what is there, which keeps what somebody did to it.
const replace = (part, put) => {
  const focused = place(part, document.activeElement);
  const opened = [...part.querySelectorAll("details")].map((details) => details.open);
  const scrolled = [...part.querySelectorAll(".scroll")].map((box) => box.scrollTop);
  const ticked = [...part.querySelectorAll("input:checked")].map((box) => place(part, box));
  const now = put();
  now.querySelectorAll("details").forEach((details, index) => { details.open = opened[index] ?? details.open; });
  now.querySelectorAll(".scroll").forEach((box, index) => { box.scrollTop = scrolled[index] ?? 0; });
  for (const box of ticked) {
    const again = now.querySelector(box);
    if (again) again.checked = true;
  }
  // What has the focus may be a button that is made now.
  enhance(now);
  if (focused) now.querySelector(focused)?.focus({ preventScroll: true });
};

// Takes a line out of a list; the focus goes to the one in its place.
const takeOut = (line) => {
  const next = line.nextElementSibling ?? line.previousElementSibling;
  if (line.contains(document.activeElement)) next?.querySelector("a")?.focus({ preventScroll: true });
  line.remove();
};

// Says how many new lines there are, and shows them when they are asked for.
const offer = (region, count) => {
  const id = `${region.id}-newer`;
  let note = document.getElementById(id);
  if (count === 0) {
    note?.replaceChildren();
    return;
  }
  if (!note) {
    note = document.createElement("div");
    note.id = id;
    note.className = "newer";
    note.setAttribute("role", "status");
    region.before(note);
  }
  const text = `${count} new – show`;
  if (note.textContent === text) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => {
    note.replaceChildren();
    wantsAll.add(region.id);
    due.set(region.id, 0);
    refresh();
  });
  note.replaceChildren(button);
};

// Brings the lines of a list up to date; answers whether it is such a list, and there is any line to keep.
const grow = (region, fresh) => {
  const [here, there] = [region, fresh].map((part) => part.querySelector("[data-grow]"));
  if (!here || !there || wantsAll.delete(region.id)) return false;
  const all = lines(fresh);
  const names = new Set(all.map((line) => line.dataset.row));
  // A line that is older than the last one of a full page may still be in the list.
  const end = fresh.ownerDocument.querySelector("[rel='next']") ? all.at(-1).dataset.row : "";
  const isKept = (line) => names.has(line.dataset.row) || line.dataset.row < end;
  const kept = lines(region).filter(isKept);
  if (kept.length === 0) return false;
  for (const line of lines(region)) if (!isKept(line)) takeOut(line);
  const known = new Map(kept.map((line) => [line.dataset.row, line]));
  const oldest = kept.at(-1).dataset.row;
  let newer = 0;
  for (const line of all) {
    const old = known.get(line.dataset.row);
    const says = told(line);
    if (!old && line.dataset.row > oldest) {
      newer += 1;
    } else if (!old) {
      lineShown.set(line, says);
      here.append(document.adoptNode(line));
      enhance(line);
    } else if (lineShown.get(old) !== says) {
      lineShown.set(line, says);
      replace(old, () => {
        const now = document.adoptNode(line);
        old.replaceWith(now);
        return now;
      });
    }
  }
  offer(region, newer);
  return true;
};

const swap = (region, fresh) => {
  const says = told(fresh);
  // Not under somebody's hands: a selection, or a form that is being filled in.
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  const active = document.activeElement;
  const fills = region.contains(active) && active.matches("input:not([type='checkbox']), select, textarea");
  if (selects || fills) return;
  if (fresh.dataset.live) region.dataset.live = fresh.dataset.live;
  else region.removeAttribute("data-live");
  const isAsked = wantsAll.has(region.id);
  if (shown.get(region.id) === says && !isAsked) return;
  shown.set(region.id, says);
  if (grow(region, fresh)) return;
  for (const line of lines(fresh)) lineShown.set(line, told(line));
  replace(region, () => {
    region.replaceChildren(...document.adoptNode(fresh).childNodes);
    return region;
  });
  // The button that asked is gone, and the focus with it.
  if (isAsked) region.querySelector("a")?.focus();
};

// Says that the page is not fresh any more, and why; with a link to this page, if there is something to be done there.
const tell = (text, link) => {
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
  if (link) {
    const way = document.createElement("a");
    way.href = window.location.href;
    way.textContent = link;
    note.append(" ", way);
  }
};

// The page as it is now, and with what status; 0 when there is no answer.
const look = async () => {
  try {
    const answer = await fetch(window.location.href, { headers: { "x-horarium-live": "1", accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return { status: answer.status, wait: Number(answer.headers.get("retry-after")) || SOON / 1000, page };
  } catch {
    return { status: 0 };
  }
};

// Why a page is refused, in its own words: its heading and the sentence below.
const refusal = (page) => {
  const [heading, sentence] = page.querySelectorAll("main h1, main h1 ~ p");
  return heading && sentence ? `${heading.textContent}. ${sentence.textContent}` : "This page is not shown any more.";
};

// Tells that the page stays as it is.
const end = (text, link) => {
  slowdown = Infinity;
  tell(text, link);
  adapt();
};

const refresh = async () => {
  const now = performance.now();
  const wanted = regions().filter((region) => (due.get(region.id) ?? 0) <= now);
  if (running || document.hidden || !isOn("live") || wanted.length === 0) return;
  running = true;
  last = now;
  const { status, wait, page } = await look();
  let pause = 0;
  try {
    if (status === 200 && page.body.dataset.tenant !== document.body.dataset.tenant) {
      // Another tenant was chosen elsewhere: nothing of this page is to stand beside that.
      window.location.reload();
    } else if (status === 200) {
      document.title = page.title;
      for (const region of wanted) {
        const fresh = page.getElementById(region.id);
        if (fresh) swap(region, fresh);
      }
      slowdown = 1;
      tell("");
      adapt();
    } else if (status === 401) {
      end("You are signed out.", "Sign in again");
    } else if (status === 429) {
      pause = wait;
      tell(`Too much is asked of the server, so what you see may be old. It is asked again in ${wait} s.`);
    } else if (status >= 400 && status < 500) {
      end(refusal(page), "Reload the page");
    } else {
      slowdown = Math.min(slowdown * 2, SLOWEST);
      tell("The server does not answer; what you see may be old. It is asked again by itself.");
    }
  } finally {
    running = false;
    for (const region of wanted) {
      const seconds = Math.max(Number(region.dataset.live) * slowdown, pause);
      due.set(region.id, performance.now() + seconds * 1000);
    }
  }
};

// Follows what the server tells of changes, while somebody looks. Without it, pages are as fresh as their regions ask for.
const follow = (address) => {
  let stream = null;
  const hurry = (isConcerned) => {
    const soon = Math.max(performance.now(), last + SOON);
    for (const region of regions().filter(isConcerned)) {
      due.set(region.id, Math.min(due.get(region.id) ?? soon, soon));
    }
  };
  const open = () => {
    const opened = new EventSource(address);
    stream = opened;
    opened.addEventListener("changed", (event) => {
      const topics = event.data.split(" ");
      hurry((region) => (region.dataset.liveOn ?? "").split(" ").some((topic) => topics.includes(topic)));
    });
    opened.addEventListener("reset", () => hurry((region) => region.dataset.liveOn));
    // A stream that is refused does not come back by itself: the next page that is answered opens another.
    opened.addEventListener("error", () => {
      if (opened.readyState === EventSource.CLOSED && stream === opened) stream = null;
    });
  };
  adapt = () => {
    if (document.hidden || !isOn("live") || slowdown === Infinity) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      open();
    }
  };
  document.addEventListener("visibilitychange", adapt);
  onTurn("live", adapt);
  adapt();
};

export const keepFresh = (again) => {
  enhance = again;
  if (regions().length === 0) return;
  for (const region of regions()) {
    shown.set(region.id, told(region));
    for (const line of lines(region)) lineShown.set(line, told(line));
    due.set(region.id, performance.now() + Number(region.dataset.live) * 1000);
  }
  setInterval(refresh, 500);
  // Whoever comes back wants to see how it stands now.
  const catchUp = () => {
    if (!document.hidden) for (const region of regions()) due.set(region.id, 0);
  };
  document.addEventListener("visibilitychange", catchUp);
  onTurn("live", catchUp);
  document.querySelectorAll("[data-switch='live']").forEach(offerSwitch);
  const { events } = document.body.dataset;
  if (events && regions().some((region) => region.dataset.liveOn)) follow(events);
};
