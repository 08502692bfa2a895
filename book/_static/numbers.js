// Escape hides the note of a number until it is pointed at or focused anew. All else is CSS.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const number of document.querySelectorAll(".num:is(:hover, :focus-within)")) {
    if (number.contains(document.activeElement)) number.querySelector(".num-value").focus();
    number.classList.add("num-closed");
    for (const left of ["mouseleave", "focusout"]) {
      number.addEventListener(left, () => number.classList.remove("num-closed"), { once: true });
    }
  }
});
