// From what the form's controls hold to features, encoded columns, probabilities and reasons. All
// of it is generated: expressions, the encoders' fitted state and the nets' graphs are data.

const TOLERANCE = 1e-6; // between this page's probabilities and Python's
const SMALLEST = 1e-12; // probability whose logarithm is taken

const FUNCTIONS = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "<": (a, b) => a < b,
  "==": (a, b) => a === b,
  log1p: Math.log1p,
  abs: Math.abs,
  sign: Math.sign,
};

// The value of an expression; competitions/form.py says what it is.
function evaluate([operator, ...operands], values, tables) {
  const value = (tree) => evaluate(tree, values, tables);
  switch (operator) {
    case "value":
      return operands[0];
    case "name":
      return values.get(operands[0]) ?? null;
    case "lookup":
      return tables.get(operands[0]).get(value(operands[1])) ?? null;
    case "if":
      return value(operands[0]) ? value(operands[1]) : value(operands[2]);
    case "missing":
      return value(operands[0]) === null;
    case "not":
      return !value(operands[0]);
    case "and":
      return Boolean(value(operands[0]) && value(operands[1]));
    case "or":
      return Boolean(value(operands[0]) || value(operands[1]));
  }
  const found = operands.map(value);
  if (found.includes(null)) return operator === "<" || operator === "==" ? false : null;
  return FUNCTIONS[operator](...found);
}

// A number, or where it is missing the median of the narrowest group of rows that has one.
function imputed({ feature, medians, within }, row) {
  const own = row.get(feature) ?? null;
  if (own !== null) return own;
  for (let n = within.length; n > 0; n--) {
    const group = within.slice(0, n).map((name) => row.get(name) ?? null);
    const median = group.includes(null) ? undefined : medians.get(group.join(", "));
    if (median !== undefined) return median;
  }
  return medians.get("everyone");
}

function columnValue(column, row) {
  if (column.values) return Number(column.values.includes(row.get(column.feature) ?? null));
  if (!column.medians) return Number(row.get(column.feature) ?? 0);
  const number = imputed(column, row);
  if (!column.bin) return number;
  const [low, high] = column.bin;
  return Math.min(1, Math.max(0, (number - low) / (high - low)));
}

class Model {
  constructor(data) {
    this.data = data;
    this.features = data.features.map(({ name }) => name);
    this.tables = new Map(
      Object.entries(data.form.tables).map(([n, table]) => [n, new Map(Object.entries(table))]),
    );
    this.encoders = data.encoders.map((columns) =>
      columns.map((column) => ({
        ...column,
        medians: column.medians && new Map(Object.entries(column.medians)),
        number: this.features.indexOf(column.feature),
      })),
    );
    this.nets = new Map();
    this.leftOut = new Map(Object.entries(data.left_out));
    this.largestDifference = 0;
    const { names, rows, orders } = data.background;
    this.background = rows.map((row) => new Map(row.map((value, i) => [names[i], value])));
    this.orders = orders.flatMap((order) => [order, [...order].reverse()]);
    for (const net of data.nets) this.#add(net);
    this.ensembles = data.ensembles.filter(({ name, weights }) => {
      const lacking = Object.keys(weights).filter((member) => !this.nets.has(member));
      if (lacking.length) this.leftOut.set(name, `it averages ${lacking.join(", ")} too`);
      return !lacking.length;
    });
    this.names = [...this.nets.keys(), ...this.ensembles.map(({ name }) => name)];
  }

