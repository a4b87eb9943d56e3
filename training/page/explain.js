// What a network computes for an image, and what each hidden unit adds to a class.
//
// The units are those of the last hidden layer, the inputs of the last linear layer: what they add to the logit of a
// class is their value times a weight. The channels of a convolution are units of several values.

class Network {
  constructor(layers, shape, classes) {
    this.layers = loaded(layers);
    this.shape = shape;
    this.classes = classes;
    const last = this.layers.at(-1);
    this.head = last.kind === "linear" ? last : null;
    this.body = this.head ? this.layers.slice(0, -1) : this.layers;
    this.isLinear = this.body.every((layer) => layer.kind === "reshape");
    this.off = new Set(); // units that give 0
    this.frozen = new Map(); // "unit class" to the value of that weight
    const values = run(this.body, zeros([size(shape)]));
    let at = values.length - 1;
    while (at > 0 && this.body[at - 1].kind === "reshape") at--;
    const { shape: features } = values[at];
    this.isConvolutional = features.length === 3 && features[1] * features[2] > 1;
    this.units = this.isConvolutional ? features[0] : size(features);
    this.perUnit = size(features) / this.units;
    // Of one hidden layer, whose weights are the gradients of its units for any image.
    const [first, second, ...more] = this.body.filter((layer) => layer.kind !== "reshape");
    this.isShallow = first?.kind === "linear" && second?.kind in FUNCTIONS && !more.length;
  }

  weight(feature, label) {
    return this.head.weight.data[feature * this.classes + label];
  }

  // The logits, the probabilities, and all values on the way; what units and frozen weights change is included.
  classify(pixels) {
    const values = run(this.body, { shape: [pixels.length], data: pixels });
    const hidden = values.at(-1);
    if (!this.head) return { values, hidden, logits: hidden.data, probabilities: softmax(hidden.data) };
    for (const unit of this.off) hidden.data.fill(0, unit * this.perUnit, (unit + 1) * this.perUnit);
    const logits = KINDS.linear.forward(this.head, hidden).data;
    for (const [key, value] of this.frozen) {
      const [unit, label] = key.split(" ").map(Number);
      logits[label] += hidden.data[unit] * (value - this.weight(unit, label));
    }
    return { values, hidden, logits, probabilities: softmax(logits) };
  }

  // What a unit adds to the logit of a class.
  adds({ hidden }, unit, label) {
    let sum = 0;
    for (let i = unit * this.perUnit; i < (unit + 1) * this.perUnit; i++) {
      sum += hidden.data[i] * (this.frozen.get(`${i} ${label}`) ?? this.weight(i, label));
    }
    return sum;
  }

  fires({ hidden }, unit) {
    return hidden.data.subarray(unit * this.perUnit, (unit + 1) * this.perUnit).some((value) => value > 0);
  }

  // The gradient of a unit with respect to the pixels; of a channel, that of what it adds to the class.
  picture({ values }, unit, label) {
    const seed = zeros(values.at(-1).shape);
    for (let i = unit * this.perUnit; i < (unit + 1) * this.perUnit; i++) {
      seed.data[i] = this.isConvolutional ? this.weight(i, label) : 1;
    }
    if (!this.isShallow) return pullback(this.body, values, seed).data;
    const first = this.body.findIndex((layer) => layer.kind === "linear"); // without the slope, which may be 0
    return pullback(this.body.slice(0, first + 1), values, seed).data;
  }

  // The values of the channels before each convolution and before the end: the layers that are pictures.
  maps({ values }) {
    const ends = this.body.map((layer, i) => (layer.kind === "conv" && i ? i : -1)).filter((i) => i > 0);
    const flat = this.body.findIndex((layer, i) => i > 0 && layer.kind === "reshape");
    if (flat > 0) ends.push(flat);
    return ends.map((i) => values[i]).filter((value) => value.shape.length === 3 && value.shape[0] > 1);
  }
}
