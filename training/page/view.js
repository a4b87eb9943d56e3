// The page: what is drawn goes through the network, and everything that depends on it is shown.

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
const bySize = (a, b) => b - a;

function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// ------------------------------------------------------------------------------------------------- computation

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

// -------------------------------------------------------------------------------------------------- the answer

const rows = Array.from({ length: Math.min(names.length, ROWS) }, () => {
  const row = {
    name: create("span"),
    bar: create("div", { className: "bar" }),
    number: create("span", { className: "number" }),
  };
  const track = create("div", { className: "track" }, row.bar);
  row.element = create("li", { className: "row" }, row.name, track, row.number);
  $("classes").append(row.element);
  return row;
});

function showAnswer() {
  const { values, label } = state;
  const shown = [...names.keys()]; // all classes in their order, or the most likely ones of many
  if (values && names.length > ROWS) shown.sort((a, b) => values.probabilities[b] - values.probabilities[a]);
  rows.forEach(({ element, name, bar, number }, i) => {
    const p = values ? values.probabilities[shown[i]] : 0;
    element.classList.toggle("best", shown[i] === label);
    name.textContent = names[shown[i]];
    bar.style.width = `${100 * p}%`;
    number.textContent = values ? percent(p) : "";
  });
  $("winner").textContent = values ? names[label] : "?";
  $("winner").className = values && names[label].length > 3 ? "word" : "";
  $("certainty").textContent = values ? percent(values.probabilities[label]) : "";
  paintImage($("seen"), state.seen ?? new Float64Array(HEIGHT * WIDTH), content.shape, content.brightest);
  say(values ? `${names[label]}, ${percent(values.probabilities[label])}` : "The sheet is empty.");
}

let timer = null;
function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => ($("spoken").textContent = text), 500); // not while drawing
}

// --------------------------------------------------------------------------------------------- the hidden units

const cards = Array.from({ length: CARDS }, () => {
  const card = {
    picture: create("canvas"),
    adds: create("span", { className: "adds" }),
    name: create("span", { className: "name" }),
  };
  card.element = create("button", { type: "button", className: "unit" }, card.picture, card.adds, card.name);
  card.element.onclick = () => select(card.unit);
  $("units").append(card.element);
  return card;
});

const unitName = (network, unit) => `${network.isConvolutional ? "channel" : "unit"} ${unit + 1}`;

function showUnits() {
  const network = current();
  $("units-title").textContent = network.isLinear ? "A picture for each class" : "Hidden units";
  $("units").hidden = !network.head;
  $("field").hidden = !network.head || network.isLinear;
  if (!network.head) {
    $("sum").textContent = "The last layer is not linear: no unit adds a number of its own to a class.";
    $("legend").textContent = "";
  } else if (network.isLinear) {
    showTemplates(network);
  } else {
    showHidden(network);
  }
  showDetail(network);
  showMaps(network);
}

// Without hidden layers, the weights of a class are one picture, which is multiplied with the image.
function showTemplates(network) {
  const { values } = state;
  const labels = [...names.keys()];
  if (values) labels.sort((a, b) => values.logits[b] - values.logits[a]);
  $("sum").textContent =
    "Each class has one picture of weights. The image times this picture, summed, is its logit; the largest logit wins.";
  cards.forEach(({ element, picture, adds, name }, i) => {
    const label = labels[i];
    element.hidden = label === undefined;
    if (element.hidden) return;
    element.disabled = true;
    element.classList.remove("off");
    element.removeAttribute("aria-pressed");
    const weights = Float64Array.from({ length: network.units }, (_, i) => network.weight(i, label));
    paintSigned(picture, weights, HEIGHT, WIDTH);
    adds.textContent = values ? signed(values.logits[label]) : "";
    adds.className = values ? `adds ${values.logits[label] < 0 ? "minus" : "plus"}` : "adds";
    name.textContent = names[label];
  });
  $("legend").textContent = "Orange: ink here speaks for the class. Blue: ink here speaks against it.";
}

