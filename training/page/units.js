// The hidden units, their pictures and what they add; and one of them, to be changed.

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
    "Each class has one picture of weights. The image times this picture, summed, is its logit; the largest wins.";
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
  const fixed = [...network.off];
  const others = units
    .filter((unit) => adds[unit] && !network.off.has(unit))
    .slice(0, Math.max(CARDS - fixed.length, CARDS / 2));
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
    create("b", { className: "minus", textContent: signed(total(-1)) }),
    `; with the bias ${signed(bias)}, the logit is `,
    create("b", { textContent: signed(values.logits[label]) }), ".",
  );
}

// All units as small squares, coloured by what they add.
function showField(network, adds) {
  const columns = Math.min(network.units, 40);
  const height = Math.ceil(network.units / columns);
  const most = magnitude(adds);
  const values = Array.from({ length: columns * height }, (_, unit) => (adds[unit] ?? 0) / most);
  const root = (value) => Math.sign(value) * Math.sqrt(Math.abs(value)); // small ones are seen, too
  paint($("field"), values.map(root), height, columns, signedColour);
}

function showMaps(network) {
  $("layers").hidden = network.isLinear || !network.body.some((layer) => layer.kind === "conv");
  if ($("layers").hidden || !$("layers").open) return;
  const maps = state.values ? network.maps(state.values).filter(({ shape }) => shape[1] * shape[2] > 1) : [];
  $("maps").replaceChildren(...maps.map(mapRow));
}

function mapRow({ shape: [channels, height, width], data }) {
  const area = height * width;
  const pictures = Array.from({ length: Math.min(channels, 32) }, (_, channel) => {
    const canvas = create("canvas");
    paintSigned(canvas, data.subarray(channel * area, (channel + 1) * area), height, width, magnitude(data));
    return canvas;
  });
  const title = create("p", { className: "note", textContent: `${channels} channels of ${height} × ${width}` });
  return create("div", { className: "map-row" }, title, create("div", {}, ...pictures));
}

// --------------------------------------------------------------------------------------------------- one selected unit

const detailRows = Array.from({ length: Math.min(names.length, ROWS) }, () => {
  const row = { name: create("span"), bar: create("i"), number: create("span", { className: "number" }) };
  const track = create("div", { className: "signed" }, row.bar);
  row.element = create("li", { className: "row" }, row.name, track, row.number);
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
