// The whole page: what is drawn or changed goes through the network, and everything is shown anew.

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
  const data = content.data ? `, trained on ${content.data}` : "";
  const number = (n) => n.toLocaleString("en");
  const rate = (100 * content.accuracy).toFixed(2);
  const tests = content.accuracy && `; it classifies ${rate}\u00a0% of ${number(content.tests)} test images correctly`;
  $("summary").textContent =
    `${steps}. A network with ${number(content.parameters)} weights${data}${tests ?? ""}.`;
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