function showHidden(network) {
  const { values, label } = state;
  const units = [...Array(network.units).keys()];
  const what = network.isConvolutional ? "channels" : "units";
  const nothing = values ?? network.classify(new Float64Array(HEIGHT * WIDTH));
  const weight = (unit) => Math.hypot(...names.map((_, label) => network.weight(unit * network.perUnit, label)));
  const adds = units.map((unit) => (values ? network.adds(values, unit, label) : weight(unit)));
  units.sort((a, b) => Math.abs(adds[b]) - Math.abs(adds[a]));
  const fixed = [...network.off].sort(bySize);
  const others = units.filter((unit) => !network.off.has(unit)).slice(0, Math.max(CARDS - fixed.length, CARDS / 2));
  const listed = [...others, ...fixed].slice(0, CARDS);
  cards.forEach((card, i) => {
    const unit = listed[i];
    card.element.hidden = unit === undefined;
    if (card.element.hidden) return;
    card.unit = unit;
    card.element.disabled = false;
    card.element.classList.toggle("off", network.off.has(unit));
    card.element.setAttribute("aria-pressed", String(state.selected === unit));
    paintSigned(card.picture, network.picture(nothing, unit, label ?? 0), HEIGHT, WIDTH);
    card.adds.textContent = network.off.has(unit) ? "off" : values ? signed(adds[unit]) : "";
    card.adds.className = `adds ${values && adds[unit] ? (adds[unit] < 0 ? "minus" : "plus") : ""}`;
    card.name.textContent = unitName(network, unit);
  });
  const subject = network.isConvolutional ? "what the channel adds to the class" : "the unit";
  $("legend").textContent = network.isShallow
    ? "Each picture shows the weights of a unit. Orange: ink here makes it fire. Blue: ink here keeps it quiet."
    : `Each picture shows the gradient of ${subject} with respect to the pixels. ` +
      "Orange: more ink here raises it. Blue: more ink here lowers it.";
  showSum(network, adds, what);
  showField(network, values ? adds : []);
}

// The logit of the winning class as a sum.
function showSum(network, adds, what) {
  const { values, label } = state;
  if (!values) {
    $("sum").textContent = `The last hidden layer has ${network.units} ${what}. Draw to see which of them fire.`;
    return;
  }
  const fired = adds.filter((_, unit) => network.fires(values, unit)).length;
  const total = (sign) => adds.reduce((sum, value) => sum + (Math.sign(value) === sign ? value : 0), 0);
  const bias = network.head.bias ? network.head.bias.data[label] : 0;
  $("sum").replaceChildren(
    `${fired} of ${network.units} ${what} fired. For ${quoted(label)} they add `,
    create("b", { className: "plus", textContent: signed(total(1)) }), " and ",
    create("b", { className: "minus", textContent: signed(total(-1)) }), `; with the bias ${signed(bias)}, the logit is `,
    create("b", { textContent: signed(values.logits[label]) }), ".",
  );
}

// All units as small squares, coloured by what they add.
function showField(network, adds) {
  const columns = Math.min(network.units, 40);
  const height = Math.ceil(network.units / columns);
  const most = adds.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
  const values = Array.from({ length: columns * height }, (_, unit) => (adds[unit] ?? 0) / most);
  const root = (value) => Math.sign(value) * Math.sqrt(Math.abs(value)); // small ones are seen, too
  paint($("field"), values.map(root), height, columns, signedColour);
}

function showMaps(network) {
  $("layers").hidden = network.isLinear || !network.body.some((layer) => layer.kind === "conv");
  if ($("layers").hidden || !$("layers").open) return;
  const maps = state.values ? network.maps(state.values) : [];
  $("maps").replaceChildren(...maps.map(mapRow));
}

function mapRow({ shape: [channels, height, width], data }) {
  const area = height * width;
  const pictures = Array.from({ length: Math.min(channels, 32) }, (_, channel) => {
    const canvas = create("canvas");
    paintSigned(canvas, data.subarray(channel * area, (channel + 1) * area), height, width);
    return canvas;
  });
  const title = create("p", { className: "note", textContent: `${channels} channels of ${height} × ${width}` });
  return create("div", { className: "map-row" }, title, create("div", {}, ...pictures));
}

