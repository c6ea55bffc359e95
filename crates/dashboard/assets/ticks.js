// Lists whose lines can be ticked: one box ticks all that are shown, and tells whether all, some or none are.

const box = () => document.querySelector("[data-tick-all] input");
const lines = (all) => [...all.form.elements].filter((line) => line.name === "id");

// To be told again when lines are shown anew.
export const tellTicks = () => {
  const all = box();
  if (!all) return;
  const ticked = lines(all).filter((line) => line.checked).length;
  all.checked = ticked > 0 && ticked === lines(all).length;
  all.indeterminate = ticked > 0 && !all.checked;
};

export const offerTicks = () => {
  const all = box();
  if (!all) return;
  all.closest("[data-tick-all]").hidden = false;
  all.addEventListener("change", () => lines(all).forEach((line) => { line.checked = all.checked; }));
  document.addEventListener("change", tellTicks);
};
