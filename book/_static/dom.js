// What the scripts of the interactive pages share: making elements.
"use strict";

(() => {
  // An element: make("p", {class: "note", onclick: act}, "text", otherElement). Text stays text.
  function make(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  // The same for the parts of a drawing.
  function makeSvg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // A control with its visible label before it.
  let fields = 0;

  function labelled(text, control) {
    fields += 1;
    control.id = `field-${fields}`;
    return make("div", { class: "field" }, make("label", { for: control.id }, text), control);
  }

  // What `act` does, but only when it was not called again for a while; for what follows typing.
  function calmed(act, milliseconds) {
    let timer;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(act, milliseconds);
    };
  }

  window.factmix = { make, makeSvg, labelled, calmed };
})();