// ------------------------------------------------------------------------------------------- one selected unit

const detailRows = Array.from({ length: Math.min(names.length, ROWS) }, () => {
  const row = { name: create("span"), bar: create("i"), number: create("span", { className: "number" }) };
  row.element = create("li", { className: "row" }, row.name, create("div", { className: "signed" }, row.bar), row.number);
  $("detail-classes").append(row.element);
  return row;
});

function select(unit) {
  state.selected = state.selected === unit ? null : unit;
  show();
}

// The key in Network.frozen of the weight from the selected unit to the class of the slider.
function frozenKey() {
  const network = current();
  const held = [...network.frozen.keys()].find((key) => key.startsWith(`${state.selected} `));
  return held ?? `${state.selected} ${state.label ?? 0}`;
}

function showDetail(network) {
  const { selected, values, label } = state;
  $("detail").hidden = selected === null || network.isLinear || !network.head;
  if ($("detail").hidden) return;
  $("detail-title").textContent = unitName(network, selected).replace(/^./, (letter) => letter.toUpperCase());
  const nothing = values ?? network.classify(new Float64Array(HEIGHT * WIDTH));
  paintSigned($("detail-picture"), network.picture(nothing, selected, label ?? 0), HEIGHT, WIDTH);
  const adds = names.map((_, label) => (values ? network.adds(values, selected, label) : 0));
  const most = Math.max(...adds.map(Math.abs)) || 1;
  const order = [...names.keys()];
  if (names.length > ROWS) order.sort((a, b) => Math.abs(adds[b]) - Math.abs(adds[a]));
  detailRows.forEach(({ element, name, bar, number }, i) => {
    const value = adds[order[i]];
    element.classList.toggle("best", order[i] === label);
    name.textContent = names[order[i]];
    bar.className = value < 0 ? "minus" : "plus";
    bar.style.width = `${(50 * Math.abs(value)) / most}%`;
    number.textContent = values ? signed(value) : "";
  });
  $("off").checked = network.off.has(selected);
  $("freeze").hidden = network.isConvolutional; // a channel has many weights
  const key = frozenKey();
  const [unit, to] = key.split(" ").map(Number);
  const value = network.frozen.get(key) ?? network.weight(unit, to);
  $("frozen").checked = network.frozen.has(key);
  const title = create("b", { textContent: "Frozen weight." });
  $("frozen-text").replaceChildren(title, ` The weight from this unit to ${quoted(to)} keeps the value below.`);
  $("weight").disabled = !network.frozen.has(key);
  $("weight").value = value;
  $("weight").setAttribute("aria-label", `Weight to ${names[to]}`);
  $("weight-value").textContent = signed(value);
}

function showChanges() {
  const { off, frozen } = networks.full;
  const count = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
  const { isConvolutional } = networks.full;
  const parts = [];
  if (off.size) parts.push(`${count(off.size, isConvolutional ? "channel" : "unit")} switched off`);
  if (frozen.size) parts.push(`${count(frozen.size, "weight")} frozen`);
  const example = isConvolutional
    ? "a channel to switch it off."
    : "a hidden unit to switch it off, or to freeze one of its weights.";
  $("changes").textContent = parts.length ? `${parts.join(", ")}.` : `Select ${example}`;
  $("changes").hidden = networks.full.isLinear || !networks.full.head;
  $("restore").hidden = !parts.length;
}

// ------------------------------------------------------------------------------------------------- all together

function show() {
  $("invitation").hidden = pad.strokes.length > 0 || state.sample !== null;
  $("undo").disabled = !pad.past.length;
  $("clear").disabled = $("save").disabled = !pad.strokes.length;
  $("clear").disabled &&= state.sample === null;
  $("noise-value").textContent = `${$("noise").value} %`;
  $("seen-caption").textContent = `${HEIGHT} × ${WIDTH} pixels, as the network sees them`;
  sampleButtons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === state.sample)));
  $("sample").hidden = state.sample === null;
  if (state.sample !== null) paintImage($("sample"), samples[state.sample].pixels, content.shape, content.brightest);
  showAnswer();
  showUnits();
  showChanges();
}

