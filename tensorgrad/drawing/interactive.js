// Opens and folds the groups of a drawing. The layout of `layout.py`, `columns.py` and `frames.py`, for any state.
(() => {
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const pairs = (list) => list.slice(1).map((item, i) => [list[i], item]);
  const reversed = (list) => [...list].reverse();

  function median(pulls) {
    pulls.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const half = sum(pulls.map((pull) => pull[1])) / 2;
    let total = 0;
    for (let i = 0; i < pulls.length; i++) {
      total += pulls[i][1];
      if (total > half + 1e-9) return pulls[i][0];
      if (total > half - 1e-9 && i + 1 < pulls.length) return (pulls[i][0] + pulls[i + 1][0]) / 2;
    }
    return pulls.at(-1)[0];
  }

  function spread(pulls, rooms) {
    const offsets = [0], blocks = [];
    for (const room of rooms) offsets.push(offsets.at(-1) + room);
    pulls.forEach((own, i) => {
      let shifted = own.map(([place, weight]) => [place - offsets[i], weight]), members = 1, place = median(shifted);
      while (blocks.length && blocks.at(-1).place >= place) {
        const last = blocks.pop();
        shifted = [...last.shifted, ...shifted];
        members += last.members;
        place = median(shifted);
      }
      blocks.push({ place, shifted, members });
    });
    return blocks.flatMap((block) => Array(block.members).fill(block.place)).map((place, i) => place + offsets[i]);
  }

  function compacted(layers, head, room) {
    const right = head.map(() => []), waiting = head.map(() => 0), x = head.map(() => 0);
    for (const layer of layers)
      for (const [u, v] of pairs(layer)) {
        right[head[u]].push([head[v], room(u, v)]);
        waiting[head[v]]++;
      }
    const order = head.map((_, v) => v).filter((v) => head[v] === v && !waiting[v]);
    for (const u of order) // grows during the loop
      for (const [v, wide] of right[u]) {
        x[v] = Math.max(x[v], x[u] + wide);
        if (!--waiting[v]) order.push(v);
      }
    for (const u of reversed(order)) {
      const limits = right[u].map(([v, wide]) => x[v] - wide);
      x[u] = Math.max(x[u], limits.length ? Math.min(...limits) : x[u]);
    }
    return head.map((first) => x[first]);
  }

  function columns(plan, breadth, room) {
    const four = plan.heads.map((head, k) =>
      k % 2 ? compacted(plan.layers.map(reversed), head, room).map((place) => -place)
        : compacted(plan.layers, head, room));
    const widths = four.map((places) => Math.max(...places) - Math.min(...places));
    const narrowest = four[widths.indexOf(Math.min(...widths))];
    four.forEach((places, k) => {
      const end = k % 2 ? Math.max : Math.min, shift = end(...narrowest) - end(...places);
      four[k] = places.map((place) => place + shift);
    });
    const x = four[0].map((_, v) => {
      const sorted = four.map((places) => places[v]).sort((a, b) => a - b);
      return (sorted[1] + sorted[2]) / 2;
    });
    for (const layer of plan.layers) {
      const pulls = layer.map((v) => (plan.private[v] ? [[x[plan.below[v][0]], 1]] : [[x[v], 1e6]]));
      spread(pulls, pairs(layer).map(([u, v]) => room(u, v))).forEach((place, i) => { x[layer[i]] = place; });
    }
    const first = Math.min(...x.map((place, v) => place - breadth[v] / 2));
    return x.map((place) => place - first);
  }

  // Sizes, places and results are (across, along) the direction of the arrows.
  function place(plan, sizes, entries, exits, C) {
    const count = sizes.length, isWaypoint = (v) => v >= count;
    const breadth = plan.owner.map((_, v) => (isWaypoint(v) ? 0 : sizes[v][0]));
    const length = plan.owner.map((_, v) => (isWaypoint(v) ? 0 : sizes[v][1]));
    const room = (u, v) => (breadth[u] + breadth[v]) / 2 + (isWaypoint(u) || isWaypoint(v) ? C.beside : C.between);
    const x = columns(plan, breadth, room), starts = [], ends = [];
    let along = 0;
    for (const layer of plan.layers) {
      starts.push(along);
      ends.push(along + Math.max(...layer.map((v) => length[v])));
      const bend = Math.max(0, ...layer.flatMap((u) => plan.below[u].map((v) => Math.abs(x[u] - x[v]))));
      along = ends.at(-1) + C.gap + Math.min(bend / 8, 60);
    }
    const middles = plan.rank.map((rank) => (starts[rank] + ends[rank]) / 2);
    const start = (u, out) => x[u] + (exits[u] ? exits[u][out] : 0);
    const line = (x0, x1, u, v) => {
      const leaves = ends[plan.rank[u]], enters = starts[plan.rank[v]];
      const begin = isWaypoint(u) ? leaves : middles[u] + length[u] / 2;
      const end = isWaypoint(v) ? ends[plan.rank[v]] : middles[v] - length[v] / 2;
      return [[x0, begin], [x0, leaves], [x1, enters], [x1, end]];
    };
    const ports = (centre, wide, arrivals) => {
      const order = arrivals.map((_, i) => i).sort((a, b) => arrivals[a] - arrivals[b]);
      const first = centre - wide / 2 + C.corner, last = wide - (C.ports * (arrivals.length - 1) + 2 * C.corner);
      const found = [];
      const places = order.length ? spread(order.map((i) => [[arrivals[i], 1]]), order.slice(1).map(() => C.ports)) : [];
      order.forEach((i, k) => {
        found[i] = Math.min(Math.max(places[k] - k * C.ports, first), first + last) + k * C.ports;
      });
      return found;
    };
    const tips = sizes.map(() => []), lines = sizes.map(() => []);
    plan.owner.forEach((owner, v) => {
      if (v !== owner) {
        const u = plan.above[v];
        lines[owner].push(line(start(u, plan.exit[v]), x[v], u, v));
        return;
      }
      const begins = plan.arrivals[v].map((u, i) => start(u, plan.exits[v][i]));
      const places = entries[v] ? entries[v].map((entry) => x[v] + entry) : ports(x[v], breadth[v], begins);
      plan.arrivals[v].forEach((u, i) => {
        const one = line(begins[i], places[i], u, v);
        lines[plan.owner[u]].push(one);
        tips[v].push(one[3]);
      });
    });
    const extent = [Math.max(...x.map((at, v) => at + breadth[v] / 2)), ends.at(-1)];
    return { extent, centres: sizes.map((_, v) => [x[v], middles[v]]), lines, tips, starts, ends };
  }

  function inRows(found, C) {
    const crossing = found.ends.slice(0, -1).map((end) => found.lines.flat().filter((line) => line[1][1] === end).length);
    const firsts = [0], last = found.starts.length - 1, all = found.starts.map((_, r) => r);
    while (found.ends[last] - found.starts[firsts.at(-1)] > C.row) {
      const first = firsts.at(-1), wide = (r) => found.ends[r] - found.starts[first];
      const fit = Math.max(first, ...all.slice(first, last).filter((r) => wide(r) <= C.row));
      let half = all.slice(first, fit + 1).filter((r) => wide(r) >= C.row / 2);
      if (!half.length) half = [fit];
      firsts.push(half.sort((a, b) => crossing[a] - crossing[b] || b - a)[0] + 1);
    }
    if (firsts.length === 1) return found;
    const begins = firsts.map((first) => found.starts[first]), room = found.extent[0];
    const rowOf = (along) => begins.filter((begin) => begin <= along + 1e-6).length - 1;
    const gaps = firsts.slice(1).map((first) => C.track * (2 + crossing[first - 1])), extra = Math.max(...gaps);
    const tops = firsts.map((_, row) => sum(gaps.slice(0, row)) + room * row), used = firsts.map(() => 0);
    const moved = ([across, along]) => [across + tops[rowOf(along)], along - begins[rowOf(along)] + extra];
    const between = (line) => {
      const row = rowOf(line[0][1]), [a, b, c, d] = line.map(moved);
      if (row === rowOf(line[3][1])) return [a, b, c, d];
      const shift = C.track * ++used[row], track = tops[row] + room + C.track / 2 + shift;
      return [a, [b[0], b[1] + shift], [track, b[1] + shift], [track, c[1] - shift], [c[0], c[1] - shift], d];
    };
    const lines = found.lines.map((some) => some.map(between));
    const rows = firsts.map((first, i) => found.ends[(firsts[i + 1] ?? last + 1) - 1] - found.starts[first]);
    const reach = Math.max(...lines.flat(2).map((point) => point[1])) + C.track;
    return { ...found, lines, extent: [tops.at(-1) + room, Math.max(reach, Math.max(...rows) + 2 * extra)],
      centres: found.centres.map(moved), tips: found.tips.map((some) => some.map(moved)) };
  }

  class Drawing {
    constructor(root, data) {
      Object.assign(this, { root, data, down: data.direction === "down", opened: new Set(data.opened) });
      const toggle = (event) => {
        const target = event.target.closest("[data-group]");
        if (!target || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
        event.preventDefault();
        const id = +target.dataset.group;
        this.opened.has(id) ? this.opened.delete(id) : this.opened.add(id);
        this.render();
        this.root.querySelector(`[data-group="${id}"]`).focus({ preventScroll: true });
      };
      root.addEventListener("click", toggle);
      root.addEventListener("keydown", toggle);
      this.render();
    }

    turned(point) { return this.down ? point : [point[1], point[0]]; }

    measure(group) {
      const { C } = this.data, plan = group.plan, entries = {}, exits = {};
      const sizes = Array(group.inlets).fill([0, 0]);
      for (const item of group.items) {
        if (this.isOpen(item)) {
          this.measure(item);
          item.frame = this.frameSize(item);
          const [across] = this.turned(this.origin(item)), half = this.turned(item.frame)[0] / 2;
          const places = item.found.centres.map(([x]) => across + x - half);
          entries[sizes.length] = places.slice(0, item.inlets);
          exits[sizes.length] = places.slice(places.length - item.outlets);
        }
        sizes.push(this.isOpen(item) ? item.frame : item.size);
      }
      for (let i = 0; i < group.outlets; i++) entries[sizes.push([0, 0]) - 1] = [0];
      group.found = place(plan, sizes.map((size) => this.turned(size)), entries, exits, C);
      if (this.data.direction === "rows" && group === this.data.whole) group.found = inRows(group.found, C);
      Object.assign(group, { sizes, extent: this.turned(group.found.extent) });
    }

    isOpen(item) { return item.items && this.opened.has(item.id); }

    frameSize(group) {
      const { C } = this.data, [wide, high] = group.extent;
      const before = group.inlets ? 0 : C.inside, after = group.outlets ? 0 : C.inside;
      return this.down ? [Math.max(wide + 2 * C.inside, group.bar), C.bar + before + high + after]
        : [Math.max(before + wide + after, group.bar), C.bar + high + 2 * C.inside];
    }

    origin(group) {
      const { C } = this.data, before = group.inlets ? 0 : C.inside;
      return this.down ? [(group.frame[0] - group.extent[0]) / 2, C.bar + before] : [before, C.bar + C.inside];
    }

    drawn(group, corner) {
      const at = (point) => this.turned(point).map((value, i) => corner[i] + value), frames = [], boxes = [];
      const nodes = [...Array(group.inlets), ...group.items, ...Array(group.outlets)];
      nodes.forEach((item, v) => {
        if (!item) return;
        const [x, y] = at(group.found.centres[v]), size = group.sizes[v];
        boxes.push(...group.found.tips[v].map((tip) => this.arrow(at(tip))));
        if (this.isOpen(item)) {
          const left = x - size[0] / 2, top = y - size[1] / 2, [dx, dy] = this.origin(item);
          frames.push(this.frame(item, left, top, size), ...this.drawn(item, [left + dx, top + dy]));
        } else {
          const moved = `transform="translate(${x} ${y})"`;
          boxes.push(item.items ? `<g ${moved} ${this.button(item, false)}>${item.card}</g>` : `<g ${moved}>${item.card}</g>`);
        }
      });
      const lines = group.found.lines.filter((some) => some.length).map((some) =>
        `<path d="${some.map((line) => this.curve(line.map(at))).join("")}" fill="none" stroke="${this.data.line}" stroke-width="1.3"/>`);
      return [...lines, ...frames, ...boxes];
    }

    button(group, isOpen) {
      return `data-group="${group.id}" role="button" tabindex="0" style="cursor: pointer" aria-expanded="${isOpen}" aria-label="${group.label}"`;
    }

    frame(group, x, y, [width, height]) {
      const { C, look } = this.data, d = `M${x + width - C.sign - 4} ${y + C.bar / 2}h8`;
      return `<g><rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${look.round}" fill="#ffffff" stroke="${look.outline}" stroke-width="1.2"/>` +
        `<g ${this.button(group, true)}><rect x="${x}" y="${y}" width="${width}" height="${C.bar}" rx="${look.round}" fill="${look.fill}" stroke="${look.outline}" stroke-width="1.2"/>` +
        `<path d="${d}" fill="none" stroke="${look.outline}" stroke-width="1.6"/><g transform="translate(${x} ${y})">${group.heading}</g></g></g>`;
    }

    arrow([x, y]) {
      return `<path d="M${x} ${y}${this.down ? "l-3.6 -7.5h7.2z" : "l-7.5 -3.6v7.2z"}" fill="${this.data.line}"/>`;
    }

    curve(points) {
      if (points.length > 4) {
        const corners = points.slice(1, -1).map(([x, y], i) => {
          const [a, b] = points[i], [c, d] = points[i + 2];
          const near = (by, halved) => Math.sign(by) * Math.min(8, Math.abs(by) / (halved ? 2 : 1));
          return `L${x - near(x - a)} ${y - near(y - b, 1)}Q${x} ${y} ${x + near(c - x)} ${y + near(d - y, 1)}`;
        });
        return `M${points[0].join(" ")}${corners.join("")}L${points.at(-1).join(" ")}`;
      }
      const [[x0, y0], [x1, y1], [x2, y2], [x3, y3]] = points, xm = (x1 + x2) / 2, ym = (y1 + y2) / 2;
      const bend = this.down ? `C${x1} ${ym} ${x2} ${ym}` : `C${xm} ${y1} ${xm} ${y2}`;
      return `M${x0} ${y0}L${x1} ${y1}${bend} ${x2} ${y2}L${x3} ${y3}`;
    }

    legend(room) {
      let svg = "", x = 0, y = 32, widest = 0;
      for (const [entry, width] of this.data.legend) {
        if (x && x + width > room) [x, y] = [0, y + 18];
        svg += `<g transform="translate(${x} ${y})">${entry}</g>`;
        widest = Math.max(widest, x + width);
        x += width + 10;
      }
      return [svg, widest, y];
    }

    render() {
      const { C, whole } = this.data, svg = this.root.querySelector("svg");
      this.measure(whole);
      const [wide, high] = whole.extent, [legend, legendWidth, legendHeight] = this.legend(Math.max(wide, 260));
      const width = Math.ceil(Math.max(wide, legendWidth) + 2 * C.margin);
      const height = Math.ceil(high + legendHeight + 2 * C.margin);
      const about = [...svg.children].filter((child) => ["title", "desc"].includes(child.tagName));
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("width", width);
      svg.setAttribute("height", height);
      svg.setAttribute("role", "group");
      svg.innerHTML = about.map((child) => child.outerHTML).join("") +
        `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="#ffffff" stroke="#d0d7de"/>` +
        this.drawn(whole, [(width - wide) / 2, C.margin]).join("") +
        `<g transform="translate(${C.margin} ${C.margin + high})">${legend}</g>`;
    }
  }

  const script = document.currentScript;
  for (const root of script ? [script.parentElement] : document.querySelectorAll("div.tg-drawing"))
    if (!root.dataset.ready) {
      root.dataset.ready = "true";
      new Drawing(root, JSON.parse(root.querySelector("script").textContent));
    }
})();
