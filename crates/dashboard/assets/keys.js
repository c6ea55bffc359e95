// Keys: `g` and a letter goes to a section, `/` to the search, `j` and `k` walk through a list, `?` tells them all.

const links = () => [...document.querySelectorAll("[data-go]")];
const rows = () => [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector("a"));

const walk = (step) => {
  const all = rows();
  if (all.length === 0) return;
  const here = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[Math.min(Math.max(here + step, 0), all.length - 1)];
  next.querySelector("a").focus();
};

const help = () => {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "keys-title");
  const title = document.createElement("h2");
  title.id = "keys-title";
  title.textContent = "Keyboard";
  const list = document.createElement("dl");
  list.className = "facts";
  const tell = (keys, text) => {
    const term = document.createElement("dt");
    keys.forEach((key) => {
      const shown = document.createElement("kbd");
      shown.textContent = key;
      term.append(shown, " ");
    });
    const meaning = document.createElement("dd");
    meaning.textContent = text;
    list.append(term, meaning);
  };
  links().forEach((link) => tell(["g", link.dataset.go], link.textContent.trim()));
  tell(["/"], "Search");
  tell(["j"], "Next line of a list");
  tell(["k"], "Previous line of a list");
  tell(["n"], "Make a new one, where there is something to make");
  // What else the page can do, by keys of its own.
  document.querySelectorAll("main [data-key]").forEach((button) => tell([button.dataset.key], button.textContent.trim()));
  tell(["?"], "This list");
  const form = document.createElement("form");
  form.method = "dialog";
  const close = document.createElement("button");
  close.textContent = "Close";
  form.append(close);
  dialog.append(title, list, form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
};

let leader = 0;

const press = (event) => {
  // A key that is held down walks on through a list, and does nothing else again.
  if (event.repeat && !["j", "k"].includes(event.key)) return;
  const isTyping = event.target.closest("input, select, textarea, [contenteditable]");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (Date.now() - leader < 1500) {
    leader = 0;
    const link = links().find((candidate) => candidate.dataset.go === event.key);
    if (link) {
      event.preventDefault();
      link.click();
    }
    return;
  }
  const actions = {
    g: () => { leader = Date.now(); },
    j: () => walk(1),
    k: () => walk(-1),
    n: () => document.querySelector("[data-new]")?.click(),
    "/": () => document.querySelector("[data-search]")?.focus(),
    "?": help,
  };
  const button = document.querySelector(`main [data-key="${CSS.escape(event.key)}"]`);
  const action = actions[event.key] ?? (button && (() => button.click()));
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
