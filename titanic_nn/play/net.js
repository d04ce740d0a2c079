// A net with one hidden layer, or none, drawn: its inputs, its units and its outputs.

// The parameters of a drawn net as arrays, and what it computes of encoded rows x.
class DrawnNet {
  constructor({ units, encoder, params, log_loss, trained_on, model }) {
    Object.assign(this, { units, encoder, model, logLoss: log_loss, trainedOn: trained_on });
    this.params = Object.fromEntries(Object.entries(params).map(([n, p]) => [n, decode(p)]));
    this.weights = Object.values(this.params).reduce((sum, { data }) => sum + data.length, 0);
    const kind = units ? `${units} unit${units > 1 ? "s" : ""}` : "linear";
    this.name = model ? `${kind}: ${model}’s first net` : kind;
  }

  // Weighted sums and activations of the units, and logits; each (rows, ...).
  compute(x) {
    const { w, b, w1, b1, w2, b2 } = this.params;
    const layer = (input, weights, bias) => OPERATORS.Add({}, matMul({}, input, weights), bias);
    if (!this.units) return { logits: layer(x, w, b) };
    const sums = layer(x, w1, b1), activations = OPERATORS.Relu({}, sums);
    return { sums, activations, logits: layer(activations, w2, b2) };
  }

  // Probabilities of encoded rows, (rows, classes).
  probabilities(x) {
    const { logits } = this.compute(x), { data } = logits, outputs = logits.shape[1];
    if (outputs > 1) return softmax({ axis: -1 }, logits);
    const p = empty([data.length, 2]);
    data.forEach((z, i) => p.data.set([1 / (1 + Math.exp(z)), 1 / (1 + Math.exp(-z))], 2 * i));
    return p;
  }
}

class NetView {
  constructor(model) {
    this.model = model;
    this.nets = model.data.drawn.map((net) => new DrawnNet(net));
    this.net = this.nets.find(({ units }) => units === 4) ?? this.nets.at(-1);
    this.unit = null; // the chosen one; null: the one that says most
    this.output = model.data.classes.length > 2 ? 0 : 1; // the class whose chance is shown
    this.controls = model.data.form.controls.filter(({ kind }) => kind === "number");
    this.swept = this.controls[0] ?? null;
    this.#switch();
    new ResizeObserver(() => this.values && this.#draw()).observe($("drawing"));
  }

  #switch() {
    const smalls = this.nets.filter(({ model }) => !model);
    const rows = this.nets.map((net, i) => {
      const id = `net-${i}`;
      const input = element("input", { type: "radio", name: "net", id, checked: net === this.net });
      input.addEventListener("change", () => {
        this.net = net;
        this.unit = null;
        this.update(this.values, this.row);
      });
      net.cell = element("span");
      return [
        element("label", { for: id }, input, " ", net.name), String(net.weights),
        net.logLoss.toFixed(3), net.cell,
      ];
    });
    const { classes } = this.model.data;
    this.chanceHead = `chance: ${shown(classes[this.output])}`;
    $("switch").replaceChildren(
      list(["hidden units", "numbers", "held-out log loss", this.chanceHead], rows),
      element(
        "p",
        { class: "note" },
        `Small nets, trained alike on ${smalls[0]?.trainedOn} rows when this page was written. Their log `
          + "loss is that of held-out rows, in five folds; less is better, and differences of 0.01 may be "
          + "chance. A model’s own is of its nets’ average.",
      ),
    );
    if (this.controls.length) {
      const select = element(
        "select",
        { id: "sweep" },
        this.controls.map(({ name, label }) => element("option", { value: name }, label)),
      );
      select.addEventListener("change", () => {
        this.swept = this.controls[select.selectedIndex];
        this.update(this.values, this.row);
      });
      this.sweepLabel = element("p", {}, element("label", { for: "sweep" }, "As one number varies: "), select);
    }
    if (classes.length > 2) {
      const select = element(
        "select",
        { "aria-label": "class of the drawn net" },
        classes.map((name) => element("option", {}, name)),
      );
      select.addEventListener("change", () => {
        this.output = select.selectedIndex;
        this.update(this.values, this.row);
      });
      $("switch").append(element("p", {}, "Class: ", select));
    }
  }

