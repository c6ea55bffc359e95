// Forms with `data-form`: fields that matter only where another says something (`data-when="kind=a|b other=c"`) are
// shown only then, what a schedule will do is shown while it is typed, and nobody leaves with changes by accident.

const WAIT = 300;

const matters = (typed, when) => when.split(" ").every((part) => {
  const [name, values] = part.split("=");
  return values.split("|").some((value) => typed.getAll(name).includes(value));
});

const showWhatMatters = (form) => {
  const typed = new FormData(form);
  form.querySelectorAll("[data-when]").forEach((element) => { element.hidden = !matters(typed, element.dataset.when); });
};

// Asks the server what the schedule will do, and shows its answer.
const preview = (form, enhance) => {
  let asked = 0;
  return async () => {
    const mine = ++asked;
    try {
      const answer = await fetch(form.dataset.preview, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { accept: "text/html" },
      });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [shown, fresh] = [document.getElementById("preview"), page.getElementById("preview")];
      // What was typed meanwhile is being asked for already.
      if (mine !== asked || !fresh) return;
      shown.replaceChildren(...document.adoptNode(fresh).childNodes);
      enhance(shown);
      const { scheduleExpression: written, "scheduleExpression.was": was } = form.elements;
      const answered = page.getElementById("f-scheduleExpression");
      if (answered && document.activeElement !== written) {
        written.value = answered.value;
        was.value = answered.value;
      }
    } catch {
      // Without an answer, the last one stays; saving says what is wrong.
    }
  };
};

// Proposes the viewer's own zone.
const proposeZone = (form) => {
  const field = form.elements.timezone;
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!field || field.value !== "UTC" || zone === "UTC") return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  button.textContent = `Use ${zone}`;
  button.addEventListener("click", () => {
    field.value = zone;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    button.remove();
    field.focus();
  });
  field.after(button);
};

const help = (form, enhance) => {
  let isChanged = false;
  let timer = 0;
  const ask = preview(form, enhance);
  form.addEventListener("input", (event) => {
    isChanged = true;
    // Whoever writes an expression means it; whoever chooses means that.
    const { preset, scheduleExpression: written, "scheduleExpression.was": was } = form.elements;
    if (event.target === written) preset.value = "custom";
    else if (event.target.closest("[data-when~='scheduleType=Cron']") && preset.value !== "custom") was.value = written.value;
    showWhatMatters(form);
    if (!event.target.closest("[data-schedule]")) return;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  });
  form.addEventListener("submit", () => { isChanged = false; });
  window.addEventListener("beforeunload", (event) => { if (isChanged) event.preventDefault(); });
  proposeZone(form);
  showWhatMatters(form);
};

export const helpWithForms = (enhance) => document.querySelectorAll("form[data-form]").forEach((form) => help(form, enhance));
