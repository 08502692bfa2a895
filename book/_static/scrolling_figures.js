// A figure that is wider than a phone scrolls by itself; then it can be reached by the keyboard.
"use strict";

(() => {
  const sizes = new ResizeObserver((changes) => {
    for (const { target } of changes) {
      target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
    }
  });
  document.querySelectorAll(".light-and-dark").forEach((figure) => sizes.observe(figure));
})();
