"use strict";
// A trained network: its values for an image, and the gradient of any of them with respect to the pixels.
// A value is {shape, data}, for one image, without an axis of the batch.

function unpack({ shape, scale, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const halves = new DataView(bytes.buffer);
  const values = new Float64Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) values[i] = scale * half(halves.getUint16(2 * i, true));
  return { shape, data: values };
}

// The number that 16 bits represent in half precision (IEEE 754).
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

// The layers with their arrays unpacked.
function loaded(layers) {
  return layers.map((layer) => {
    const copy = { ...layer };
    for (const name of ["weight", "bias"]) if (layer[name]) copy[name] = unpack(layer[name]);
    for (const name of ["layers", "shortcut"]) if (layer[name]) copy[name] = loaded(layer[name]);
    return copy;
  });
}

const size = (shape) => shape.reduce((product, length) => product * length, 1);
const zeros = (shape) => ({ shape, data: new Float64Array(size(shape)) });

// ---------------------------------------------------------------------------------------- activation functions

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const softplus = (x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0);
const clip = (x, low, high) => Math.min(Math.max(x, low), high);
const elu = (x, alpha) => (x > 0 ? x : alpha * Math.expm1(x));

// The error function to 2e-7: Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return Math.sign(x) * (1 - t * series.reduce((sum, a) => sum * t + a) * Math.exp(-x * x));
}

const FUNCTIONS = {
  CELU: (x, { alpha = 1 }) => (x > 0 ? x : alpha * Math.expm1(x / alpha)),
  ELU: (x, { alpha = 1 }) => elu(x, alpha),
  GELU: (x, { approximate = "none" }) =>
    approximate === "tanh"
      ? x * sigmoid(2 * Math.sqrt(2 / Math.PI) * x * (1 + 0.044715 * x * x))
      : (x * (1 + erf(x / Math.SQRT2))) / 2,
  Hardsigmoid: (x) => clip(x + 3, 0, 6) / 6,
  Hardswish: (x) => (x * clip(x + 3, 0, 6)) / 6,
  Hardtanh: (x, { min_val = -1, max_val = 1 }) => clip(x, min_val, max_val),
  LeakyReLU: (x, { negative_slope = 0.01 }) => (x > 0 ? x : negative_slope * x),
  LogSigmoid: (x) => -softplus(-x),
  Mish: (x) => x * Math.tanh(softplus(x)),
  ReLU: (x) => Math.max(x, 0),
  ReLU6: (x) => clip(x, 0, 6),
  SELU: (x) => 1.0507009873554805 * elu(x, 1.6732632423543773),
  SiLU: (x) => x * sigmoid(x),
  Sigmoid: sigmoid,
  Softplus: softplus,
  Softsign: (x) => x / (1 + Math.abs(x)),
  Tanh: Math.tanh,
};

function elementwise(name) {
  const f = FUNCTIONS[name];
  const h = 1e-4;
  return {
    forward: (layer, x) => ({ shape: x.shape, data: x.data.map((value) => f(value, layer)) }),
    // The slope is a difference: one formula for all functions, exact for those of straight lines.
    backward: (layer, x, _y, g) => ({
      shape: x.shape,
      data: x.data.map((value, i) => (g.data[i] * (f(value + h, layer) - f(value - h, layer))) / (2 * h)),
    }),
  };
}

// ------------------------------------------------------------------------------------------------------ layers

