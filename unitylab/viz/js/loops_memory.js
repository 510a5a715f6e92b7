// What the program does to memory: its iteration order played on the buffers, and what caches of
// this machine's sizes make of it.

const AGE = 20; // steps for which a touched cell fades
const RATES = { slow: 4, normal: 20, fast: 120 };
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class Player {
  constructor(app, order) {
    Object.assign(this, { app, order, at: 0, rate: 20 });
    this.slider = h("input", { type: "range", min: 0, max: order.steps - 1, value: 0,
      "aria-label": "step", oninput: (e) => { this.stop(); this.go(Number(e.target.value)); } });
    this.toggle = button("▶", "play (space)", () => this.turn(), "", { "aria-label": "play" });
    this.said = h("span", { class: "ul-where" });
    this.values = h("div", { class: "ul-values", "aria-label": "loop variables" });
    this.touched = h("div", { class: "ul-touched-now ul-ellipsis" });
    this.grids = order.buffers.map((b) => this.grid(b));
    const step = (by, label, text) => button(text, label, () => { this.stop(); this.go(this.at
      + by); }, "", { "aria-label": label });
    this.element = h("section", { "aria-label": "iteration order", class: "ul-order" },
      h("div", { class: "ul-player" }, step(-1, "step back", "◂"), this.toggle,
        step(1, "step on", "▸"), this.slider, h("select", { class: "ul-select",
          "aria-label": "steps per second",
          onchange: (e) => { this.rate = RATES[e.target.value]; } },
        Object.keys(RATES).map((r) => h("option", { selected: r === "normal" }, r))), this.said),
      this.values, h("div", { class: "ul-grids" }, this.grids.map((g) => g.figure)), this.touched);
    queueMicrotask(() => this.go(0));
  }

  // a buffer's picture: coordinates that are not neighbours have a gap between them
  grid(b) {
    const place = (coords, far) => {
      let x = 0;
      return coords.map((c, i) => { x += i ? (far(coords[i - 1], c) ? 1.5 : 1) : 0; return x; });
    };
    const last = (r) => Number(r.split(",").pop());
    const xs = place(b.columns, (a, c) => c - a > 1);
    const ys = place(b.rows, (a, c) => last(c) - last(a) !== 1);
    const size = Math.max(4, Math.min(13, 132 / (xs.at(-1) + 1), 132 / (ys.at(-1) + 1)));
    const [w, t] = [(xs.at(-1) + 1) * size, (ys.at(-1) + 1) * size];
    const canvas = h("canvas", { role: "img", width: 2 * w, height: 2 * t,
      style: `width:${w}px;height:${t}px`, "aria-label": `elements of ${b.name}` });
    const span = (all) => (all.length > 1 ? `${all[0]}–${all.at(-1)}` : String(all[0]));
    return { b, xs, ys, size, canvas, figure: h("figure", {}, h("figcaption", {},
      h("b", {}, b.name), ` ${b.shape.join(" × ") || "scalar"}`,
      b.scope === "global" ? "" : ` ${b.scope}`), canvas,
    h("small", {}, `${b.rows.length > 1 ? `rows ${span(b.rows)}, ` : ""}columns ${
      span(b.columns)}${b.hidden ? ", outer dimensions laid over each other" : ""}`)) };
  }

  go(to) {
    const { order } = this;
    this.at = Math.max(0, Math.min(order.steps - 1, to));
    this.slider.value = this.at;
    this.said.textContent = `step ${this.at + 1} of ${order.steps}`;
    this.values.replaceChildren(...order.loops.map((l, k) => {
      const v = order.values[k][this.at];
      return h("span", { class: `ul-value ul-loop-${l.kind}${v < 0 && l.kind !== "vectorized"
        ? " ul-idle" : ""}`, title: `${l.kind}, ${l.shown} of ${l.of} iterations are shown` },
      l.name, h("b", {}, l.kind === "vectorized" ? "all" : v < 0 ? "–" : String(v)));
    }));
    this.draw();
  }

  draw() {
    const { order, at } = this;
    const style = getComputedStyle(this.element);
    const colour = (n) => style.getPropertyValue(n).trim() || "gray";
    const inks = { line: colour("--line"), read: colour("--accent"), write: colour("--changed") };
    const fade = calm() ? 1 : AGE;
    const seen = order.buffers.map(() => new Map());
    for (let k = 0; k < order.starts[at + 1]; k += 1) {
      seen[order.which[k] >> 1].set(order.cells[k], 0);
    }
    for (let t = Math.max(0, at - fade + 1); t <= at; t += 1) {
      for (let k = order.starts[t]; k < order.starts[t + 1]; k += 1) {
        const [b, w] = [order.which[k] >> 1, order.which[k] & 1];
        const old = seen[b].get(order.cells[k]) || [];
        seen[b].set(order.cells[k], [1 - (at - t) / fade, w || (old[2] === t && old[1]), t]);
      }
    }
    this.grids.forEach((g, b) => this.paint(g, seen[b], inks));
    const now = new Map();
    for (let k = order.starts[at]; k < order.starts[at + 1]; k += 1) {
      const name = `${order.which[k] & 1 ? "writes" : "reads"} ${this.nameOf(k)}`;
      now.set(name, (now.get(name) || 0) + 1);
    }
    this.touched.textContent = [...now.keys()].slice(0, 4).join(", ")
      + (now.size > 4 ? ` and ${now.size - 4} more` : "");
  }

  nameOf(k) {
    const b = this.order.buffers[this.order.which[k] >> 1];
    const cell = this.order.cells[k];
    const row = b.rows[Math.floor(cell / b.columns.length)];
    return `${b.name}[${[row, b.columns[cell % b.columns.length]].filter((x) => x !== "")
      .join(", ").replaceAll(",", ", ").replaceAll("  ", " ")}]`;
  }

  paint({ xs, ys, size, canvas }, seen, inks) {
    const c = canvas.getContext("2d");
    c.setTransform(2, 0, 0, 2, 0, 0);
    c.clearRect(0, 0, canvas.width, canvas.height);
    const side = size - 1;
    ys.forEach((y, r) => xs.forEach((x, k) => {
      const state = seen.get(r * xs.length + k);
      const [px, py] = [x * size, y * size];
      c.globalAlpha = state === undefined ? 0.45 : 1;
      c.fillStyle = inks.line;
      c.fillRect(px, py, side, side);
      if (state === undefined) return;
      c.globalAlpha = 0.22 + 0.78 * (state ? state[0] : 0);
      c.fillStyle = state && state[1] ? inks.write : inks.read;
      c.fillRect(px, py, side, side);
      if (state && state[1]) { // what is written has a hole: not by its colour alone
        c.globalAlpha = 1;
        c.clearRect(px + side * 0.34, py + side * 0.34, side * 0.32, side * 0.32);
      }
    }));
  }

  turn() { if (this.playing) this.stop(); else this.play(); }

  play() {
    this.playing = true;
    if (this.at >= this.order.steps - 1) this.go(0);
    this.face("❚❚", "pause");
    let last = performance.now();
    const tick = (t) => {
      if (!this.playing || !this.element.isConnected) { this.playing = false; return; }
      const by = Math.floor((t - last) * (calm() ? 2 : this.rate) / 1000);
      if (by) { last = t; this.go(this.at + by); }
      if (this.at >= this.order.steps - 1) this.stop(); else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  stop() { this.playing = false; this.face("▶", "play"); }

  face(text, label) {
    this.toggle.textContent = text;
    this.toggle.setAttribute("aria-label", label);
  }
}

// --- caches -------------------------------------------------------------------------------------

const drawReuse = (reuse, levels) => {
  const n = Math.max(reuse.length, 12);
  const top = Math.max(...reuse, 1);
  const marks = levels.map((l) => Math.log2(l.lines) + 1).filter((x) => x < n);
  return s("svg", { class: "ul-reuse", viewBox: `0 0 ${n * 5} 22`, role: "img",
    width: n * 5, height: 22,
    "aria-label": `reuse distances in powers of two: ${reuse.join(", ")}` },
  s("title", {}, "how many other lines are touched before a line is touched again: 0, 1, 2-3, … "
    + "dashed: what fits into each cache"),
  reuse.map((v, k) => s("rect", { x: 5 * k, y: 22 - Math.max(v ? 1.5 : 0, 20 * v / top), width: 4,
    height: Math.max(v ? 1.5 : 0, 20 * v / top) })),
  marks.map((x) => s("path", { d: `M${5 * x},0V22` })));
};

const missCell = (m, b, level) => {
  const share = m / Math.max(1, b.accesses);
  return h("td", { title: `${m.toLocaleString("en")} of ${b.accesses.toLocaleString("en")
  } accesses of ${b.name} miss in ${level}` }, h("span", { class: "ul-miss" },
  h("i", { style: `width:${Math.min(100, 100 * share)}%` }),
  h("b", {}, `${Number((100 * share).toPrecision(2))} %`)));
};

const drawTraffic = (app, t) => {
  const { here } = speedsOf(app) || {};
  return h("section", { class: "ul-traffic", "aria-label": "caches" },
    h("h3", {}, "Caches", h("small", {}, here ? `measured ${duration(here.time)}, ${here.bytes
      ? rateOf(here.bytes) : ""}` : "simulated")),
    h("div", { class: "ul-table" }, h("table", {}, h("thead", {}, h("tr", {}, ["buffer",
      "accesses", "lines"].map((x) => h("th", { scope: "col" }, x)), t.levels.map((l) =>
      h("th", { scope: "col", title: l.text }, `${l.name} misses`)), h("th", { scope: "col",
      title: "lines touched in between" }, "reuse"))),
    h("tbody", {}, t.buffers.map((b) => h("tr", {},
      h("th", { scope: "row" }, b.name, b.scope !== "global" && h("small", {}, ` ${b.scope}`)),
      h("td", {}, counted(b.accesses)), h("td", {}, counted(b.lines)),
      b.misses.map((m, k) => missCell(m, b, t.levels[k].name)),
      h("td", {}, drawReuse(b.reuse, t.levels))))))),
    h("p", { class: "ul-note" }, `${t.scale}. ${t.levels.map((l) => l.text).join("; ")}.`));
};

pane("memory", {
  title: "Memory",
  region: "right",
  render(app, body) {
    const lab = labOf(app);
    if (!lab.fn) { body.append(note("There is no tensor program yet.")); return; }
    // what is known of another step stays, faded, until this step's answer is there
    const box = (what, text) => h("div", { class: lab[what] ? "ul-stale" : null },
      lab[what] || note(text));
    const top = box("walked", "walking the loops…");
    const below = box("simulated", "simulating the caches…");
    body.append(h("h3", {}, "Iteration order ",
      h("small", {}, "the first iterations of each loop")), top, below,
    writtenNote(app, "walked and simulated") || "");
    if (lab.measuring) return; // its turn comes when nothing is timed
    const name = `${app.current} ${lab.fn}`;
    const fill = (to, what, ask, make) => {
      app.askOnce(ask, labArgs(app)).catch(() => { to.className = ""; lab[what] = null; });
      app.into(to, ask, labArgs(app), (found) => {
        to.className = "";
        lab[what] = make(found);
        return lab[what];
      });
    };
    fill(top, "walked", "loop_order", (order) => {
      if (lab.player?.name !== name) {
        lab.player?.stop();
        lab.player = Object.assign(new Player(app, order), { name });
      }
      queueMicrotask(() => lab.player.draw());
      return lab.player.element;
    });
    fill(below, "simulated", "loop_traffic", (t) => drawTraffic(app, t));
  },
  keys: {
    " ": (app) => app.lab?.player?.turn(),
    ArrowRight: (app) => nudge(app, 1), ArrowLeft: (app) => nudge(app, -1),
    PageDown: (app) => nudge(app, 50), PageUp: (app) => nudge(app, -50),
    Home: (app) => nudge(app, -1e9), End: (app) => nudge(app, 1e9),
  },
});

const nudge = (app, by) => {
  const p = app.lab?.player;
  if (p) { p.stop(); p.go(p.at + by); }
};
