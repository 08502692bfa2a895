// What is wider than the page scrolls by itself: figures on a phone, tables, code and what it shows.
// It can then be reached by the keyboard, and fades on the side where there is more.
"use strict";

(() => {
  const look = (area) => {
    const hidden = area.scrollWidth - area.clientWidth;
    area.tabIndex = hidden > 0 ? 0 : -1;
    area.toggleAttribute("data-more", hidden - area.scrollLeft > 1);
  };
  const sizes = new ResizeObserver((changes) => changes.forEach(({ target }) => look(target)));
  const wide = [
    ".light-and-dark", ".cell_output:has(> img)", ".pst-scrollable-table-container",
    ".highlight pre", ".text_html",
  ];
  document.querySelectorAll(wide.join()).forEach((area) => {
    sizes.observe(area);
    area.addEventListener("scroll", () => look(area), { passive: true });
  });
})();
