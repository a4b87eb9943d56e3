// From ink to the image that the network sees: a port of to_mnist and to_digits in training/handwriting.py, with the
// same results. A sheet is {height, width, data}, with ink in 0..1.

const sheet = (height, width) => ({ height, width, data: new Float64Array(height * width) });
const largest = (values) => values.reduce((a, b) => Math.max(a, b), 0);

// Round to the nearest integer, and to the even one of two, as Python does.
const rint = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

// The image (H, W) of integers from 0 to brightest; null without ink.
function normalised(ink, [height, width], brightest) {
  if (!largest(ink.data)) return null;
  return height === 8 && width === 8 ? toDigits(ink) : toMnist(ink, height, width, brightest);
}

// The whole sheet, neither cropped nor centred.
function uncentred(ink, [height, width], brightest) {
  if (!largest(ink.data)) return null;
  const small = resized(ink, height, width).data;
  const most = largest(small);
  return small.map((value) => rint((brightest * value) / most));
}

// Fit the ink into 20 x 20 of 28 x 28 pixels, or the same fraction of another size, its centre of mass in the middle.
function toMnist(ink, height, width, brightest) {
  const digit = cropped(ink, 0.25);
  const scale = Math.round((20 / 28) * Math.min(height, width)) / Math.max(digit.height, digit.width);
  const small = resized(digit, Math.max(1, rint(digit.height * scale)), Math.max(1, rint(digit.width * scale)));
  const rows = new Float64Array(small.height), columns = new Float64Array(small.width);
  small.data.forEach((value, i) => {
    rows[Math.floor(i / small.width)] += value;
    columns[i % small.width] += value;
  });
  const top = offset(rows, height), left = offset(columns, width);
  const image = new Float64Array(height * width);
  const most = largest(small.data);
  small.data.forEach((value, i) => {
    const row = top + Math.floor(i / small.width), column = left + (i % small.width);
    image[row * width + column] = rint((brightest * value) / most);
  });
  return image;
}

// Where a profile of ink starts among `length` pixels, so that its centre of mass is in the middle one.
function offset(profile, length) {
  const total = profile.reduce((a, b) => a + b);
  const centre = profile.reduce((sum, value, i) => sum + value * (i + 0.5), 0) / total;
  const start = Math.floor(length / 2) - Math.floor(centre + 1e-3);
  return Math.min(Math.max(start, 0), length - profile.length);
}

// A bitmap of 32 x 32 with strokes of normal width and without slant; the number of set pixels in blocks of 4 x 4.
function toDigits(ink) {
  const stretched = resized(cropped(ink, 0.5), 32, 20);
  const least = 0.5 * largest(stretched.data);
  let bitmap = new Uint8Array(32 * 32);
  stretched.data.forEach((value, i) => {
    if (value >= least) bitmap[Math.floor(i / 20) * 32 + 6 + (i % 20)] = 1;
  });
  bitmap = withoutSlant(normalStrokes(bitmap));
  const image = new Float64Array(64);
  bitmap.forEach((bit, i) => (image[Math.floor(i / 128) * 8 + Math.floor((i % 32) / 4)] += bit));
  return image;
}

function normalStrokes(bitmap) {
  const count = bitmap.reduce((a, b) => a + b);
  for (let i = 0; i < (count < 256) + (count < 108); i++) bitmap = withNeighbours(bitmap, (bits) => bits.some(Boolean));
  for (let i = 0; i < (count > 412) + (count > 560); i++) {
    const thinner = withNeighbours(bitmap, (bits) => bits.every(Boolean));
    if (thinner.some(Boolean)) bitmap = thinner;
  }
  return bitmap;
}

// A function of each pixel and its four neighbours; those outside are clear.
function withNeighbours(bitmap, f) {
  const at = (row, column) => (row < 0 || row > 31 || column < 0 || column > 31 ? 0 : bitmap[row * 32 + column]);
  return bitmap.map((bit, i) => {
    const row = Math.floor(i / 32), column = i % 32;
    return f([bit, at(row - 1, column), at(row + 1, column), at(row, column - 1), at(row, column + 1)]) ? 1 : 0;
  });
}

