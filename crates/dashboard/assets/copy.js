// A button that copies, beside each element with `data-copy`: what the attribute says, or the element's text. With
// `data-copy-key`, a key does the same.

const offer = (element) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  const named = element.dataset.copyName;
  if (named) button.setAttribute("aria-label", `Copy ${named}`);
  const key = element.dataset.copyKey;
  if (key) {
    button.dataset.key = key;
    button.setAttribute("aria-keyshortcuts", key);
  }
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(element.dataset.copy || element.textContent.trim());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  element.after(" ", button);
};

export const offerCopies = (part) => {
  // Browsers let pages write to the clipboard only where the connection is safe.
  if (navigator.clipboard) part.querySelectorAll("[data-copy]").forEach(offer);
};
