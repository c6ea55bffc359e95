// Keys: `g` and a letter goes to a section, `/` to the search, `j` and `k` walk through a list, `?` tells them all. They
// do nothing while the switch `keys` is off: who speaks to the machine, or whose hand is not steady, hits them by chance.

import { isOn, offerSwitch } from "./switches.js";

const links = () => [...document.querySelectorAll("[data-go]")];
const rows = () => [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a"));
const rowInFocus = () => document.activeElement.closest("main tbody tr");

const walk = (step) => {
  const all = rows();
  if (all.length === 0) return;
  const here = all.indexOf(rowInFocus());
  const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
  next.querySelector("a").focus();
};

const click = (selector) => document.querySelector(selector)?.click();

// What a button or a link is called.
const nameOf = (button) => button.getAttribute("aria-label") ?? button.textContent.trim();

// Every page's own keys: what each does, and how the help calls that.
const ACTIONS = {
  "/": [() => document.querySelector("[data-search]")?.focus(), "Search"],
  j: [() => walk(1), "Next line of a list"],
  k: [() => walk(-1), "Previous line of a list"],
  x: [() => rowInFocus()?.querySelector("input[type='checkbox']")?.click(), "Tick the line"],
  "[": [() => click(".pager [rel='prev']"), "Previous page of a list"],
  "]": [() => click(".pager [rel='next']"), "Next page of a list"],
  n: [() => click("[data-new]"), "Make a new one, where there is something to make"],
  ".": [() => click("[data-switch='live']"), "Pause live, or go on"],
  "?": [() => help(), "This list"],
};

const switchOf = (name, text) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "switch";
  button.dataset.switch = name;
  button.setAttribute("role", "switch");
  button.textContent = text;
  offerSwitch(button);
  return button;
};

const help = () => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "keys-title");
  const title = document.createElement("h2");
  title.id = "keys-title";
  title.textContent = "Keyboard";
  const list = document.createElement("dl");
  list.className = "keys";
  const tell = (keys, text) => {
    const pair = document.createElement("div");
    const term = document.createElement("dt");
    keys.forEach((key) => {
      const shown = document.createElement("kbd");
      shown.textContent = key;
      term.append(shown, " ");
    });
    const meaning = document.createElement("dd");
    meaning.textContent = text;
    pair.append(term, meaning);
    list.append(pair);
  };
  // What this page can do first.
  document.querySelectorAll("main [data-key]").forEach((button) => tell([button.dataset.key], nameOf(button)));
  Object.entries(ACTIONS).forEach(([key, [, text]]) => tell([key], text));
  links().forEach((link) => tell(["g", link.dataset.go], link.textContent.trim()));
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "head";
  const close = document.createElement("button");
  close.textContent = "Close";
  close.autofocus = true;
  form.append(switchOf("keys", "Single keys"), close);
  dialog.append(title, list, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
};

let leader = 0;

const press = (event) => {
  // A key that is held down walks on through a list, and does nothing else again.
  if (event.repeat && !["j", "k"].includes(event.key)) return;
  const isTyping = event.target.closest("input:not([type='checkbox'], [type='radio']), select, textarea, [contenteditable]");
  // With AltGr, keyboards of many languages write characters such as `[`.
  const isCommand = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
  if (isTyping || isCommand || !isOn("keys") || document.querySelector("dialog[open]")) return;
  if (Date.now() - leader < 1500) {
    leader = 0;
    const link = links().find((candidate) => candidate.dataset.go === event.key);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  if (event.key === "g") {
    leader = Date.now();
    return;
  }
  const button = document.querySelector(`main [data-key="${CSS.escape(event.key)}"]`);
  const [action] = ACTIONS[event.key] ?? [button && (() => button.click())];
  if (action) {
    event.preventDefault();
    action();
  }
};

export const listenForKeys = () => {
  if (links().length === 0) return;
  document.addEventListener("keydown", press);
  document.querySelectorAll("[data-help]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", help);
  });
};
