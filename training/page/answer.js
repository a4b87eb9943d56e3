// The answer of the network: the image that it sees, its class, and the probabilities.

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
