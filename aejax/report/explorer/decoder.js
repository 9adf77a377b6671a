// The decoder: matrix products and elementwise functions, nothing else.

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const floatsOf = (text) => new Float32Array(bytesOf(text).buffer);

const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
const clip = (z, low, high) => Math.min(Math.max(z, low), high);
const elu = (z) => (z > 0 ? z : Math.expm1(z));

const ACTIVATIONS = {
  linear: (z) => z,
  sigmoid,
  hard_sigmoid: (z) => clip(z + 3, 0, 6) / 6,
  tanh: Math.tanh,
  hard_tanh: (z) => clip(z, -1, 1),
  soft_sign: (z) => z / (1 + Math.abs(z)),
  relu: (z) => Math.max(z, 0),
  relu6: (z) => clip(z, 0, 6),
  leaky_relu: (z) => (z > 0 ? z : 0.01 * z),
  softplus,
  elu,
  celu: elu,
  selu: (z) => 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * Math.expm1(z)),
  gelu: (z) => 0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3))),
  silu: (z) => z * sigmoid(z),
  mish: (z) => z * Math.tanh(softplus(z)),
};

// The layers of a fragment; one that shows the same run as the fragment before it has that one's after its own.
let before = [];

function layersOf(data) {
  const unpack = ({ kernel, bias, activation }) => ({ kernel: floatsOf(kernel), bias: floatsOf(bias), activation });
  const layers = data.layers && data.layers.map(unpack);
  before = data.inherits ? [...layers, ...before] : layers;
  return before;
}

// a = f(z W + b) for each layer; kernels are (inputs, units), row after row.
function decode(layers, code) {
  let values = Float64Array.from(code);
  for (const { kernel, bias, activation } of layers) {
    const units = bias.length;
    const sums = Float64Array.from(bias);
    values.forEach((value, input) => {
      for (let unit = 0; unit < units; unit++) sums[unit] += value * kernel[input * units + unit];
    });
    values = sums.map((z) => ACTIVATIONS[activation](z));
  }
  return values;
}
