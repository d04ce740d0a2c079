// Arrays as PyTorch computes them: a shape, and numbers in float32 or float64, row by row. An
// operator has ONNX's name and meaning. A result is in float64 if an argument is, else in float32,
// to which each number is rounded when it is stored.

const { fround } = Math;

function array(shape, data) {
  return { shape, data };
}

function sizeOf(shape) {
  return shape.reduce((product, n) => product * n, 1);
}

function empty(shape, ...like) {
  const double = like.some(({ data }) => data instanceof Float64Array);
  return array(shape, new (double ? Float64Array : Float32Array)(sizeOf(shape)));
}

function decode({ shape, type, base64, values }) {
  if (values) return array(shape, Float64Array.from(values)); // axes and shapes: whole numbers
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const Type = type === "float32" ? Float32Array : Float64Array;
  return array(shape, new Type(bytes.buffer));
}

// The steps with which an array is walked as if it had this shape: 0 along what is repeated.
function strides(from, shape) {
  const found = new Array(shape.length).fill(0);
  let step = 1;
  for (let i = from.length - 1, j = shape.length - 1; i >= 0; i--, j--) {
    if (from[i] !== 1) found[j] = step;
    step *= from[i];
  }
  return found;
}

function broadcast(a, b) {
  const shape = [];
  for (let i = 1; i <= Math.max(a.length, b.length); i++) {
    const m = a.at(-i) ?? 1, n = b.at(-i) ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw Error(`shapes ${a} and ${b} do not fit`);
    shape.unshift(m === 1 ? n : m);
  }
  return shape;
}

// Calls f(position in the result, in a, in b) for the start of each row of the last axis.
function eachRow(shape, ofA, ofB, f) {
  const outer = shape.slice(0, -1), at = outer.map(() => 0), width = shape.at(-1) ?? 1;
  const rows = sizeOf(outer);
  let inA = 0, inB = 0;
  for (let row = 0; row < rows; row++) {
    f(row * width, inA, inB);
    for (let axis = outer.length - 1; axis >= 0; axis--) {
      at[axis]++;
      inA += ofA[axis];
      inB += ofB[axis];
      if (at[axis] < outer[axis]) break;
      inA -= ofA[axis] * outer[axis];
      inB -= ofB[axis] * outer[axis];
      at[axis] = 0;
    }
  }
}

const binary = (f) => (_, a, b) => {
  const shape = broadcast(a.shape, b.shape), result = empty(shape, a, b);
  const ofA = strides(a.shape, shape), ofB = strides(b.shape, shape);
  const width = shape.at(-1) ?? 1, stepA = ofA.at(-1) ?? 0, stepB = ofB.at(-1) ?? 0;
  eachRow(shape, ofA, ofB, (at, inA, inB) => {
    for (let i = 0; i < width; i++) {
      result.data[at + i] = f(a.data[inA + i * stepA], b.data[inB + i * stepB]);
    }
  });
  return result;
};

const unary = (f) => (attributes, a) => {
  const result = empty(a.shape, a);
  for (let i = 0; i < a.data.length; i++) result.data[i] = f(a.data[i], attributes);
  return result;
};

// Of rows (..., rows, n) and weights (..., n, outputs), added up from the first column to the last.
function matMul(_, a, b) {
  const rows = a.shape.at(-2), n = a.shape.at(-1), outputs = b.shape.at(-1);
  const outer = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const result = empty([...outer, rows, outputs], a, b), { data } = result;
  const round = data instanceof Float32Array ? fround : (x) => x;
  const ofA = strides(a.shape.slice(0, -2), outer), ofB = strides(b.shape.slice(0, -2), outer);
  eachRow([...outer, 1], [...ofA, 0], [...ofB, 0], (matrix, matrixA, matrixB) => {
    for (let row = 0; row < rows; row++) {
      const at = (matrix * rows + row) * outputs;
      for (let i = 0; i < n; i++) {
        const x = a.data[(matrixA * rows + row) * n + i];
        if (x === 0) continue;
        const weights = (matrixB * n + i) * outputs;
        for (let j = 0; j < outputs; j++) data[at + j] += round(x * b.data[weights + j]);
      }
    }
  });
  return result;
}

// Calls f(start, end) for each run of numbers along the last axes.
function alongLast(a, axis, f) {
  const width = sizeOf(a.shape.slice(axis < 0 ? axis : axis - a.shape.length));
  for (let at = 0; at < a.data.length; at += width) f(at, at + width);
}

function softmax({ axis }, a) {
  const result = empty(a.shape, a);
  alongLast(a, axis, (start, end) => {
    const largest = Math.max(...a.data.subarray(start, end));
    let total = 0;
    for (let i = start; i < end; i++) total += Math.exp(a.data[i] - largest);
    for (let i = start; i < end; i++) result.data[i] = Math.exp(a.data[i] - largest) / total;
  });
  return result;
}

