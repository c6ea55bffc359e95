// What somebody switched on or off in this browser, for all its pages: that they keep themselves fresh (`live`), and that
// single keys do something (`keys`). Both are on until they are switched off.

const listeners = new Map();
const PREFIX = "horarium-";

export const isOn = (name) => {
  try {
    return localStorage.getItem(PREFIX + name) !== "off";
  } catch {
    // Whoever lets pages store nothing has what everybody begins with.
    return true;
  }
};

const show = (button) => button.setAttribute("aria-checked", String(isOn(button.dataset.switch)));

const changed = (name) => {
  document.querySelectorAll(`[data-switch="${name}"]`).forEach(show);
  listeners.get(name)?.forEach((listener) => listener(isOn(name)));
};

const turn = (name) => {
  try {
    localStorage.setItem(PREFIX + name, isOn(name) ? "off" : "on");
  } catch {
    return;
  }
  changed(name);
};

// Calls `listener` whenever the switch is turned, also in another tab.
export const onTurn = (name, listener) => listeners.set(name, [...(listeners.get(name) ?? []), listener]);

// Makes a button with `data-switch` what it says.
export const offerSwitch = (button) => {
  button.hidden = false;
  button.addEventListener("click", () => turn(button.dataset.switch));
  show(button);
};

window.addEventListener("storage", (event) => {
  if (event.key?.startsWith(PREFIX)) changed(event.key.slice(PREFIX.length));
});
