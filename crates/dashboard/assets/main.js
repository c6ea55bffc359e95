// What the pages can do beyond links and forms. Nothing here is needed to read or to change anything.
import { showTimes } from "./times.js";
import { offerCopies } from "./copy.js";
import { keepFresh } from "./live.js";
import { listenForKeys } from "./keys.js";
import { helpWithForms } from "./forms.js";
import { offerTicks, tellTicks } from "./ticks.js";

// Each is given a part of a page: all of it now, and later whatever is shown anew.
const enhance = (part) => {
  showTimes(part);
  offerCopies(part);
  tellTicks();
};

keepFresh(enhance);
enhance(document);
listenForKeys();
offerTicks();
helpWithForms(enhance);
// On a phone, the sections are wider than the window.
document.querySelector(".sections [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
