// Chooses light or dark before the page is shown. The theme's own script does so only after all of the
// page was read; until then a page would have no colours, and both images of each figure.
"use strict";

(() => {
  const chosen = document.documentElement.dataset;
  if (chosen.mode !== "auto") return; // the reader chose, and the theme remembers
  chosen.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
})();
