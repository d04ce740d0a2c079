// Elements, numbers and small plots. Text from tables becomes text nodes only, never markup.

const $ = (id) => document.getElementById(id);

// Text without characters that a reader cannot see, or that reverse what stands beside them.
function shown(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (character) =>
    `\\u${character.codePointAt(0).toString(16).padStart(4, "0")}`,
  );
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("--")) node.style.setProperty(name, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : shown(child));
  }
  return node;
}

const element = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

const drawn = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function percent(p) {
  if (p > 0 && p < 0.005) return "< 1\u00a0%";
  if (p < 1 && p > 0.995) return "> 99\u00a0%";
  return `${Math.round(100 * p)}\u00a0%`;
}

function number(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-3
    ? size.toExponential(1)
    : String(Number(size.toPrecision(size >= 1000 ? 4 : 3)));
  return value < 0 ? `\u2212${text}` : text;
}

function signed(value) {
  return `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;
}

function valueText(value) {
  if (value === null || value === undefined) return "unknown";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? number(value) : shown(value);
}

function list(head, rows) {
  return element(
    "table",
    { class: "list" },
    element("thead", {}, element("tr", {}, head.map((text) => element("th", { scope: "col" }, text)))),
    element(
      "tbody",
      {},
      rows.map(([first, ...others]) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, first),
          others.map((cell) => element("td", {}, cell)),
        ),
      ),
    ),
  );
}

// From a number to its place on an axis or a slider, and back.
const SCALES = {
  numbers: { to: (x) => x, from: (x) => x },
  ratios: { to: Math.log1p, from: Math.expm1 },
};

// Lines over one axis, each {points: [[x, y]], chosen}, with a point where the row stands.
// `scale` is that of x, of numbers or ratios.
function plot({ label, x: [low, high, xLabel, scale = SCALES.numbers], y: [bottom, top, yLabel], lines, here, text = number }) {
  const width = 360, height = 190, left = 46, right = 12, above = 26, below = 34;
  const start = scale.to(low), end = scale.to(high);
  const x = (value) => left + ((scale.to(value) - start) / (end - start || 1)) * (width - left - right);
  const y = (value) => height - below - ((value - bottom) / (top - bottom || 1)) * (height - above - below);
  const path = (points) =>
    points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
  const base = bottom < 0 && top > 0 ? 0 : bottom;
  const parts = [
    drawn("path", { class: "axis", d: `M${left} ${y(base)}H${width - right}M${left} ${above}V${height - below}` }),
    drawn("text", { x: left, y: height - 18, class: "faint", "text-anchor": "middle" }, number(low)),
    drawn("text", { x: width - right, y: height - 18, class: "faint", "text-anchor": "end" }, number(high)),
    drawn("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, xLabel),
    drawn("text", { x: left - 6, y: y(bottom) + 4, class: "faint", "text-anchor": "end" }, text(bottom)),
    drawn("text", { x: left - 6, y: y(top) + 4, class: "faint", "text-anchor": "end" }, text(top)),
    drawn("text", { x: 0, y: 11 }, yLabel),
    ...lines.map(({ points, chosen }) =>
      drawn("path", { class: chosen ? "curve chosen" : "curve", d: path(points) }),
    ),
  ];
  if (here) {
    const [a, b] = here;
    parts.push(
      drawn("path", { class: "guide", d: `M${x(a)} ${y(base)}V${y(b)}H${left}` }),
      drawn("circle", { class: "here", cx: x(a), cy: y(b), r: 4.5 }),
    );
  }
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, parts);
}