// The strokes as a picture that evaluate.py --image reads: black ink on white.
function picture() {
  const canvas = create("canvas", { width: SIDE, height: SIDE });
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  pad.ink().data.forEach((value, i) => image.data.set([...Array(3).fill(255 - Math.round(255 * value)), 255], 4 * i));
  context.putImageData(image, 0, 0);
  return canvas.toDataURL("image/png");
}

function describe() {
  const isDigits = names.join("") === "0123456789";
  const what = isDigits ? "digit" : names.every((name) => name.length === 1) ? "character" : "picture";
  document.title = $("title").textContent = `Draw a ${what}`;
  const sizes = content.layers
    .filter(({ kind }) => kind === "linear" || kind === "conv")
    .map(({ kind, weight }) => (kind === "conv" ? `${weight.shape[0]} filters` : `${weight.shape[1]} hidden units`))
    .slice(0, -1);
  const steps = [`${HEIGHT} × ${WIDTH} pixels`, ...sizes, `${names.length} classes`].join(" → ");
  const number = (n) => n.toLocaleString("en");
  const rate = (100 * content.accuracy).toFixed(2);
  const accuracy = content.accuracy && `; it classifies ${rate}\u00a0% of ${number(content.tests)} test images correctly`;
  $("summary").textContent =
    `${steps}. A network with ${number(content.parameters)} weights, trained on ${content.data}${accuracy ?? ""}.`;
  $("linear").disabled = !networks.linear;
  $("linear-text").textContent = networks.linear
    ? `One linear layer, trained on the same images: ${percent(content.linear.accuracy)} of the test images right in ` +
      `place of ${percent(content.accuracy)}.`
    : "Not in this file: the data set was not at hand when it was made.";
}

const pad = new Pad($("pad"), () => {
  if (pad.strokes.length) state.sample = null;
  update();
});

const sampleButtons = samples.map(({ label, pixels }, i) => {
  const picture = create("canvas");
  const button = create("button", { type: "button", title: names[label] }, picture);
  button.setAttribute("aria-label", `Test image of class ${names[label]}`);
  button.onclick = () => {
    state.sample = state.sample === i ? null : i;
    pad.strokes.length ? pad.replace([]) : update();
  };
  $("samples").append(button);
  return button;
});

function paintSamples() {
  sampleButtons.forEach((button, i) => {
    paintImage(button.firstChild, samples[i].pixels, content.shape, content.brightest);
  });
}

function setTheme() {
  $("theme").textContent = isDark() ? "Light" : "Dark";
  pad.draw();
  paintSamples();
  update();
}

$("undo").onclick = () => pad.undo();
$("clear").onclick = () => {
  state.sample = null;
  pad.clear();
  update();
};
$("save").onclick = () => create("a", { href: picture(), download: "drawing.png" }).click();
for (const id of ["uncentred", "linear"]) $(id).onchange = update;
$("noise").oninput = update;
$("restore").onclick = () => {
  networks.full.off.clear();
  networks.full.frozen.clear();
  update();
};
$("close").onclick = () => select(state.selected);
$("off").onchange = () => {
  networks.full.off[$("off").checked ? "add" : "delete"](state.selected);
  update();
};
$("frozen").onchange = () => {
  const key = frozenKey();
  const [unit, label] = key.split(" ").map(Number);
  if ($("frozen").checked) networks.full.frozen.set(key, networks.full.weight(unit, label));
  else networks.full.frozen.delete(key);
  update();
};
$("weight").oninput = () => {
  networks.full.frozen.set(frozenKey(), Number($("weight").value));
  update();
};
$("layers").ontoggle = update;
$("theme").onclick = () => {
  document.documentElement.style.colorScheme = isDark() ? "light" : "dark";
  setTheme();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
document.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  pad.undo();
});

describe();
setTheme();