  // The rows that differ in one number, which takes 61 values, and those values.
  #sweep() {
    const { name, low, high, logarithmic } = this.swept, points = 60;
    const scale = logarithmic ? SCALES.ratios : SCALES.numbers;
    const start = scale.to(low), span = scale.to(high) - start;
    const at = Array.from({ length: points + 1 }, (_, i) => scale.from(start + (span * i) / points));
    const rows = at.map((value) => this.model.featuresOf(new Map(this.values).set(name, value)));
    const encoded = new Map();
    for (const { encoder } of this.nets) {
      if (!encoded.has(encoder)) encoded.set(encoder, this.model.encode(encoder, rows));
    }
    return { at, encoded, axis: [low, high, shown(this.swept.label), scale] };
  }

  update(values, row) {
    Object.assign(this, { values, row });
    this.x = this.model.encode(this.net.encoder, [row]);
    this.found = this.net.compute(this.x);
    for (const net of this.nets) {
      const p = net.probabilities(this.model.encode(net.encoder, [row]));
      net.cell.textContent = percent(p.data[this.output]);
      net.chance = p.data[this.output];
    }
    this.chart = this.swept && this.#sweep();
    this.#curve();
    this.#draw();
    this.#table();
  }

  #curve() {
    if (!this.chart) return;
    const { at, encoded, axis } = this.chart, classes = this.model.data.classes.length;
    const lines = this.nets.map((net) => {
      const { data } = net.probabilities(encoded.get(net.encoder));
      const points = at.map((value, i) => [value, data[i * classes + this.output]]);
      return { points, chosen: net === this.net };
    });
    lines.sort((a, b) => a.chosen - b.chosen);
    const value = this.values.get(this.swept.name);
    const { label } = this.swept;
    $("curve").replaceChildren(
      this.sweepLabel,
      plot({
        label: `${this.chanceHead} by ${label}, of every net in the list`,
        x: axis, y: [0, 1, this.chanceHead], lines, text: percent,
        here: value === null ? null : [value, this.net.chance],
      }),
      element("figcaption", { class: "note" }, "All else as it is. Thick: the net that is drawn below."),
    );
  }

  // Of each feature that the net reads: its columns, and its weighted input to each unit (or output).
  #inputs() {
    const columns = this.model.encoders[this.net.encoder];
    const { shape, data } = this.net.params[this.net.units ? "w1" : "w"], targets = shape[1];
    const found = [];
    this.model.features.forEach((name, f) => {
      const own = columns.flatMap((column, j) => (column.number === f ? [j] : []));
      if (!own.length) return;
      const parts = Array.from({ length: targets }, (_, unit) =>
        own.reduce((sum, j) => sum + this.x.data[j] * data[j * targets + unit], 0),
      );
      found.push({ label: this.model.data.features[f].label, value: this.row.get(name) ?? null, parts });
    });
    return found;
  }

  #chosen() {
    const { units, params } = this.net;
    if (!units) return null;
    if (this.unit !== null && this.unit < units) return this.unit;
    const outputs = params.w2.shape[1], k = outputs > 1 ? this.output : 0;
    let best = 0;
    const says = (j) => Math.abs(this.found.activations.data[j] * params.w2.data[j * outputs + k]);
    for (let j = 1; j < units; j++) if (says(j) > says(best)) best = j;
    return best;
  }

  #choose(unit, focused) {
    this.unit = unit;
    this.#draw();
    if (focused) $("drawing").querySelector(`[data-unit="${unit}"]`).focus({ preventScroll: true });
  }

  #draw() {
    const { net } = this, { units, params } = net, inputs = this.#inputs();
    const width = Math.min(Math.max($("drawing").clientWidth, 300), 980), wide = width > 560;
    const step = 19, top = 26, height = Math.max(inputs.length * step, units * 13, 160) + top + 10;
    const left = wide ? 250 : 158, outX = width - (wide ? 84 : 24), outRadius = wide ? 20 : 15;
    const hiddenX = left + (outX - left) * (wide ? 0.6 : 0.52);
    const featureY = (i) => top + ((i + 0.5) * (height - top - 10)) / inputs.length;
    const gap = (height - top - 10) / Math.max(units, 1), unitY = (j) => top + (j + 0.5) * gap;
    const outputs = this.found.logits.shape[1], k = outputs > 1 ? this.output : 0;
    const outY = top + (height - top) / 2, chosen = this.#chosen();
    const radius = Math.min(11, Math.max(3, gap / 2.3));
    const edges = [];
    const edge = (x1, y1, x2, y2, value, largest, strong) => {
      if (!largest || Math.abs(value) < 0.015 * largest) return;
      const share = Math.abs(value) / largest, mid = (x1 + x2) / 2;
      edges.push(
        drawn("path", {
          class: `edge ${value > 0 ? "up" : "down"}`,
          d: `M${x1} ${y1}C${mid} ${y1} ${mid} ${y2} ${x2} ${y2}`,
          "stroke-width": (0.5 + 5.5 * share).toFixed(2),
          "stroke-opacity": (strong ? 0.85 : 0.09 + 0.2 * share).toFixed(2),
        }),
      );
    };
    const targets = units || 1;
    const partOf = ({ parts }, j) => parts[units ? j : k];
    const largest = Math.max(
      ...inputs.flatMap((input) => Array.from({ length: targets }, (_, j) => Math.abs(partOf(input, j)))),
    );
    const order = Array.from({ length: targets }, (_, j) => j).sort((a, b) => (a === chosen) - (b === chosen));
    for (const j of order) {
      inputs.forEach((input, i) =>
        edge(left + 5, featureY(i), units ? hiddenX - radius : outX - outRadius, units ? unitY(j) : outY,
          partOf(input, j), largest, !units || j === chosen),
      );
    }
    const says = units
      ? Array.from({ length: units }, (_, j) => this.found.activations.data[j] * params.w2.data[j * outputs + k])
      : [];
    const most = Math.max(...says.map(Math.abs), 0);
    says.forEach((value, j) =>
      edge(hiddenX + radius, unitY(j), outX - outRadius, outY, value, most, j === chosen || units <= 8),
    );
    const brightest = units ? Math.max(...this.found.activations.data) : 0;
    const nodes = inputs.map(({ label, value, parts }, i) => {
      const counts = parts.some((part) => Math.abs(part) > 0.015 * largest);
      const room = wide ? 38 : 22;
      const text = `${label} = ${valueText(value)}`;
      const short = text.length > room ? `${text.slice(0, room - 1)}…` : text;
      return drawn("g", { opacity: counts ? 1 : 0.45 },
        drawn("title", {}, text),
        drawn("text", { x: left - 6, y: featureY(i) + 4, "text-anchor": "end" }, short),
        drawn("circle", { class: "input-node", cx: left, cy: featureY(i), r: counts ? 3.5 : 2 }));
    });
    for (let j = 0; j < units; j++) {
      const activation = this.found.activations.data[j];
      const unit = drawn("g", {
          class: j === chosen ? "unit chosen" : "unit", tabindex: j === chosen ? 0 : -1, role: "button",
          "aria-pressed": j === chosen ? "true" : "false",
          "aria-label": `unit ${j + 1} of ${units}: activation ${number(activation)}, adds ${signed(says[j])} to the log-odds`,
          "data-unit": j,
        },
        drawn("circle", { cx: hiddenX, cy: unitY(j), r: Math.max(radius, Math.min(gap / 2, 14)), fill: "transparent" }),
        drawn("circle", { class: "back", cx: hiddenX, cy: unitY(j), r: radius }),
        drawn("circle", { class: "light", cx: hiddenX, cy: unitY(j), r: radius - 1,
          "fill-opacity": brightest ? (activation / brightest).toFixed(3) : 0 }));
      for (const event of ["pointerenter", "click", "focus"]) {
        unit.addEventListener(event, () => j !== this.#chosen() && this.#choose(j, event === "focus"));
      }
      unit.addEventListener("keydown", (event) => {
        const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
        const to = { Home: 0, End: units - 1 }[event.key] ?? j + steps[event.key];
        if (Number.isNaN(to)) return;
        event.preventDefault();
        this.#choose((to + units) % units, true);
      });
      nodes.push(unit);
    }
    const heads = [[left, "end", "inputs"], [hiddenX, "middle", units ? (wide ? "hidden units" : "units") : ""], [outX, "middle", "output"]];
    nodes.push(
      ...heads.map(([x, anchor, text]) => drawn("text", { x, y: 12, class: "faint", "text-anchor": anchor }, text)),
      drawn("circle", { class: "node", cx: outX, cy: outY, r: outRadius, fill: "var(--active)", "fill-opacity": net.chance.toFixed(3) }),
      drawn("text", { x: outX, y: outY + outRadius + 18, "text-anchor": "middle", "font-weight": 700 }, percent(net.chance)),
      wide ? drawn("text", { x: outX, y: outY + outRadius + 34, class: "faint", "text-anchor": "middle" },
        this.model.data.classes[this.output].slice(0, 18)) : null,
    );
    $("drawing").replaceChildren(
      drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${net.name}, drawn` }, edges, nodes),
    );
    this.#unit(chosen, inputs, says);
  }

  // The chosen unit: its ReLU, its line, and where this row stands on them. Of a linear net its sum.
  #unit(chosen, inputs, says) {
    const { units, params } = this.net, outputs = this.found.logits.shape[1];
    const k = outputs > 1 ? this.output : 0, at = units ? chosen : k;
    const [sum, bias] = units
      ? [this.found.sums.data[at], params.b1.data[at]]
      : [this.found.logits.data[k], params.b.data[k]];
    const parts = inputs.map(({ label, value, parts }) => [`${label} = ${valueText(value)}`, parts[at]]);
    parts.sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const few = parts.slice(0, 6), rest = parts.slice(6).reduce((total, [, part]) => total + part, 0);
    const rows = [...few, ["all other inputs", rest], ["bias", bias], [units ? "weighted sum" : "log-odds", sum]];
    const title = units ? `Unit ${chosen + 1} of ${units}` : "The output";
    const sums = element("div", {}, element("h3", {}, title),
      list(["weight × input", ""], rows.map(([name, part]) => [name, signed(part)])));
    const span = Math.max(Math.abs(sum) * 1.3, 1.5);
    const isRelu = units > 0;
    const sigmoid = (z) => 1 / (1 + Math.exp(-z));
    const grid = Array.from({ length: 81 }, (_, i) => -span + (2 * span * i) / 80);
    const f = isRelu ? (a) => Math.max(0, a) : sigmoid;
    const bend = element("figure", {},
      element("h3", {}, isRelu ? "Its ReLU" : "The sigmoid"),
      plot({
        label: isRelu ? "the unit's ReLU" : "the sigmoid",
        x: [-span, span, isRelu ? "weighted sum" : "log-odds"],
        y: [0, isRelu ? span : 1, isRelu ? "activation" : "chance"],
        lines: [{ points: grid.map((a) => [a, f(a)]), chosen: true }], here: [sum, f(sum)],
        text: isRelu ? number : percent,
      }),
      element("figcaption", { class: "note" }, !isRelu
        ? `Log-odds ${signed(sum)} are a chance of ${percent(f(sum))}.`
        : sum > 0
          ? `Active: the sum ${signed(sum)} passes. Times its weight to the output it adds ${signed(says[chosen])} to the log-odds.`
          : `Off: the sum ${signed(sum)} is below 0, and the unit adds nothing.`));
    const figures = [sums, outputs > 1 && !isRelu ? element("div") : bend];
    if (this.chart) {
      const { at: steps, encoded, axis } = this.chart, found = this.net.compute(encoded.get(this.net.encoder));
      const source = isRelu ? found.activations : found.logits, n = source.shape[1];
      const points = steps.map((value, i) => [value, source.data[i * n + at]]);
      const ys = points.map(([, y]) => y), value = this.values.get(this.swept.name);
      const low = Math.min(0, ...ys), high = Math.max(0, ...ys);
      figures.push(element("figure", {},
        element("h3", {}, "Its line"),
        plot({
          label: `the ${isRelu ? "unit's activation" : "log-odds"} by ${this.swept.label}`,
          x: axis,
          y: [low, high > low ? high : low + 1, isRelu ? "activation" : "log-odds"],
          lines: [{ points, chosen: true }],
          here: value === null ? null : [value, isRelu ? this.found.activations.data[at] : this.found.logits.data[at]],
        }),
        element("figcaption", { class: "note" },
          isRelu ? "As the number above varies, all else as it is: a line that bends where the unit turns on."
            : "As the number above varies, all else as it is: a linear net has no bends of its own.")));
    }
    $("unit").replaceChildren(...figures);
  }

  #table() {
    const { units, params } = this.net, outputs = this.found.logits.shape[1];
    const k = outputs > 1 ? this.output : 0;
    const rows = units
      ? Array.from({ length: units }, (_, j) => {
          const weight = params.w2.data[j * outputs + k], a = this.found.activations.data[j];
          return [`unit ${j + 1}`, signed(this.found.sums.data[j]), number(a), signed(weight), signed(a * weight)];
        })
      : this.#inputs().map(({ label, value, parts }) => [`${label} = ${valueText(value)}`, "", "", "", signed(parts[k])]);
    const bias = (units ? params.b2 : params.b).data[k];
    rows.push(["bias", "", "", "", signed(bias)], ["log-odds", "", "", "", signed(this.found.logits.data[k])]);
    $("net-table").replaceChildren(
      list([units ? "unit" : "input", "weighted sum", "activation", "weight to the output", "adds to the log-odds"], rows));
  }
}
