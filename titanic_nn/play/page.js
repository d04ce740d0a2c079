// The page: the form, the chances, the reasons, and what ties them together.

const COLOURS = {
  linear: "#0072b2", relu: "#d55e00", deep: "#009e73", resnet: "#c9b900", ensemble: "#cc79a7",
};
const REASONS = 9; // that are shown; the others are added up
const PAUSE = 120; // milliseconds without a change, after which reasons are computed
const LARGEST_NUMBER = 1e15; // that can be typed
const MANY = 24; // controls; further ones are behind "more"

const data = JSON.parse($("data").textContent);
const model = new Model(data);

// What other programs and tests ask: rows and values are objects by name.
const asMap = (row) => new Map(Object.entries(row));
const asLists = ({ shape: [rows, columns], data: values }) =>
  Array.from({ length: rows }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
window.titanic_nn = {
  // Rows of raw features -> {model: probabilities (rows, classes)}.
  probabilities: (rows) =>
    Object.fromEntries(
      Object.entries(model.probabilities(rows.map(asMap))).map(([n, found]) => [n, asLists(found.probabilities)]),
    ),
  // What the form's controls hold -> raw features.
  features: (values) => Object.fromEntries(model.featuresOf(asMap(values))),
  // A row of raw features, and a model -> {base, contributions, logOdds}.
  explain: (row, name) => model.explain(asMap(row), name),
};

class Form {
  constructor(controls, onChange) {
    this.controls = controls;
    this.onChange = onChange;
    this.parts = new Map();
    const nodes = controls.map((control) => this.#control(control));
    $("controls").append(...nodes.slice(0, MANY));
    if (nodes.length > MANY) {
      $("controls").append(
        element("details", {}, element("summary", {}, `${nodes.length - MANY} more`), nodes.slice(MANY)),
      );
    }
    $("form").addEventListener("submit", (event) => event.preventDefault());
    $("form").addEventListener("reset", (event) => {
      event.preventDefault();
      this.start();
    });
    this.start();
  }

  start() {
    this.values = new Map();
    for (const control of this.controls) this.#set(control, control.start);
    this.onChange(this.values);
  }

  #set(control, value) {
    this.values.set(control.name, value);
    this.parts.get(control.name).show(value);
  }

  #change(control, value) {
    this.#set(control, value);
    const others = control.sets[value] ?? {};
    for (const other of this.controls) {
      if (Object.hasOwn(others, other.name)) this.#set(other, others[other.name]);
    }
    this.onChange(this.values);
  }

  #control(control) {
    const id = `control-${this.parts.size}`, { label, kind } = control;
    const change = (value) => this.#change(control, value);
    const few = kind === "choice" && control.choices.length <= 3 && !control.may_be_unknown;
    const make = kind === "number" ? slider : kind === "flag" ? box : few ? segments : select;
    const { node, show, unknown } = make(control, id, change);
    this.parts.set(control.name, { show });
    const note = control.note ? element("div", { class: "note", id: `${id}-note` }, control.note) : null;
    if (few) return fill(node, { class: "control" }, [note]);
    const name = element("div", { class: "name" }, element("label", { for: id }, label), unknown);
    return element("div", { class: kind === "flag" ? "control flag" : "control" }, name, node, note);
  }
}

function box(control, id, change) {
  const input = element("input", { type: "checkbox", id });
  input.addEventListener("change", () => change(input.checked));
  return { node: input, show: (value) => (input.checked = Boolean(value)) };
}

function segments(control, id, change) {
  const inputs = control.choices.map(([value]) => {
    const input = element("input", { type: "radio", name: id, value });
    input.addEventListener("change", () => change(value));
    return input;
  });
  const labels = control.choices.map(([, label], i) => element("label", {}, inputs[i], label));
  const node = element(
    "fieldset", {},
    element("legend", { class: "name" }, control.label),
    element("div", { class: "segments" }, labels),
  );
  return { node, show: (value) => control.choices.forEach(([own], i) => (inputs[i].checked = own === value)) };
}

function select(control, id, change) {
  const options = control.choices.map(([, label]) => element("option", {}, label));
  if (control.may_be_unknown) options.unshift(element("option", {}, "unknown"));
  const node = element("select", { id }, options), first = control.may_be_unknown ? 1 : 0;
  node.addEventListener("change", () => change(control.choices[node.selectedIndex - first]?.[0] ?? null));
  return {
    node,
    show: (value) => (node.selectedIndex = first + control.choices.findIndex(([own]) => own === value)),
  };
}