// For each position in the kernel, the pixels of a channel that it is applied to, and the pixels of the result.
function taps(layer, kernel, [height, width]) {
  if (layer.taps) return layer.taps;
  const { stride, padding, dilation } = layer;
  const length = (n, axis) =>
    Math.floor((n + padding[axis][0] + padding[axis][1] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1;
  const shape = [length(height, 0), length(width, 1)];
  const list = [];
  for (let row = 0; row < kernel[0]; row++) {
    for (let column = 0; column < kernel[1]; column++) {
      const from = [], to = [];
      for (let i = 0; i < shape[0]; i++) {
        for (let j = 0; j < shape[1]; j++) {
          const y = i * stride[0] - padding[0][0] + row * dilation[0];
          const x = j * stride[1] - padding[1][0] + column * dilation[1];
          if (y < 0 || y >= height || x < 0 || x >= width) continue;
          from.push(y * width + x);
          to.push(i * shape[1] + j);
        }
      }
      list.push({ from: Int32Array.from(from), to: Int32Array.from(to) });
    }
  }
  layer.taps = { list, shape, area: size(shape) };
  return layer.taps;
}

// Call visit(weight, from, to, input channel, output channel) for all weights of a convolution.
function eachWeight(layer, x, visit) {
  const [outputs, inputs, ...kernel] = layer.weight.shape;
  const { list, shape, area } = taps(layer, kernel, x.shape.slice(1));
  const perGroup = outputs / layer.groups;
  let index = 0;
  for (let o = 0; o < outputs; o++) {
    const first = Math.floor(o / perGroup) * inputs;
    for (let c = 0; c < inputs; c++) {
      for (const { from, to } of list) visit(layer.weight.data[index++], from, to, first + c, o);
    }
  }
  return { shape: [outputs, ...shape], area };
}

function eachWindow(layer, x, visit) {
  const { list, shape, area } = taps(layer, layer.kernel, x.shape.slice(1));
  const inside = size(x.shape.slice(1));
  for (let c = 0; c < x.shape[0]; c++) {
    for (const { from, to } of list) visit(from, to, c * inside, c * area, list.length);
  }
  return [x.shape[0], ...shape];
}

const poolShape = (layer, x) => [x.shape[0], ...taps(layer, layer.kernel, x.shape.slice(1)).shape];

const KINDS = {
  linear: {
    forward({ weight, bias }, x) {
      const outputs = weight.shape[1];
      const y = bias ? bias.data.slice() : new Float64Array(outputs);
      x.data.forEach((value, i) => {
        if (value) for (let o = 0; o < outputs; o++) y[o] += value * weight.data[i * outputs + o];
      });
      return { shape: [outputs], data: y };
    },
    backward({ weight }, x, _y, g) {
      const outputs = weight.shape[1];
      const gradient = zeros(x.shape);
      g.data.forEach((value, o) => {
        if (value) for (let i = 0; i < x.data.length; i++) gradient.data[i] += value * weight.data[i * outputs + o];
      });
      return gradient;
    },
  },

  conv: {
    forward(layer, x) {
      const { shape, area } = taps(layer, layer.weight.shape.slice(2), x.shape.slice(1));
      const y = zeros([layer.weight.shape[0], ...shape]);
      if (layer.bias) layer.bias.data.forEach((value, o) => y.data.fill(value, o * area, (o + 1) * area));
      const inside = size(x.shape.slice(1));
      eachWeight(layer, x, (weight, from, to, c, o) => {
        for (let p = 0; p < from.length; p++) y.data[o * area + to[p]] += weight * x.data[c * inside + from[p]];
      });
      return y;
    },
    backward(layer, x, y, g) {
      const gradient = zeros(x.shape);
      const inside = size(x.shape.slice(1)), area = size(y.shape.slice(1));
      eachWeight(layer, x, (weight, from, to, c, o) => {
        for (let p = 0; p < from.length; p++) gradient.data[c * inside + from[p]] += weight * g.data[o * area + to[p]];
      });
      return gradient;
    },
  },

  "max pool": {
    forward(layer, x) {
      const y = zeros(poolShape(layer, x));
      y.data.fill(-Infinity);
      eachWindow(layer, x, (from, to, input, output) => {
        for (let p = 0; p < from.length; p++) {
          y.data[output + to[p]] = Math.max(y.data[output + to[p]], x.data[input + from[p]]);
        }
      });
      return y;
    },
    backward(layer, x, y, g) {
      const gradient = zeros(x.shape);
      const given = new Uint8Array(y.data.length); // the first of equal pixels gets all
      eachWindow(layer, x, (from, to, input, output) => {
        for (let p = 0; p < from.length; p++) {
          const at = output + to[p];
          if (given[at] || x.data[input + from[p]] !== y.data[at]) continue;
          given[at] = 1;
          gradient.data[input + from[p]] += g.data[at];
        }
      });
      return gradient;
    },
  },

  "mean pool": {
    forward(layer, x) {
      const y = zeros(poolShape(layer, x));
      eachWindow(layer, x, (from, to, input, output, count) => {
        for (let p = 0; p < from.length; p++) y.data[output + to[p]] += x.data[input + from[p]] / count;
      });
      return y;
    },
    backward(layer, x, _y, g) {
      const gradient = zeros(x.shape);
      eachWindow(layer, x, (from, to, input, output, count) => {
        for (let p = 0; p < from.length; p++) gradient.data[input + from[p]] += g.data[output + to[p]] / count;
      });
      return gradient;
    },
  },

  // A weight and a bias for each element, or for each channel.
  scale: {
    forward({ weight, bias }, x) {
      const repeat = x.data.length / weight.data.length;
      const at = (i) => Math.floor(i / repeat);
      return { shape: x.shape, data: x.data.map((value, i) => value * weight.data[at(i)] + bias.data[at(i)]) };
    },
    backward({ weight }, x, _y, g) {
      const repeat = x.data.length / weight.data.length;
      return { shape: x.shape, data: g.data.map((value, i) => value * weight.data[Math.floor(i / repeat)]) };
    },
  },

  // Mean 0 and variance 1 in each of the groups, as in layer and group normalization.
  standardize: {
    forward: (layer, x) => eachGroup(layer, x, (values, deviation) => values.map((value) => value / deviation)),
    backward: (layer, x, y, g) =>
      eachGroup(layer, x, (values, deviation, start) => {
        const end = start + values.length;
        const outer = g.data.subarray(start, end), inner = y.data.subarray(start, end);
        const along = mean(outer.map((value, i) => value * inner[i])), level = mean(outer);
        return values.map((_, i) => (outer[i] - level - inner[i] * along) / deviation);
      }),
  },

  reshape: {
    forward: (layer, x) => ({ shape: layer.shape, data: x.data }),
    backward: (_layer, x, _y, g) => ({ shape: x.shape, data: g.data }),
  },

  residual: {
    forward({ layers, shortcut }, x) {
      const one = run(layers, x).at(-1), two = run(shortcut, x).at(-1);
      return { shape: one.shape, data: one.data.map((value, i) => value + two.data[i]) };
    },
    backward({ layers, shortcut }, x, _y, g) {
      const [one, two] = [layers, shortcut].map((part) => pullback(part, run(part, x), g));
      return { shape: x.shape, data: one.data.map((value, i) => value + two.data[i]) };
    },
  },

  ...Object.fromEntries(Object.keys(FUNCTIONS).map((name) => [name, elementwise(name)])),
};

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Replace each group by transform(the group minus its mean, its standard deviation, its start).
function eachGroup({ groups, eps }, x, transform) {
  const length = x.data.length / groups;
  const result = zeros(x.shape);
  for (let start = 0; start < x.data.length; start += length) {
    const values = x.data.slice(start, start + length);
    const centre = mean(values);
    const moved = values.map((value) => value - centre);
    result.data.set(transform(moved, Math.sqrt(mean(moved.map((value) => value * value)) + eps), start), start);
  }
  return result;
}

// ----------------------------------------------------------------------------------------------------- network

// The input and the results of all layers.
function run(layers, x) {
  const values = [x];
  for (const layer of layers) values.push(KINDS[layer.kind].forward(layer, values.at(-1)));
  return values;
}

// The gradient with respect to values[0], given the gradient with respect to the result of the last of the layers.
function pullback(layers, values, gradient) {
  for (let i = layers.length - 1; i >= 0; i--) {
    gradient = KINDS[layers[i].kind].backward(layers[i], values[i], values[i + 1], gradient);
  }
  return gradient;
}

function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
