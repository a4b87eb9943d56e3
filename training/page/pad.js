// The sheet on which one draws, with mouse, pen, finger or keys. Strokes are lists of points in units of 1 / SIDE.

const SIDE = 280; // pixels of the ink that is normalised, whatever the size on the screen
const PEN = 20; // the width of the pen

class Pad {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed; // called after each change
    this.strokes = [];
    this.past = []; // earlier lists of strokes
    this.pointer = null; // the id of the pointer that draws
    this.cursor = { x: SIDE / 2, y: SIDE / 4, isDown: false, isShown: false }; // of the keyboard
    this.hidden = document.createElement("canvas");
    this.hidden.width = this.hidden.height = SIDE;
    this.context = this.hidden.getContext("2d", { willReadFrequently: true });
    for (const kind of ["down", "move", "up", "cancel"]) {
      canvas.addEventListener(`pointer${kind}`, (event) => this[kind](event));
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.show(canvas.matches(":focus-visible")));
    canvas.addEventListener("blur", () => this.show(false));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // ------------------------------------------------------------------------------------------------- pointers

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIDE, ((event.clientY - box.top) / box.height) * SIDE];
  }

  down(event) {
    if (this.pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.show(false);
    this.pointer = event.pointerId;
    this.canvas.setPointerCapture(event.pointerId);
    this.begin(this.place(event));
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length ? events : [event]) this.strokes.at(-1).push(this.place(one));
    this.update();
  }

  up(event) {
    if (event.pointerId === this.pointer) this.pointer = null;
  }

  cancel(event) {
    this.up(event);
  }

  // ----------------------------------------------------------------------------------------------------- keys

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const cursor = this.cursor;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " || event.key === "Enter") {
      cursor.isDown = !cursor.isDown;
      if (cursor.isDown) this.begin([cursor.x, cursor.y]);
    } else if (event.key in moves) {
      const step = event.shiftKey ? 3 : 12;
      cursor.x = clip(cursor.x + step * moves[event.key][0], 0, SIDE);
      cursor.y = clip(cursor.y + step * moves[event.key][1], 0, SIDE);
      if (cursor.isDown) this.strokes.at(-1).push([cursor.x, cursor.y]);
    } else if (event.key === "z") {
      this.undo();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
    this.show(true);
    this.update();
  }

  show(isShown) {
    this.cursor.isShown = isShown;
    if (!isShown) this.cursor.isDown = false;
    this.draw();
  }

  // -------------------------------------------------------------------------------------------------- strokes

  begin(point) {
    this.past.push([...this.strokes]);
    this.strokes.push([point]);
    this.update();
  }

  // Draw other strokes in place of the present ones.
  replace(strokes) {
    this.past.push(this.strokes);
    this.strokes = strokes;
    this.cursor.isDown = false;
    this.update();
  }

  clear() {
    if (this.strokes.length) this.replace([]);
  }

  undo() {
    if (!this.past.length) return;
    this.strokes = this.past.pop();
    this.pointer = null;
    this.cursor.isDown = false;
    this.update();
  }

  update() {
    this.draw();
    this.changed();
  }

  // ------------------------------------------------------------------------------------------------- pictures

  // The ink of the strokes, (SIDE, SIDE) in 0..1.
  ink() {
    this.context.clearRect(0, 0, SIDE, SIDE);
    for (const stroke of this.strokes) trace(this.context, stroke, 1);
    const { data } = this.context.getImageData(0, 0, SIDE, SIDE);
    const ink = sheet(SIDE, SIDE);
    for (let i = 0; i < ink.data.length; i++) ink.data[i] = data[4 * i + 3] / 255;
    return ink;
  }

  draw() {
    const pixels = Math.round(this.canvas.clientWidth * devicePixelRatio) || SIDE;
    if (this.canvas.width !== pixels) this.canvas.width = this.canvas.height = pixels;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, pixels, pixels);
    context.strokeStyle = getComputedStyle(this.canvas).color;
    for (const stroke of this.strokes) trace(context, stroke, pixels / SIDE);
    if (this.cursor.isShown) this.drawCursor(context, pixels / SIDE);
  }

  drawCursor(context, scale) {
    const { x, y, isDown } = this.cursor;
    context.beginPath();
    context.lineWidth = 2 * scale;
    context.strokeStyle = getComputedStyle(this.canvas).outlineColor;
    context.arc(scale * x, scale * y, (scale * PEN) / 2 + 2 * scale, 0, 2 * Math.PI);
    if (!isDown) context.setLineDash([4 * scale, 4 * scale]);
    context.stroke();
    context.setLineDash([]);
  }
}

// A smooth line through points: a quadratic curve from one midpoint to the next.
function trace(context, points, scale) {
  context.lineWidth = PEN * scale;
  context.lineCap = context.lineJoin = "round";
  context.beginPath();
  const [first, ...rest] = points.map(([x, y]) => [scale * x, scale * y]);
  context.moveTo(...first);
  let last = first;
  for (const point of rest) {
    context.quadraticCurveTo(...last, (last[0] + point[0]) / 2, (last[1] + point[1]) / 2);
    last = point;
  }
  context.lineTo(...last);
  context.stroke();
}