function layerNormalization({ axis, epsilon }, a, scale, shift) {
  const result = empty(a.shape, a);
  alongLast(a, axis, (start, end) => {
    let mean = 0, variance = 0;
    for (let i = start; i < end; i++) mean += a.data[i] / (end - start);
    for (let i = start; i < end; i++) variance += (a.data[i] - mean) ** 2 / (end - start);
    const factor = 1 / Math.sqrt(variance + epsilon);
    for (let i = start; i < end; i++) {
      const value = (a.data[i] - mean) * factor * scale.data[i - start];
      result.data[i] = value + (shift ? shift.data[i - start] : 0);
    }
  });
  return result;
}

function transpose({ perm }, a) {
  const shape = perm.map((axis) => a.shape[axis]), result = empty(shape, a);
  const own = strides(a.shape, a.shape).map((step, i) => (a.shape[i] === 1 ? 0 : step));
  const steps = perm.map((axis) => own[axis]), width = shape.at(-1);
  eachRow(shape, steps, steps.map(() => 0), (at, inA) => {
    for (let i = 0; i < width; i++) result.data[at + i] = a.data[inA + i * steps.at(-1)];
  });
  return result;
}

function concat({ axis }, ...parts) {
  const [{ shape }] = parts, at = axis < 0 ? shape.length + axis : axis;
  const widths = parts.map((part) => sizeOf(part.shape.slice(at)));
  const total = widths.reduce((sum, n) => sum + n, 0), outer = sizeOf(shape.slice(0, at));
  const along = parts.reduce((sum, part) => sum + part.shape[at], 0);
  const result = empty([...shape.slice(0, at), along, ...shape.slice(at + 1)], ...parts);
  let start = 0;
  parts.forEach((part, which) => {
    const width = widths[which];
    for (let i = 0; i < outer; i++) {
      result.data.set(part.data.subarray(i * width, (i + 1) * width), i * total + start);
    }
    start += width;
  });
  return result;
}

function reduceMean(_, a, axes) {
  if (axes.data.length !== 1 || axes.data[0] !== 0) throw Error("a mean over another axis");
  const shape = a.shape.slice(1), result = empty(shape, a), n = sizeOf(shape);
  for (let i = 0; i < a.data.length; i++) result.data[i % n] += a.data[i];
  for (let i = 0; i < n; i++) result.data[i] /= a.shape[0];
  return result;
}

function reshape(_, a, wanted) {
  const shape = Array.from(wanted.data, (n, axis) => (n === 0 ? a.shape[axis] : n));
  const rest = -a.data.length / sizeOf(shape);
  return array(shape.map((n) => (n === -1 ? rest : n)), a.data);
}

function unsqueeze(_, a, axes) {
  const shape = [...a.shape], axis = axes.data[0];
  shape.splice(axis < 0 ? shape.length + 1 + axis : axis, 0, 1);
  return array(shape, a.data);
}

// The error function, by a series whose terms are all positive.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x, total = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(total); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

function gelu(x, { approximate }) {
  return approximate === "tanh"
    ? (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
    : (x / 2) * (1 + erf(x / Math.SQRT2));
}

const OPERATORS = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Pow: binary((a, b) => a ** b),
  Max: binary((a, b) => Math.max(a, b)),
  Abs: unary(Math.abs),
  Cos: unary(Math.cos),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Neg: unary((a) => -a),
  Relu: unary((a) => (a > 0 ? a : 0)),
  LeakyRelu: unary((a, { alpha }) => (a > 0 ? a : alpha * a)),
  Gelu: unary(gelu),
  Sigmoid: unary((a) => 1 / (1 + Math.exp(-a))),
  Sin: unary(Math.sin),
  Sqrt: unary(Math.sqrt),
  Tanh: unary(Math.tanh),
  Cast: ({ to }, a) => array(a.shape, (to === 1 ? Float32Array : Float64Array).from(a.data)),
  Softmax: softmax,
  LayerNormalization: layerNormalization,
  MatMul: matMul,
  Transpose: transpose,
  Concat: concat,
  ReduceMean: reduceMean,
  Reshape: reshape,
  Unsqueeze: unsqueeze,
};

// A graph as a function from encoded rows to its outputs by name. Throws where it has an operator
// that is not known.
function compile({ nodes, constants, outputs }) {
  const known = Object.entries(constants).map(([name, constant]) => [name, decode(constant)]);
  for (const [operator] of nodes) {
    if (!Object.hasOwn(OPERATORS, operator)) throw Error(`operator ${operator} is not known`);
  }
  return (x) => {
    const values = new Map([["x", x], ...known]);
    for (const [operator, inputs, output, attributes] of nodes) {
      const found = inputs.map((name) => values.get(name));
      values.set(output, OPERATORS[operator](attributes, ...found));
    }
    return Object.fromEntries(
      Object.entries(outputs).map(([name, output]) => [name, values.get(output)]),
    );
  };
}