function slider(control, id, change) {
  const { low, high, step, logarithmic, label } = control;
  const { to, from } = logarithmic ? SCALES.ratios : SCALES.numbers;
  const range = element("input", {
    type: "range", id, min: to(low), max: to(high), step: logarithmic ? (to(high) - to(low)) / 200 : step,
  });
  const digits = Math.max(0, -Math.floor(Math.log10(step)));
  const least = low < 0 ? -LARGEST_NUMBER : low; // a count, or a logarithm's
  const field = element("input", {
    type: "number", step: "any", inputmode: "decimal", "aria-label": `${shown(label)}, as a number`,
    placeholder: "unknown",
  });
  const rounded = (value) => Number((Math.round(value / step) * step).toFixed(digits));
  range.addEventListener("input", () => change(rounded(from(Number(range.value)))));
  // While it is typed in, the field keeps its text; a text that is no number leaves the value.
  const read = () => {
    const value = field.value === "" ? null : Number(field.value);
    const possible = value === null ? control.may_be_unknown : value >= least && value <= LARGEST_NUMBER;
    if (possible && value !== current) change(value);
  };
  field.addEventListener("input", () => {
    typing = true;
    read();
    typing = false;
  });
  field.addEventListener("change", () => {
    read();
    show(current);
  });
  let typing = false, current = control.start;
  let last = control.start ?? rounded((low + high) / 2), unknown = null, box = null;
  if (control.may_be_unknown) {
    box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => change(box.checked ? null : last));
    unknown = element("label", { class: "unknown" }, box, " unknown");
  }
  const show = (value) => {
    current = value;
    if (value !== null) last = value;
    range.value = to(Math.min(high, Math.max(low, last)));
    range.setAttribute("aria-valuetext", value === null ? "unknown" : number(value));
    range.classList.toggle("is-unknown", value === null);
    if (!typing) field.value = value === null ? "" : value;
    if (box) box.checked = value === null;
  };
  return { node: element("div", { class: "number" }, range, field), show, unknown };
}

class Chances {
  constructor() {
    const { classes } = data;
    this.two = classes.length === 2;
    this.classes = this.two ? [1] : classes.map((_, k) => k);
    $("chances-note").textContent = this.two
      ? `Of “${shown(classes[1])}”, by each model. A dot is one of its nets: the same net, trained from another random start.`
      : "Of each class, by each model. A dot is one of its nets: the same net, trained from another random start.";
    this.rows = new Map();
    for (const name of model.names) this.#add(name, name, COLOURS[name] ?? "var(--other)");
    this.#add(null, "in the table", "var(--other)");
  }

  #add(name, label, colour) {
    const recommended = name === data.recommended ? "recommended" : null;
    const kind = name === null ? "table-row" : recommended;
    if (!this.two) {
      $("chances").append(element("tr", { class: kind }, element("th", { scope: "rowgroup", colspan: 3 }, label)));
    }
    const cells = this.classes.map((k) => {
      const bar = element("div", { class: "fill" }), text = element("td");
      const track = element("div", { class: "track", "--colour": colour }, bar, element("div", { class: "mid" }));
      const head = this.two
        ? element("th", { scope: "row" }, label)
        : element("th", { scope: "row", class: "class" }, data.classes[k]);
      $("chances").append(
        element("tr", { class: this.two ? kind : null }, head, element("td", { "aria-hidden": "true" }, track), text),
      );
      return { bar, text, track, seeds: [] };
    });
    this.rows.set(name, cells);
  }

  show(found, alike) {
    const announced = [];
    $("bar").replaceChildren();
    for (const name of model.names) {
      const { probabilities, by_net: seeds } = found[name], classes = data.classes.length;
      this.rows.get(name).forEach((cell, i) => {
        const k = this.classes[i], p = probabilities.data[k];
        this.#set(cell, p, percent(p));
        const count = seeds ? seeds.shape[0] : 0;
        while (cell.seeds.length < count) {
          const dot = element("div", { class: "seed" });
          cell.seeds.push(dot);
          cell.track.append(dot);
        }
        cell.seeds.forEach((dot, s) => dot.style.setProperty("left", `${100 * seeds.data[s * classes + k]}%`));
      });
      const best = this.two ? 1 : probabilities.data.indexOf(Math.max(...probabilities.data));
      announced.push(`${name}: ${percent(probabilities.data[best])} ${data.classes[best]}`);
      const chance = [`${name}\u00a0`, element("strong", {}, percent(probabilities.data[best]))];
      $("bar").append(element("span", {}, chance, this.two ? null : `\u00a0${data.classes[best]}`), " ");
    }
    if (this.two) $("bar").prepend(`${shown(data.classes[1])}: `);
    const total = alike.counts.reduce((sum, n) => sum + n, 0);
    this.rows.get(null).forEach((cell, i) => {
      const share = alike.counts[this.classes[i]] / total;
      this.#set(cell, share, percent(share));
    });
    const agree = alike.agree.map(([label, value]) => `${shown(label)} (${valueText(value)})`);
    $("alike").textContent =
      `In the training table ${total} ${shown(total === 1 ? data.row : data.rows)} `
      + `${agree.length ? `agree in ${agree.join(", ")}` : "in all"}; `
      + `${alike.counts.map((n, k) => `${n} ${shown(data.classes[k])}`).join(", ")}.`;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => ($("live").textContent = shown(announced.join("; "))), 600);
  }

  #set({ bar, text }, p, shownAs) {
    bar.style.setProperty("width", `${100 * p}%`);
    text.textContent = shownAs;
  }
}

