// Measurements: two points of the history compared, time per binding, memory over time, roofline.

const drawCompare = (app) => {
  const { numbers, base, id } = app.view;
  const name = (k) => `${k} ${app.step(k)?.label || app.step(k)?.name || ""}`;
  return h("div", { class: "ul-compare-box" }, h("h3", {}, "Compare"),
    base === null || base === undefined ? note("step 0 has nothing before it") : [
      h("div", { class: "ul-ellipsis" }, h("b", {}, name(id)), " vs ", name(base)),
      !numbers && app.live && button("Count", "operations, bytes and memory of this large module",
        () => app.act("count", { step: id, base })),
      (numbers || []).filter((n) => n.name !== "functions").map((n) => {
        const show = NUMBER[n.unit] || String;
        const said = (v) => (v === null ? "–" : show(v));
        return h("div", { class: "ul-pair" }, h("small", {}, n.name), " ",
          `${said(n.after)} vs ${said(n.before)}`);
      })]);
};

const drawTimes = (app, m) => {
  const parts = Object.entries(m.nodes).filter(([, n]) => n.time)
    .sort((a, b) => b[1].time - a[1].time);
  return h("div", { class: "ul-parts", role: "list", "aria-label": "time per binding" },
    parts.slice(0, 40).map(([key, n]) => h("button", { type: "button", role: "listitem",
      class: `ul-part${key === app.selected ? " ul-selected" : ""}`, "data-key": key,
      style: `flex-grow:${Math.max(1, Math.round(1000 * n.time / m.total))}`,
      title: `${n.label} ${duration(n.time)}, ${percent(n.time / m.total)}`,
      "aria-label": `${n.label} ${duration(n.time)}`, onclick: () => app.select(key, "measures") },
    `${n.label} ${duration(n.time)}`)));
};

const drawMemory = (m) => {
  const top = Math.max(...m.map((x) => x.bytes), 1);
  const w = 600 / m.length;
  let d = "M0,40";
  m.forEach((x, i) => {
    const y = 40 - 36 * x.bytes / top;
    d += `L${i * w},${y}L${(i + 1) * w},${y}`;
  });
  return s("svg", { class: "ul-memory", viewBox: "0 0 600 42", preserveAspectRatio: "none",
    role: "img", "aria-label": `memory over time, peak ${bytes(top)}` },
  s("title", {}, `peak ${bytes(top)}`), s("path", { d: `${d}L600,40Z` }));
};

// the limit of the machine and every binding that was measured, both axes logarithmic
const drawRoof = (app, m) => {
  const { peak, bandwidth } = m.machine;
  const dots = Object.entries(m.nodes).filter(([, n]) => n.time && n.flops && n.bytes)
    .map(([key, n]) => ({ key, label: n.label, x: n.flops / n.bytes, y: n.flops / n.time }));
  const span = (v, a, b) => (Math.log10(v) - a) / (b - a);
  const lows = Math.log10(Math.min(0.05 * peak, ...dots.map((p) => p.y)));
  const X = (v) => 10 + 250 * Math.min(1, Math.max(0, span(v, -1.5, 3)));
  const Y = (v) => 84 - 66 * Math.min(1, Math.max(0, span(v, lows, Math.log10(peak))));
  const ridge = peak / bandwidth;
  const start = 10 ** lows / bandwidth;
  return s("svg", { class: "ul-roof", viewBox: "0 0 272 104", role: "img", "font-size": 11,
    "aria-label": `roofline: ${dots.map((p) => `${p.label} ${Number((p.y / 1e9).toPrecision(2))
    } GFLOP/s at ${Number(p.x.toPrecision(2))} FLOP per byte`).join("; ")}` },
  s("path", { d: `M${X(start)},84L${X(ridge)},18L260,18`, class: "ul-limit" }),
  s("path", { d: "M10,86L260,86", class: "ul-axis" }),
  s("text", { x: 258, y: 12, "text-anchor": "end" }, `${Math.round(peak / 1e9)} GFLOP/s`),
  s("text", { x: 12, y: 12 }, `${Math.round(bandwidth / 1e9)} GB/s`),
  s("text", { x: 258, y: 100, "text-anchor": "end" }, "FLOP / byte"),
  dots.map((p) => s("circle", { cx: X(p.x), cy: Y(p.y), r: p.key === app.selected ? 5.5 : 4,
    class: p.key === app.selected ? "ul-selected" : "", "data-key": p.key,
    onclick: () => app.select(p.key, "measures") }, s("title", {},
    `${p.label}: ${Number((p.y / 1e9).toPrecision(3))} GFLOP/s`))));
};

const drawSizes = (app) => Object.entries(app.info.sizes || {}).map(([name, value]) =>
  h("label", { class: "ul-size" }, `${name} = `, h("output", {}, String(value)),
    h("input", { type: "range", min: 0, max: 12, value: Math.round(Math.log2(value)),
      "aria-label": `size ${name}`,
      oninput: (e) => { e.target.previousSibling.textContent = 2 ** e.target.value; },
      onchange: (e) => app.act("measure", { sizes: { [name]: 2 ** e.target.value } }) })));

const drawBars = (app) => {
  const timed = app.path().filter((r) => r.time);
  const most = Math.max(...timed.map((r) => r.time));
  return h("div", { class: "ul-bars" }, timed.map((r) => h("button", { type: "button",
    class: `ul-bar${r.id === app.current ? " ul-here" : ""}`, onclick: () => app.go(r.id),
    title: `step ${r.id} ${r.name}: ${duration(r.time)}`,
    "aria-label": `step ${r.id} ${r.name} ${duration(r.time)}` },
  h("span", { class: "ul-column" }, h("span", { class: "ul-fill",
    style: `height:${Math.max(4, 100 * r.time / most)}%` })),
  h("span", { class: "ul-time" }, duration(r.time)),
  h("span", { class: "ul-which ul-ellipsis" }, `${r.id} ${r.name}`))));
};

pane("measures", {
  region: "measures",
  render(app, body) {
    const m = app.view.measures;
    const live = app.live && h("span", { class: "ul-live" },
      button("Measure", "time every binding of this step (m)", () => app.act("measure")),
      drawSizes(app));
    if (!m) {
      body.append(drawCompare(app), h("div", { class: "ul-middle" },
        h("h3", {}, "Time of one call ", live), drawBars(app)));
      return;
    }
    const peak = Math.max(...m.memory.map((x) => x.bytes), 0);
    const high = m.memory.find((x) => x.bytes === peak);
    body.append(drawCompare(app), h("div", { class: "ul-middle" },
      h("h3", {}, "Time per call", h("b", {}, duration(m.total)), live), drawTimes(app, m),
      h("small", { class: "ul-peak ul-ellipsis", title: high?.live.join(", ") },
        `memory while running · peak ${bytes(peak)}: ${high ? high.live.join(", ") : ""}`),
      drawMemory(m.memory)), h("div", { class: "ul-roof-box" },
      h("small", {}, "roofline of this machine"), drawRoof(app, m)));
  },
  mark(app, body) { if (app.view.measures) app.frame.redraw("measures"); },
});
