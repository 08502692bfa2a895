// The browser of examples: filters, searches and pages through window.factmixExamples, which
// examples_data.js holds (its columns: lib/factmix/report/interactive.py). What is chosen stands
// behind the # of the address, so that a selection can be shared.
"use strict";

(() => {
  const { make, labelled, calmed } = factmix;
  const ANSWERS = ["NA", "PASS", "FAIL", "INVALID"]; // by their digit in the data
  const PER_PAGE = 10;
  const NOTHING = { dataset: "", gold: "", arm: "", answer: "", show: "", q: "", page: "1" };
  const SHOW = {
    "": "every example",
    all_right: "all trained arms are right",
    all_wrong: "all trained arms are wrong",
    differ: "trained arms give different answers",
    right: "the arm is right",
    wrong: "the arm is wrong",
    fixed: "fixed: baseline wrong, the arm right",
    broken: "broken: baseline right, the arm wrong",
  };

  // One object per example, from the columns.
  function unpack(data) {
    return data.ids.map((id, i) => ({
      id,
      dataset: data.datasets[data.dataset[i]],
      gold: ANSWERS[data.gold[i]],
      claim: data.claims[i],
      evidence: data.evidence[i],
      searched: [id, data.claims[i], ...data.evidence[i]].join("\n").toLowerCase(),
      answers: Object.fromEntries(
        Object.entries(data.arms).map(([arm, of]) => [arm, ANSWERS[of.answers[i]]])),
      // Two digits to the base 36 for each of p(NA), p(PASS), p(FAIL), in thousandths.
      chances: (arm) => [0, 2, 4].map((at) => {
        const digits = data.arms[arm].chances.slice(6 * i + at, 6 * i + at + 2);
        return parseInt(digits, 36) / 1000;
      }),
    }));
  }

  // Whether an example is in the selection. Where no arm is chosen, one trained arm that meets
  // all that is asked of an arm is enough.
  function selects(state, arms) {
    const trained = Object.keys(arms).filter((arm) => arm !== "base");
    const chosen = state.arm ? [state.arm] : trained;
    const words = state.q.toLowerCase();
    const any = () => true;
    const right = (example, arm) => example.answers[arm] === example.gold;
    const ofAll = {
      all_right: (example) => trained.every((arm) => right(example, arm)),
      all_wrong: (example) => !trained.some((arm) => right(example, arm)),
      differ: (example) => new Set(trained.map((arm) => example.answers[arm])).size > 1,
    }[state.show] ?? any;
    const ofOne = {
      right,
      wrong: (example, arm) => !right(example, arm),
      fixed: (example, arm) => arms[arm].baseline &&
        right(example, arm) && !right(example, arms[arm].baseline),
      broken: (example, arm) => arms[arm].baseline &&
        !right(example, arm) && right(example, arms[arm].baseline),
    }[state.show] ?? any;
    const answered = (example, arm) => !state.answer || example.answers[arm] === state.answer;
    return (example) =>
      (!state.dataset || example.dataset === state.dataset) &&
      (!state.gold || example.gold === state.gold) &&
      ofAll(example) &&
      chosen.some((arm) => answered(example, arm) && ofOne(example, arm)) &&
      example.searched.includes(words);
  }

  function browse(box) {
    const data = window.factmixExamples;
    const { colours, names } = JSON.parse(box.querySelector("script").textContent);
    const examples = unpack(data);
    const arms = data.arms;
    let state = { ...NOTHING };
    let found = examples;

    const read = () => {
      for (const [key, control] of Object.entries(controls)) state[key] = control.value.trim();
    };
    const changed = () => {
      read();
      state.page = "1";
      select();
      save();
    };
    const menu = (options) => make("select", { onchange: changed },
      ...Object.entries(options).map(([value, text]) => make("option", { value }, text)));
    const same = (values) => Object.fromEntries(values.map((value) => [value, value]));
    const controls = {
      dataset: menu({ "": "all", ...same(data.datasets) }),
      gold: menu({ "": "all", ...same(ANSWERS.slice(0, 3)) }),
      arm: menu({ "": "any trained arm", ...names }),
      answer: menu({ "": "any", ...same(ANSWERS.slice(0, 3)), INVALID: "no label" }),
      show: menu(SHOW),
      q: make("input", { type: "search", oninput: calmed(changed, 200) }),
    };

    const status = make("p", { class: "status", role: "status" });
    const rates = make("p", { class: "about" });
    const list = make("ol", { class: "examples", tabindex: "-1" });
    const pagers = ["Pages, above the examples", "Pages, below the examples"].map(pager);

    function pager(title, k) {
      const turn = (by) => () => {
        const to = Number(state.page) + by;
        if (to < 1 || to > pages()) return;
        state.page = String(to);
        show();
        save();
        if (k === 0) return;
        status.scrollIntoView();
        list.focus({ preventScroll: true });
      };
      const back = make("button", { type: "button", onclick: turn(-1) }, "Previous");
      const where = make("span");
      const on = make("button", { type: "button", onclick: turn(1) }, "Next");
      const refresh = () => {
        back.setAttribute("aria-disabled", state.page === "1");
        on.setAttribute("aria-disabled", Number(state.page) === pages());
        where.textContent = `page ${state.page} of ${pages()}`;
      };
      return { nav: make("nav", { "aria-label": title }, back, where, on), refresh };
    }

    function pages() {
      return Math.max(1, Math.ceil(found.length / PER_PAGE));
    }

    function select() {
      found = examples.filter(selects(state, arms));
      const of = `${examples.length.toLocaleString("en")} examples`;
      status.textContent = `${found.length.toLocaleString("en")} of ${of}`;
      const shares = Object.entries(names).map(([arm, name]) => {
        const right = found.filter((example) => example.answers[arm] === example.gold).length;
        return `${name} ${(100 * right / found.length).toFixed(1)}\u00a0%`;
      });
      rates.textContent = found.length ? `Right in this selection: ${shares.join(", ")}.` : "";
      show();
    }

    function show() {
      state.page = String(Math.min(Math.max(1, parseInt(state.page, 10) || 1), pages()));
      const first = (Number(state.page) - 1) * PER_PAGE;
      const focused = list.contains(document.activeElement);
      list.replaceChildren(
        ...found.slice(first, first + PER_PAGE).map((each) => card(each, names, colours)));
      if (focused) list.focus(); // a link that was followed is gone
      pagers.forEach((each) => each.refresh());
    }

    // The chosen values only, so that the address stays short.
    function save() {
      const chosen = Object.entries(state).filter(([key, value]) => value !== NOTHING[key]);
      const hash = new URLSearchParams(chosen).toString();
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    }

    function load() {
      const hash = location.hash.slice(1);
      if (hash && !hash.includes("=")) return; // a heading of the page
      const chosen = Object.fromEntries(new URLSearchParams(hash));
      state = { ...NOTHING, page: chosen.page ?? "1" };
      for (const [key, control] of Object.entries(controls)) {
        control.value = chosen[key] ?? "";
        if (control.selectedIndex === -1) control.value = ""; // no such value
      }
      read();
      select();
    }

    const reset = make("button", { type: "reset" }, "Clear all");
    const form = make("form", { "aria-label": "Which examples", onreset: () => setTimeout(changed) },
      labelled("Dataset", controls.dataset),
      labelled("Gold label", controls.gold),
      labelled("Arm", controls.arm),
      labelled("Answer of the arm", controls.answer),
      wide(labelled("Show", controls.show)),
      wide(labelled("Search claim, evidence and id", controls.q)),
      reset);
    form.addEventListener("submit", (event) => event.preventDefault());
    box.replaceChildren(form, status, rates, pagers[0].nav, list, pagers[1].nav);
    window.addEventListener("hashchange", load);
    select();
    load();
  }

  function wide(field) {
    field.classList.add("wide");
    return field;
  }

  // A name that may go on in the next line after an underscore.
  function breakable(name) {
    return name.split(/(?<=_)/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));
  }

  function card(example, names, colours) {
    const link = new URLSearchParams({ dataset: example.dataset, q: example.id });
    const rows = Object.entries(names).map(([arm, name]) => {
      const answer = example.answers[arm];
      const right = answer === example.gold;
      const shown = answer === "INVALID" ? "no label" : answer;
      return make("tr", {},
        make("th", { scope: "row" }, ...breakable(name)),
        make("td", { class: right ? "right" : "wrong" }, right ? `${shown}\u00a0\u2713` : shown),
        ...example.chances(arm).map((p, i) => make("td", {
          class: "chance",
          style: `--share: ${100 * p}%; --colour: ${colours[ANSWERS[i]]}`,
        }, p.toFixed(3))));
    });
    const head = ["arm", "answer", "p(NA)", "p(PASS)", "p(FAIL)"];
    return make("li", {},
      make("p", { class: "claim" }, example.claim),
      make("ul", {}, ...example.evidence.map((sentence) => make("li", {}, sentence))),
      make("p", { class: "about" }, `${example.dataset}, gold label `,
        make("strong", {}, example.gold), ", ", make("a", { href: `#${link}` }, example.id)),
      make("table", {},
        make("thead", {}, make("tr", {},
          ...head.map((text) => make("th", {
            scope: "col",
            class: text.startsWith("p(") ? "chance" : undefined,
          }, text)))),
        make("tbody", {}, ...rows)));
  }

  document.querySelectorAll(".example-browser").forEach(browse);
})();
