// Runs the operations of aejax/export/net.py: an array is {shape, data}, its numbers are doubles.

const product = (sizes) => sizes.reduce((a, b) => a * b, 1);

function steps(shape) {
  const out = new Array(shape.length);
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis--]) out[axis] = step;
  return out;
}

// Calls visit(at, offset) for each entry of a shape, its offset being the start and the sum of its index times the moves.
function walk(shape, moves, start, visit) {
  const index = new Array(shape.length).fill(0);
  for (let at = 0, offset = start, count = product(shape); at < count; at++) {
    visit(at, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += moves[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= moves[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

function view(shape, data, moves, start = 0) {
  const out = new Float64Array(product(shape));
  walk(shape, moves, start, (at, offset) => { out[at] = data[offset]; });
  return {shape, data: out};
}

function broadcast(a, shape) {
  if (a.shape.length === shape.length && a.shape.every((size, axis) => size === shape[axis])) return a;
  const missing = shape.length - a.shape.length, strides = steps(a.shape);
  return view(shape, a.data, shape.map((_, axis) => axis < missing || a.shape[axis - missing] === 1 ? 0 : strides[axis - missing]));
}

function elementwise(f, inputs) {
  const rank = Math.max(...inputs.map((a) => a.shape.length));
  const size = (a, axis) => a.shape[axis - rank + a.shape.length] ?? 1;
  const shape = Array.from({length: rank}, (_, axis) => inputs.map((a) => size(a, axis)).reduce((m, n) => n === 1 ? m : n, 1));
  const parts = inputs.map((a) => broadcast(a, shape).data), out = new Float64Array(product(shape));
  for (let at = 0; at < out.length; at++) out[at] = f(parts[0][at], parts[1]?.[at], parts[2]?.[at]);
  return {shape, data: out};
}

function transpose(a, axes) {
  const strides = steps(a.shape);
  return view(axes.map((axis) => a.shape[axis]), a.data, axes.map((axis) => strides[axis]));
}

function reduce(f, a, axes) {
  const free = a.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const shape = free.map((axis) => a.shape[axis]), count = product(axes.map((axis) => a.shape[axis]));
  const turned = transpose(a, [...free, ...axes]).data;
  return {shape, data: Float64Array.from({length: product(shape)}, (_, at) => f(turned.subarray(at * count, (at + 1) * count)))};
}

function matmul(a, b) {
  const m = a.shape.at(-2), k = a.shape.at(-1), n = b.shape.at(-1), batch = a.shape.slice(0, -2);
  const out = new Float64Array(product(batch) * m * n);
  for (let part = 0; part < product(batch); part++)
    for (let row = 0; row < m; row++)
      for (let inner = 0; inner < k; inner++) {
        const value = a.data[(part * m + row) * k + inner];
        for (let column = 0; column < n; column++)
          out[(part * m + row) * n + column] += value * b.data[(part * k + inner) * n + column];
      }
  return {shape: [...batch, m, n], data: out};
}

function concatenate(inputs, axis) {
  const shape = [...inputs[0].shape];
  shape[axis] = inputs.reduce((sum, a) => sum + a.shape[axis], 0);
  const outer = product(shape.slice(0, axis)), out = new Float64Array(product(shape)), width = product(shape.slice(axis));
  let start = 0;
  for (const a of inputs) {
    const part = product(a.shape.slice(axis));
    for (let at = 0; at < outer; at++) out.set(a.data.subarray(at * part, (at + 1) * part), at * width + start);
    start += part;
  }
  return {shape, data: out};
}

function slice(a, slices) {
  const strides = steps(a.shape);
  const ends = slices.map(([first, last, step], axis) => {
    const size = a.shape[axis], end = last === null ? size : Math.min(last < 0 ? last + size : last, size);
    return Math.max(0, Math.ceil((end - first) / step));
  });
  const start = slices.reduce((sum, [first], axis) => sum + first * strides[axis], 0);
  return view(ends, a.data, slices.map(([, , step], axis) => step * strides[axis]), start);
}

function pad(a, value, widths) {
  const shape = a.shape.map((size, axis) => size + widths[axis][0] + widths[axis][1]), strides = steps(shape);
  const out = new Float64Array(product(shape)).fill(value);
  const start = widths.reduce((sum, [low], axis) => sum + low * strides[axis], 0);
  walk(a.shape, strides, start, (at, offset) => { out[offset] = a.data[at]; });
  return {shape, data: out};
}

function take(a, index, axis) {
  const shape = [...a.shape.slice(0, axis), ...index.shape, ...a.shape.slice(axis + 1)];
  const inner = product(a.shape.slice(axis + 1)), size = a.shape[axis], out = new Float64Array(product(shape));
  for (let at = 0; at < out.length; at++) {
    const offset = Math.floor(at / inner), number = index.data[offset % index.data.length];
    out[at] = a.data[(Math.floor(offset / index.data.length) * size + number) * inner + at % inner];
  }
  return {shape, data: out};
}

function top(a, count) {
  const size = a.shape.at(-1), out = [];
  for (let at = 0; at < a.data.length; at += size) out.push(...a.data.slice(at, at + size).sort().reverse().slice(0, count));
  return {shape: [...a.shape.slice(0, -1), count], data: Float64Array.from(out)};
}

function even(x) {
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

const extreme = (better) => (part) => part.reduce((best, value, at) => better(value, part[best]) ? at : best, 0);
const UFUNCS = {
  absolute: Math.abs, add: (a, b) => a + b, arcsinh: Math.asinh, ceil: Math.ceil, cos: Math.cos, divide: (a, b) => a / b,
  equal: (a, b) => a === b, exp: Math.exp, expm1: Math.expm1, floor: Math.floor, greater: (a, b) => a > b,
  greater_equal: (a, b) => a >= b, isfinite: Number.isFinite, less: (a, b) => a < b, less_equal: (a, b) => a <= b,
  log: Math.log, log1p: Math.log1p, logical_and: (a, b) => a && b, logical_not: (a) => !a, logical_or: (a, b) => a || b,
  logical_xor: (a, b) => !a !== !b, maximum: (a, b) => Math.max(a, b), minimum: (a, b) => Math.min(a, b),
  multiply: (a, b) => a * b, negative: (a) => -a, not_equal: (a, b) => a !== b, power: (a, b) => a ** b, rint: even,
  sign: Math.sign, sin: Math.sin, sqrt: Math.sqrt, square: (a) => a * a, subtract: (a, b) => a - b, tan: Math.tan,
  tanh: Math.tanh, where: (a, b, c) => a ? b : c,
};
const REDUCTIONS = {
  sum: (part) => part.reduce((a, b) => a + b, 0), prod: (part) => part.reduce((a, b) => a * b, 1),
  max: (part) => Math.max(...part), min: (part) => Math.min(...part), any: (part) => part.some(Boolean),
  all: (part) => part.every(Boolean), argmax: extreme((a, b) => a > b), argmin: extreme((a, b) => a < b),
};

const CASTS = {bool: Boolean, float32: Math.fround, float64: (a) => a};

function compute(operation, inputs, settings, rows) {
  const [a, b] = inputs, axes = settings.axes;
  const shape = (settings.shape ?? []).map((size) => size < 0 ? -size * rows : size);
  if (operation in UFUNCS) return elementwise(UFUNCS[operation], inputs);
  if (operation in REDUCTIONS) return reduce(REDUCTIONS[operation], a, axes);
  switch (operation) {
    case "reshape": return {shape, data: a.data};
    case "broadcast": return broadcast(a, shape);
    case "transpose": return transpose(a, axes);
    case "flip": {
      const strides = steps(a.shape), start = axes.reduce((sum, axis) => sum + (a.shape[axis] - 1) * strides[axis], 0);
      return view(a.shape, a.data, strides.map((step, axis) => axes.includes(axis) ? -step : step), start);
    }
    case "concatenate": return concatenate(inputs, axes[0]);
    case "slice": return slice(a, settings.slices);
    case "pad": return pad(a, b.data[0], settings.widths);
    case "cast": return elementwise(CASTS[settings.dtype] ?? Math.trunc, inputs);
    case "take": return take(a, b, axes[0]);
    case "top": return top(a, settings.count);
    case "matmul": return matmul(a, b);
  }
  throw new Error(`unknown operation ${operation}`);
}

// The answers of a program to rows, {shape, data}, of the type that it takes.
function evaluate(program, arrays, rows, dtype) {
  const values = [elementwise(CASTS[dtype], [rows])], read = (each) => typeof each === "string" ? arrays[each] : values[each];
  for (const [operation, operands, settings] of program.steps)
    values.push(compute(operation, operands.map(read), settings, rows.shape[0]));
  return program.answers.map(read);
}

// The arrays of a page: {name: [dtype, shape, base64]}.
function unpacked(stored) {
  const kinds = {float32: Float32Array, float64: Float64Array, int32: Int32Array, int64: BigInt64Array, uint8: Uint8Array, bool: Uint8Array};
  return Object.fromEntries(Object.entries(stored).map(([name, [dtype, shape, text]]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return [name, {shape, data: Float64Array.from(new kinds[dtype](bytes.buffer), Number)}];
  }));
}
