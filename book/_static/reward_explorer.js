// The reward explorer: what each answer earns under settings that the reader chooses, and which
// answer earns most for which belief about the gold label. It replaces the figure that the page
// shows without scripts. Rewards are those of lib/factmix/training/rewards.py, the map is that of
// `decision_regions` in lib/factmix/published/audit.py; the tests compare them.
"use strict";

(() => {
  const { make, makeSvg, labelled, calmed } = factmix;
  const LABELS = ["NA", "PASS", "FAIL"];
  const ANSWERS = [...LABELS, "INVALID"];
  const SHOWN = { INVALID: "no label" };
  const STEP = 0.05; // of the sliders of the reward

  // What one answer earns, by component. `reward` has the keys of the study's YAML.
  function components(reward, predicted, formatValid, gold) {
    const format = formatValid ? 0 : reward.format;
    if (predicted === "INVALID" && reward.invalid_as === "invalid") {
      const penalty = Math.abs(reward.wrong) * Math.max(...Object.values(reward.weights));
      return { correct: 0, false_na: 0, explore: 0, format: format - penalty };
    }
    const answer = predicted === "INVALID" ? "NA" : predicted;
    const weight = reward.weights[reward.weight_by === "predicted" ? answer : gold];
    return {
      correct: (answer === gold ? reward.correct : reward.wrong) * weight,
      false_na: answer === "NA" && gold !== "NA" ? reward.false_na * weight : 0,
      explore: answer === "NA" ? 0 : reward.explore,
      format: format,
    };
  }

  // The reward of an answer for each gold label; labels are in a valid format.
  function earned(reward, answer) {
    return LABELS.map((gold) => sum(components(reward, answer, answer !== "INVALID", gold)));
  }

  function sum(parts) {
    return Object.values(parts).reduce((a, b) => a + b, 0);
  }

  function expected(belief, rewards) {
    return belief.reduce((total, p, i) => total + p * rewards[i], 0);
  }

  // label -> corners [p(NA), p(PASS), p(FAIL)] of where it earns at least as much as the others.
  function regions(reward) {
    const table = LABELS.map((answer) => earned(reward, answer));
    return Object.fromEntries(
      LABELS.map((label, i) => {
        let corners = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
        table.forEach((other, j) => {
          if (j !== i) corners = wherePositive(corners, table[i].map((x, gold) => x - other[gold]));
        });
        return [label, corners.length > 2 ? corners : []];
      }),
    );
  }

  // The part of a convex polygon where an expected advantage is not negative (one clipping).
  function wherePositive(corners, advantage) {
    const values = corners.map((corner) => expected(corner, advantage));
    return corners.flatMap((corner, k) => {
      const last = (k + corners.length - 1) % corners.length;
      const kept = [];
      if (values[last] * values[k] < 0) {
        const share = values[last] / (values[last] - values[k]);
        kept.push(corners[last].map((x, i) => x + share * (corner[i] - x)));
      }
      if (values[k] >= 0) kept.push(corner);
      return kept;
    });
  }

  // Beliefs in the plane, and back. Certainty of NA is the top of the triangle.
  const CORNERS = [[200, 34], [20, 346], [380, 346]];

  function place(belief) {
    return [0, 1].map((axis) => expected(belief, CORNERS.map((corner) => corner[axis])));
  }

  function beliefAt(x, y) {
    const [top, left, right] = CORNERS;
    const na = (left[1] - y) / (left[1] - top[1]);
    const fail = (x - left[0]) / (right[0] - left[0]) - na / 2;
    const inside = [na, 1 - na - fail, fail].map((p) => Math.max(0, p));
    const total = inside.reduce((a, b) => a + b);
    return inside.map((p) => p / total);
  }

  // Twice the signed area, and the centre of it.
  function areaAndCentre(points) {
    let [area, x, y] = [0, 0, 0];
    points.forEach((a, k) => {
      const b = points[(k + 1) % points.length];
      const cross = a[0] * b[1] - b[0] * a[1];
      area += cross;
      x += (a[0] + b[0]) * cross;
      y += (a[1] + b[1]) * cross;
    });
    return { area: Math.abs(area), centre: [x / (3 * area), y / (3 * area)] };
  }

  function shares(reward) {
    const whole = areaAndCentre(CORNERS).area;
    const found = Object.entries(regions(reward)).map(([label, corners]) => [
      label,
      corners.length ? areaAndCentre(corners.map(place)).area / whole : 0,
    ]);
    return Object.fromEntries(found);
  }

  function number(value) {
    return String(Math.round(value * 1000) / 1000).replace("-", "\u2212");
  }

  function percent(share) {
    return `${number(Math.round(share * 1000) / 10)}\u00a0%`;
  }

  function explore(box) {
    const start = JSON.parse(box.querySelector("script").textContent);
    const reward = structuredClone(start.reward);
    let belief = [...start.belief];

    // The sliders. Each knows how to show the present value.
    const refreshers = [];

    function slider(text, get, set, { unit, ...range }) {
      const input = make("input", { type: "range", ...range, oninput: () => {
        set(Number(input.value));
        update();
      } });
      const output = make("output", { "aria-hidden": "true" });
      refreshers.push(() => {
        input.value = get();
        output.textContent = unit ? percent(get() / 100) : number(get());
        input.setAttribute("aria-valuetext", output.textContent);
      });
      const row = labelled(text, input);
      row.append(output);
      return row;
    }

    const keys = ["correct", "wrong", "false_na", "explore", "format"];
    const far = Math.max(...keys.map((key) => Math.abs(start.reward[key])));
    const heaviest = 2 * Math.max(...Object.values(start.reward.weights));
    const weightSliders = LABELS.map((label) => slider(
      `weight of ${label}`,
      () => reward.weights[label],
      (value) => { reward.weights[label] = value; },
      { min: 0, max: heaviest, step: STEP },
    ));
    const partSliders = keys.map((key) => slider(
      start.names[key],
      () => reward[key],
      (value) => { reward[key] = value; },
      { min: -far, max: far, step: STEP },
    ));
    const beliefSliders = LABELS.map((label, i) => slider(
      `p(${label})`,
      () => 100 * belief[i],
      (value) => { belief = withShare(belief, i, value / 100); },
      { min: 0, max: 100, step: 1, unit: "%" },
    ));

    function choice(title, key, options) {
      const radios = Object.entries(options).map(([value, text]) => {
        const radio = make("input", { type: "radio", name: key, value, onchange: () => {
          reward[key] = value;
          update();
        } });
        refreshers.push(() => { radio.checked = reward[key] === value; });
        return make("label", { class: "radio" }, radio, text);
      });
      return make("fieldset", {}, make("legend", {}, title), ...radios);
    }

    const polygons = makeSvg("g");
    const names = makeSvg("g");
    const marker = makeSvg("circle", { r: 9, class: "marker" });
    const corners = LABELS.map((label, i) => makeSvg("text", {
      x: CORNERS[i][0],
      y: CORNERS[i][1] + (i === 0 ? -12 : 26),
      "text-anchor": ["middle", "start", "end"][i],
      class: "corner",
    }, `p(${label}) = 1`));
    const hint = make("p", { id: "explorer-hint" },
      "Click into the triangle, or move the sliders below it, to say what you believe the gold ",
      "label to be.");
    const map = makeSvg("svg",
      { viewBox: "0 0 400 384", role: "img", "aria-describedby": hint.id },
      polygons, names, ...corners, marker);
    const pick = (event) => {
      const at = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(map.getScreenCTM().inverse());
      belief = beliefAt(at.x, at.y);
      update();
    };
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      pick(event);
    });
    map.addEventListener("pointermove", (event) => { if (event.buttons) pick(event); });

    const rows = make("tbody");
    const table = make("table", {},
      make("caption", {}, "What each answer earns by the gold label, and on average at this belief"),
      make("thead", {}, make("tr", {},
        ...["answer", ...LABELS.map((label) => `gold ${label}`), "expected"].map(
          (text) => make("th", { scope: "col" }, text)))),
      rows);
    const status = make("p", { role: "status" });
    const say = calmed(() => { status.textContent = words(reward, belief); }, 300);

    function update() {
      refreshers.forEach((refresh) => refresh());
      draw(polygons, names, reward, start.colours);
      const [x, y] = place(belief);
      marker.setAttribute("cx", x);
      marker.setAttribute("cy", y);
      map.setAttribute("aria-label", `Triangle of beliefs. ${shareWords(reward)}`);
      rows.replaceChildren(...tableRows(reward, belief));
      say();
    }

    const reset = make("button", { type: "button", onclick: () => {
      Object.assign(reward, structuredClone(start.reward));
      belief = [...start.belief];
      update();
    } }, "Back to the study's settings");

    box.replaceChildren(
      make("div", { class: "belief" },
        hint,
        map,
        make("fieldset", {}, make("legend", {}, "Belief about the gold label"), ...beliefSliders)),
      make("div", { class: "settings" },
        make("fieldset", {}, make("legend", {}, "Weights"), ...weightSliders),
        make("fieldset", {}, make("legend", {}, "Factors, bonus and penalty"), ...partSliders),
        choice("The weight is that of", "weight_by", {
          predicted: "the predicted label", gold: "the gold label",
        }),
        choice("An answer without a label", "invalid_as", {
          invalid: "has a penalty of its own", NA: "counts as NA",
        }),
        reset),
      make("div", { class: "earned" }, table, status),
    );
    update();
    status.textContent = words(reward, belief);
  }

  // The belief in which one label has a given share; the others keep their proportions.
  function withShare(belief, i, share) {
    const rest = 1 - belief[i];
    return belief.map((p, k) => {
      if (k === i) return share;
      return rest > 0 ? (p / rest) * (1 - share) : (1 - share) / (belief.length - 1);
    });
  }

  function draw(polygons, names, reward, colours) {
    polygons.replaceChildren();
    names.replaceChildren();
    for (const [label, corners] of Object.entries(regions(reward))) {
      if (!corners.length) continue;
      const points = corners.map(place);
      polygons.append(makeSvg("polygon", { points: points.join(" "), fill: colours[label] }));
      const { area, centre } = areaAndCentre(points);
      if (area > 4000) {
        names.append(makeSvg("text", { x: centre[0], y: centre[1], class: "region" }, label));
      }
    }
    polygons.append(makeSvg("polygon", { points: CORNERS.join(" "), class: "outline" }));
  }

  function tableRows(reward, belief) {
    const best = bestAnswers(reward, belief);
    return ANSWERS.map((answer) => {
      const rewards = earned(reward, answer);
      const cells = [...rewards, expected(belief, rewards)].map((x) => make("td", {}, number(x)));
      const isBest = best.includes(answer);
      const name = `${SHOWN[answer] ?? answer}${isBest ? " (best)" : ""}`;
      return make("tr", { class: isBest ? "best" : undefined },
        make("th", { scope: "row" }, name), ...cells);
    });
  }

  function bestAnswers(reward, belief) {
    const values = ANSWERS.map((answer) => expected(belief, earned(reward, answer)));
    return ANSWERS.filter((_, i) => values[i] > Math.max(...values) - 1e-9);
  }

  function words(reward, belief) {
    const best = bestAnswers(reward, belief);
    const value = number(expected(belief, earned(reward, best[0])));
    const held = LABELS.map((label, i) => `${label} ${percent(belief[i])}`).join(", ");
    return `At the belief ${held}, the answer that is expected to earn most is ` +
      `${best.map((answer) => SHOWN[answer] ?? answer).join(" or ")}, ${value}. ` +
      shareWords(reward);
  }

  function shareWords(reward) {
    const found = Object.entries(shares(reward)).map(
      ([label, share]) => `${label} for ${percent(share)}`);
    return `Of the labels, the best is ${found.join(", ")} of all beliefs.`;
  }

  factmix.reward = { components, regions };
  document.querySelectorAll(".reward-explorer").forEach(explore);
})();