class Reasons {
  constructor() {
    this.run = 0;
    this.name = model.names.includes(data.recommended) ? data.recommended : model.names[0];
    this.output = 0;
    const { classes } = data;
    const choices = [[model.names, model.names.indexOf(this.name), "model that is explained", (i) => (this.name = model.names[i])]];
    if (classes.length > 2) choices.push([classes, 0, "class that is explained", (i) => (this.output = i)]);
    for (const [names, start, label, choose] of choices) {
      const node = element("select", { "aria-label": label }, names.map((name) => element("option", {}, name)));
      node.selectedIndex = start;
      node.addEventListener("change", () => {
        choose(node.selectedIndex);
        this.update(this.row);
      });
      $("why-choices").append(node, " ");
    }
    $("why-note").textContent =
      `Shapley values in log-odds: what each feature adds when it is changed from that of ${data.background.rows.length} `
      + "rows of the training table to this one's, on average over orders of features. Related features "
      + "share what they say. It tells what the model computes, not what causes what.";
  }

  update(row) {
    this.row = row;
    const run = ++this.run;
    $("why").classList.add("wait");
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const pause = () => new Promise((done) => setTimeout(() => done(run !== this.run), 0));
      const found = await model.explain(row, this.name, pause);
      if (found && run === this.run) this.#show(found);
    }, PAUSE);
  }

  #show({ base, contributions, logOdds }) {
    const k = this.output, sigmoid = (z) => 1 / (1 + Math.exp(-z));
    const about = data.classes[data.classes.length === 2 ? 1 : k];
    const all = contributions.map((of, f) => [data.features[f], of[k]]);
    all.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const few = all.slice(0, REASONS), others = all.slice(REASONS);
    const rows = few.map(([{ name, label }, value]) => [`${shown(label)} = ${valueText(this.row.get(name))}`, value]);
    if (others.length) rows.push([`${others.length} others`, others.reduce((sum, [, value]) => sum + value, 0)]);
    const largest = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
    $("why-sentence").textContent =
      `${this.name}: from ${percent(sigmoid(base[k]))} for an average ${shown(data.row)} to `
      + `${percent(sigmoid(logOdds[k]))} ${shown(about)}.`;
    $("why").replaceChildren(
      ...rows.map(([label, value]) => {
        const bar = element("span", { class: value > 0 ? "up" : "down" });
        bar.style.setProperty("width", `${(50 * Math.abs(value)) / largest}%`);
        return element(
          "tr", {},
          element("th", { scope: "row" }, label),
          element("td", { "aria-hidden": "true" }, element("div", { class: "both" }, bar)),
          element("td", {}, signed(value)),
        );
      }),
    );
    $("why").classList.remove("wait");
  }
}

function texts() {
  $("title").textContent = `${shown(data.title)}: play with the nets`;
  $("intro").replaceChildren(
    `Describe a ${shown(data.row)}, and see what the nets of run ${shown(data.run)} say. Everything is computed `
    + "in this page; nothing is sent anywhere. ",
    element("a", { href: "report.html" }, "The run’s report"),
    " has the scores.",
  );
  $("form-title").textContent = `The ${shown(data.row)}`;
  $("net-note").replaceChildren(
    "What does a hidden layer buy? Lines are as wide as weight times input: ",
    element("span", { class: "key", "--colour": "var(--positive)" }), "adds, ",
    element("span", { class: "key", "--colour": "var(--negative)" }), "takes away. A unit is as bright as it is "
    + "active. Point at one, tap it, or go to it with Tab and the arrow keys.",
  );
  const notes = [...model.leftOut].map(([name, why]) => `Left out: ${name}, since ${why}.`);
  const largest = model.largestDifference;
  notes.push(
    `When it was opened, this page computed ${data.background.rows.length} rows of the training table with each net, `
    + `and found Python’s probabilities (largest difference: ${largest ? largest.toExponential(0) : "none"}).`,
  );
  $("footer").replaceChildren(...notes.map((text) => element("p", {}, text)));
}

texts();
document.querySelector("main").hidden = !model.names.length;
if (model.names.length) {
  const chances = new Chances(), reasons = new Reasons();
  const net = data.drawn.length ? new NetView(model) : null; // a table may be too small for it
  for (const node of document.querySelectorAll(".drawn")) node.hidden = !net;
  new Form(data.form.controls, (values) => {
    const row = model.featuresOf(values);
    chances.show(model.probabilities([row]), model.alike(row));
    net?.update(new Map(values), row);
    reasons.update(row);
    $("features").replaceChildren(
      list(["feature", "value", "what it is"],
        data.features.map(({ name, label, formula }) => [label, valueText(row.get(name)), formula])),
    );
  });
}