// Shift the rows such that the third one from the top and that from the bottom start in the same column.
function withoutSlant(bitmap) {
  const row = (i) => bitmap.subarray(32 * i, 32 * i + 32);
  const inked = [...Array(32).keys()].filter((i) => row(i).some(Boolean));
  const top = inked[0] + 2, bottom = inked.at(-1) - 2;
  if (bottom <= top || !row(top).some(Boolean) || !row(bottom).some(Boolean)) return bitmap;
  const slope = (row(top).indexOf(1) - row(bottom).indexOf(1)) / (bottom - top);
  const sheared = new Uint8Array(32 * 32);
  bitmap.forEach((bit, i) => {
    const column = (i % 32) + rint((Math.floor(i / 32) - 16) * slope);
    if (bit && column >= 0 && column < 32) sheared[Math.floor(i / 32) * 32 + column] = 1;
  });
  return sheared;
}

// The bounding box of the ink above `threshold` times its maximum, without specks.
function cropped(ink, threshold) {
  const digit = withoutSpecks(ink);
  const least = threshold * largest(digit.data);
  let top = digit.height, bottom = -1, left = digit.width, right = -1;
  digit.data.forEach((value, i) => {
    if (value <= least) return;
    const row = Math.floor(i / digit.width), column = i % digit.width;
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    left = Math.min(left, column);
    right = Math.max(right, column);
  });
  const box = sheet(bottom - top + 1, right - left + 1);
  for (let row = 0; row < box.height; row++) {
    const start = (top + row) * digit.width + left;
    box.data.set(digit.data.subarray(start, start + box.width), row * box.width);
  }
  return box;
}

// Erase connected parts with less than 3 % of the ink of the largest one, unless next to it, on at most 64 x 64 cells.
function withoutSpecks(ink) {
  const step = Math.ceil(Math.max(ink.height, ink.width) / 64);
  const cells = sheet(Math.ceil(ink.height / step), Math.ceil(ink.width / step));
  const sums = new Float64Array(cells.data.length);
  const cellOf = (i) => Math.floor(Math.floor(i / ink.width) / step) * cells.width + Math.floor((i % ink.width) / step);
  ink.data.forEach((value, i) => {
    cells.data[cellOf(i)] = Math.max(cells.data[cellOf(i)], value);
    sums[cellOf(i)] += value;
  });
  const least = 0.1 * largest(ink.data);
  const part = new Int32Array(cells.data.length); // 0: no part
  const mass = [0];
  for (let first = 0; first < part.length; first++) {
    if (part[first] || cells.data[first] <= least) continue;
    part[first] = mass.push(0) - 1;
    const open = [first];
    while (open.length) {
      const cell = open.pop();
      mass[part[first]] += sums[cell];
      for (const next of around(cells, cell)) {
        if (part[next] || cells.data[next] <= least) continue;
        part[next] = part[first];
        open.push(next);
      }
    }
  }
  const enough = 0.03 * largest(mass);
  const kept = new Uint8Array(part.length);
  part.forEach((number, cell) => {
    if (number && mass[number] >= enough) for (const next of around(cells, cell)) kept[next] = 1;
  });
  return { ...ink, data: ink.data.map((value, i) => (kept[cellOf(i)] ? value : 0)) };
}

// A cell and those of its eight neighbours that exist.
function around({ height, width }, cell) {
  const row = Math.floor(cell / width), column = cell % width;
  const cells = [];
  for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, height - 1); y++) {
    for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, width - 1); x++) cells.push(y * width + x);
  }
  return cells;
}

// Each new pixel is the mean over the area that it covers, fractions of pixels included.
function resized(old, height, width) {
  const across = shrunk(old.data, old.height, old.width, width);
  const columns = shrunk(transposed(across, old.height, width), width, old.height, height);
  return { height, width, data: transposed(columns, width, height) };
}

// Resize the rows of `count` rows from `before` to `after` pixels.
function shrunk(values, count, before, after) {
  const result = new Float64Array(count * after);
  for (let j = 0; j < after; j++) {
    const start = j * (before / after), end = (j + 1) * (before / after);
    for (let i = Math.floor(start); i < Math.min(Math.ceil(end), before); i++) {
      const overlap = Math.max(Math.min(end, i + 1) - Math.max(start, i), 0) * (after / before);
      for (let row = 0; row < count; row++) result[row * after + j] += overlap * values[row * before + i];
    }
  }
  return result;
}

function transposed(values, height, width) {
  return values.map((_, i) => values[(i % height) * width + Math.floor(i / height)]);
}