  // A net whose probabilities of the background rows are not those of Python is left out.
  #add({ name, encoder, graph, check }) {
    let difference = Infinity;
    try {
      this.nets.set(name, { encoder, run: compile(graph) });
      const p = this.#run(name, this.encode(encoder, this.background)).probabilities.data;
      difference = Math.max(...check.flat().map((value, i) => Math.abs(value - p[i])));
    } catch (error) {
      this.leftOut.set(name, `this browser cannot compute it (${error.message})`);
    }
    if (difference <= TOLERANCE) {
      this.largestDifference = Math.max(this.largestDifference, difference);
    } else {
      this.nets.delete(name);
      if (!this.leftOut.has(name)) this.leftOut.set(name, "it is not computed as in Python here");
    }
  }

  #run(name, x) {
    return this.nets.get(name).run(x);
  }

  // The features of what the controls hold, a Map by name each.
  featuresOf(controls) {
    const values = new Map(controls);
    for (const [name, tree] of this.data.form.derived) {
      values.set(name, evaluate(tree, values, this.tables));
    }
    return values;
  }

  // Rows of features, encoded: (rows, columns).
  encode(encoder, rows) {
    const columns = this.encoders[encoder];
    const x = empty([rows.length, columns.length]);
    rows.forEach((row, i) =>
      columns.forEach((column, j) => {
        x.data[i * columns.length + j] = (columnValue(column, row) - column.mean) / column.sd;
      }),
    );
    return x;
  }

  // Of rows of features: {name: {probabilities: (rows, classes), by_net: (seeds, rows, classes)}}.
  probabilities(rows, names = this.names) {
    const found = {}, encoded = new Map();
    const wanted = new Set(names.flatMap((name) => this.members(name).map(([member]) => member)));
    for (const name of wanted) {
      const { encoder } = this.nets.get(name);
      if (!encoded.has(encoder)) encoded.set(encoder, this.encode(encoder, rows));
      found[name] = this.#run(name, encoded.get(encoder));
    }
    for (const name of names) {
      if (!found[name]) {
        found[name] = { probabilities: this.#average(name, (m) => found[m].probabilities) };
      }
    }
    return found;
  }

  // The nets of a model, each with its weight.
  members(name) {
    const ensemble = this.ensembles?.find((one) => one.name === name);
    return ensemble ? Object.entries(ensemble.weights) : [[name, 1]];
  }

  #average(name, of) {
    let total;
    for (const [member, weight] of this.members(name)) {
      const { shape, data } = of(member);
      total ??= array(shape, new Float64Array(data.length));
      data.forEach((p, i) => (total.data[i] += weight * p));
    }
    return total;
  }

  // How many training rows of each class agree with a row in what the form names, and in how many
  // of these: the last is dropped where no row agrees.
  alike(row) {
    const { labels, counts } = this.data.alike;
    const values = this.data.form.alike.map((tree) => evaluate(tree, row, this.tables));
    const key = (n) => JSON.stringify(values.slice(0, n));
    let n = labels.length;
    while (n > 0 && !Object.hasOwn(counts[n], key(n))) n--;
    return { agree: labels.slice(0, n).map((label, i) => [label, values[i]]), counts: counts[n][key(n)] };
  }

  // Shapley values of the features for a model's log-odds, sampled as analysis/explanation.py does:
  // along each order, a background row's columns are replaced by the row's, feature by feature.
  // A step that changes no column is not computed again. `pause` is awaited between parts, and
  // stops the computation by returning true.
  async explain(row, name, pause = async () => false) {
    const members = this.members(name).map(([member, weight]) => ({
      member, weight, encoder: this.nets.get(member).encoder,
    }));
    const encoders = [...new Set(members.map(({ encoder }) => encoder))];
    const own = new Map(encoders.map((e) => [e, this.encode(e, [row]).data]));
    const others = new Map(encoders.map((e) => [e, this.encode(e, this.background).data]));
    const columnsOf = new Map(
      encoders.map((e) => [
        e,
        this.features.map((_, f) => this.encoders[e].flatMap((c, j) => (c.number === f ? [j] : []))),
      ]),
    );
    const classes = this.data.classes.length, outputs = classes === 2 ? 1 : classes;
    const contributions = this.features.map(() => new Array(outputs).fill(0));
    const base = new Array(outputs).fill(0);
    let logOdds = [];
    const walks = this.orders.length, atOnce = 20;
    for (let first = 0; first < walks; first += atOnce) {
      if (await pause()) return null;
      const last = Math.min(first + atOnce, walks);
      const rows = new Map(encoders.map((e) => [e, []]));
      const places = []; // of each walk's steps among the rows
      let count = 0;
      for (let walk = first; walk < last; walk++) {
        const from = walk >> 1, current = new Map(), place = [count];
        for (const e of encoders) {
          const width = own.get(e).length;
          current.set(e, others.get(e).slice(from * width, (from + 1) * width));
          rows.get(e).push(current.get(e));
        }
        for (const f of this.orders[walk]) {
          let changed = false;
          for (const e of encoders) {
            const before = current.get(e), after = own.get(e);
            const columns = columnsOf.get(e)[f].filter((j) => before[j] !== after[j]);
            if (!columns.length) continue;
            changed = true;
            const next = before.slice();
            for (const j of columns) next[j] = after[j];
            current.set(e, next);
          }
          if (changed) {
            count++;
            for (const e of encoders) rows.get(e).push(current.get(e));
          }
          place.push(count);
        }
        places.push(place);
        count++;
      }
      const p = new Map();
      for (const { member, encoder } of members) {
        const width = own.get(encoder).length, x = empty([count, width]);
        rows.get(encoder).forEach((values, i) => x.data.set(values, i * width));
        p.set(member, this.#run(member, x).probabilities);
      }
      const { data } = this.#average(name, (member) => p.get(member));
      const value = (at, k) => {
        const own = data[at * classes + (outputs === 1 ? 1 : k)];
        const clipped = Math.min(Math.max(own, SMALLEST), 1 - SMALLEST);
        return Math.log(clipped / (1 - clipped));
      };
      for (let walk = first; walk < last; walk++) {
        const place = places[walk - first];
        for (let k = 0; k < outputs; k++) {
          base[k] += value(place[0], k) / walks;
          this.orders[walk].forEach((f, step) => {
            if (place[step + 1] === place[step]) return;
            contributions[f][k] += (value(place[step + 1], k) - value(place[step], k)) / walks;
          });
        }
        logOdds = base.map((_, k) => value(place.at(-1), k));
      }
    }
    return { base, contributions, logOdds };
  }
}
