// Arrays as pictures: brightness for pixels, two colours for signed numbers.

const COLOURS = {
  light: {
    zero: [255, 255, 255],
    plus: [[245, 170, 60], [150, 70, 0]],
    minus: [[92, 152, 214], [8, 44, 104]],
    ink: [29, 27, 22],
  },
  dark: {
    zero: [26, 29, 35],
    plus: [[190, 112, 26], [255, 205, 120]],
    minus: [[44, 98, 164], [160, 208, 255]],
    ink: [240, 237, 230],
  },
};

// Whether the page is dark: by its button, or by the setting of the system.
function isDark() {
  const chosen = document.documentElement.style.colorScheme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const mixed = (a, b, t) => a.map((value, i) => Math.round(value + t * (b[i] - value)));

// The colour of a number in -1..1: from zero to a clear colour at one half, and on to an intense one.
function signedColour(value, { zero, plus, minus }) {
  const [middle, end] = value > 0 ? plus : minus;
  const size = Math.min(Math.abs(value), 1);
  return size < 0.5 ? mixed(zero, middle, 2 * size) : mixed(middle, end, 2 * size - 1);
}

function inkColour(value, { zero, ink }) {
  return mixed(zero, ink, value);
}

// Draw (height, width) values with colour(value, colours), one pixel of the canvas for each.
function paint(canvas, values, height, width, colour) {
  const colours = COLOURS[isDark() ? "dark" : "light"];
  canvas.height = height;
  canvas.width = width;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let i = 0; i < values.length; i++) image.data.set([...colour(values[i], colours), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

// Integers from 0 to brightest.
function paintImage(canvas, pixels, [height, width], brightest) {
  paint(canvas, pixels.map((value) => value / brightest), height, width, inkColour);
}

const magnitude = (values) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;

// Signed numbers, relative to the largest magnitude.
function paintSigned(canvas, values, height, width, most = magnitude(values)) {
  paint(canvas, values.map((value) => value / most), height, width, signedColour);
}
