// What the parts of the page share: the content, the state, and the computation of all that is shown.

const CARDS = 16; // hidden units shown with their pictures
const ROWS = 12; // classes shown at once

const content = JSON.parse(document.getElementById("content").textContent);
const $ = (id) => document.getElementById(id);
const [HEIGHT, WIDTH] = content.shape;
const names = content.classes;
const networks = {
  full: new Network(content.layers, content.shape, names.length),
  linear: content.linear && new Network(content.linear.layers, content.shape, names.length),
};
const state = { sample: null, selected: null, values: null, seen: null };
const samples = content.samples.map(({ label, pixels }) => ({
  label,
  pixels: Float64Array.from(atob(pixels), (letter) => letter.charCodeAt(0)),
}));

const current = () => ($("linear").checked ? networks.linear : networks.full);
const percent = (p) => `${(100 * p).toFixed(1)}\u00a0%`;
const signed = (x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2);
const quoted = (label) => `“${names[label]}”`;

function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The pixels that the network sees, integers; null for an empty sheet.
function seenPixels() {
  if (state.sample !== null) return samples[state.sample].pixels;
  const convert = $("uncentred").checked ? uncentred : normalised;
  return convert(pad.ink(), content.shape, content.brightest);
}

// Normal numbers that are the same each time, so that noise depends only on its strength.
const normal = (() => {
  let seed = 1;
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed + 0.5) / 2 ** 32;
  };
  const draw = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float64Array.from({ length: HEIGHT * WIDTH }, draw);
})();

function withNoise(pixels) {
  const strength = (content.brightest * $("noise").value) / 100;
  return strength ? pixels.map((value, i) => clip(value + strength * normal[i], 0, content.brightest)) : pixels;
}

function compute() {
  const pixels = seenPixels();
  state.seen = pixels && withNoise(pixels);
  state.values = state.seen && current().classify(state.seen.map((value) => value * content.scale));
  state.label = state.values && state.values.probabilities.indexOf(Math.max(...state.values.probabilities));
}

let isDue = false;
function update() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    compute();
    show();
  });
}
