// The graph: positions from Graphviz where Python sent them, else in layers. Groups (functions that
// are called, layers by name) open and close, a node's neighbourhood can be shown alone: see
// graph_groups.js.

const SIGN = { added: "+", removed: "−", changed: "~" };
const TOO_MANY = 100; // boxes: from here on groups start closed
const cut = (text, room, each = 6.9) => {
  const most = Math.max(3, Math.floor(room / each));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
};

// --- drawing ----------------------------------------------------------------------------------
// `graph` may bring what was measured of it, else it is that of the step
const drawGraph = (app, graph = app.view.graph, label = "graph of the module") => {
  const m = ("measures" in graph ? graph.measures : app.view.measures) || {};
  const seen = visible(app, graph);
  seen.boxes.filter((b) => b.kind === "group").forEach((b) => {
    b.w = Math.min(300, Math.max(130, 7.2 * b.label.length + 56));
    b.detail = groupDetail(b.inner);
    b.status = groupStatus(b);
  });
  const fixed = graph.width && !seen.near && seen.groups.length === graph.groups.length;
  const found = fixed ? { at: new Map([...graph.nodes, ...graph.groups].map((n) => [n.id, n])),
    w: graph.width, h: graph.height } : arrange(seen);
  const [w, high] = [found.w + 24, found.h + 24];
  const svg = s("svg", { class: "ul-svg", role: "group", "aria-label": label,
    width: w, height: high, viewBox: `-12 -12 ${w} ${high}`, "font-size": fontOf(app) });
  const open = seen.groups.filter((g) => found.at.get(g.id)).map((g) =>
    drawFrame(app, g, found.at.get(g.id), fixed, groupOverlay(app, g, graph, m)));
  svg.append(...open.map(([frame]) => frame),
    ...seen.edges.map((e) => drawEdge(e, found.at, fixed)),
    ...open.map(([, title]) => title),
    ...seen.boxes.map((b) => drawBox(app, b, found.at.get(b.id), m)));
  return svg;
};

// no text becomes smaller than 11 px: details go, labels stay as large and are cut
const fontOf = (app) => Math.max(12, 11 / Math.min(1, app.zoom || 1));

const groupDetail = (inner) => {
  const count = (status) => inner.filter((n) => n.status === status).length;
  const changes = Object.entries(SIGN).filter(([k]) => count(k)).map(([k, v]) => v + count(k));
  return [`${inner.length} node${inner.length > 1 ? "s" : ""}`, ...changes].join(" ");
};
const groupStatus = (b) => (b.inner.every((n) => n.status === "removed") ? "removed"
  : b.inner.some((n) => n.status !== "same") ? "changed" : "same");

const drawFrame = (app, g, p, fixed, measured) => {
  // the rate, then the time give way where the name would not be read
  const wanted = Math.min(12, g.label.length + 2) * 7.4 + 46;
  const over = [measured, measured.split(" · ")[0], ""].find((t) =>
    p.w - 6.2 * t.length >= wanted) ?? "";
  const [x, y] = fixed ? [p.x, p.y] : [p.x - p.w / 2, p.y - p.h / 2];
  const sign = SIGN[g.status];
  const part = (...inside) => s("g", { class: `ul-group ul-${g.status}`, "data-key": g.id },
    inside);
  return [part(s("rect", { x, y, width: p.w, height: p.h, rx: 10 })), part(
    s("text", { x: x + 12, y: y + 18, role: "button", tabindex: -1, class: "ul-close",
      "aria-label": `close ${g.label}`, onclick: () => toggleGroup(app, g.id) },
    s("title", {}, g.label), `▾ ${sign ? `${sign} ` : ""}${
      cut(g.label, p.w - 46 - 6.2 * over.length, 0.66 * fontOf(app))}`),
    over && s("text", { x: x + p.w - 10, y: y + 18, class: "ul-over", "text-anchor": "end" },
      over))];
};

// where an edge goes down beside the boxes that stand between its ends; null: nothing is between
const lane = (e, a, b, at) => {
  const [y0, y1] = [a.y + a.h / 2, b.y - b.h / 2];
  if (y1 - y0 < 60) return null;
  const between = [...at].filter(([k, p]) => k !== e.a && k !== e.b && p.y - p.h / 2 > y0 &&
    p.y + p.h / 2 < y1).map(([, p]) => p);
  const meets = (x) => between.filter((p) => {
    const [top, low] = [x(p.y - p.h / 2), x(p.y + p.h / 2)];
    return Math.max(top, low) > p.x - p.w / 2 - 6 && Math.min(top, low) < p.x + p.w / 2 + 6;
  });
  const found = meets((y) => { // the curve, about
    const t = (y - y0) / (y1 - y0);
    return a.x + (b.x - a.x) * t * t * (3 - 2 * t);
  });
  if (!found.length) return null;
  const beside = (sign) => {
    let [x, hit] = [0, found];
    for (let round = 0; hit.length && round < 9; round += 1) {
      x = sign * Math.max(...hit.map((p) => sign * p.x + p.w / 2)) + 14 * sign;
      hit = meets(() => x);
    }
    return x;
  };
  const way = (x) => Math.abs(x - a.x) + Math.abs(x - b.x);
  const sides = [beside(1), beside(-1)];
  return way(sides[0]) <= way(sides[1]) ? sides[0] : sides[1];
};

const drawEdge = (e, at, fixed) => {
  let d;
  let end;
  if (fixed && e.points?.length) {
    const p = e.points;
    d = `M${p[0]}`;
    for (let i = 1; i + 2 < p.length; i += 3) d += `C${p[i]} ${p[i + 1]} ${p[i + 2]}`;
    end = p.at(-1);
  } else {
    const [a, b] = [at.get(e.a), at.get(e.b)];
    if (!a || !b) return "";
    const [y0, y1] = [a.y + a.h / 2, b.y - b.h / 2];
    const bend = Math.max(14, Math.min(60, (y1 - y0) / 2));
    const x = lane(e, a, b, at);
    d = x === null ? `M${a.x},${y0}C${a.x},${y0 + bend} ${b.x},${y1 - bend} ${b.x},${y1}`
      : `M${a.x},${y0}C${a.x},${y0 + bend} ${x},${y0} ${x},${y0 + bend}L${x},${
        y1 - bend}C${x},${y1} ${b.x},${y1 - bend} ${b.x},${y1}`;
    end = [b.x, y1];
  }
  const [x, y] = end;
  return s("g", { class: `ul-edge ul-${e.status}`, "data-source": e.a, "data-target": e.b },
    s("path", { d, fill: "none" }),
    s("path", { class: "ul-arrow", d: `M${x - 3.5},${y - 6.5}L${x + 3.5},${y - 6.5}L${x},${y}Z` }));
};

const drawBox = (app, b, p, m) => {
  const [x, y] = [p.x - b.w / 2, p.y - b.h / 2];
  const group = b.kind === "group";
  const said = SIGN[b.status] ? `, ${b.status}` : "";
  const oneLine = !b.detail || b.h < 36 || app.zoom < 1;
  const over = overlayOf(app, m, group ? b.inner.map((n) => n.id) : [b.id]);
  return s("g", { class: `ul-node ul-${b.status} ul-kind-${b.kind}`, "data-key": b.id,
    role: "button", tabindex: -1, "aria-label": `${b.label} ${b.detail}${said}${over.said}`,
    onclick: () => (group ? toggleGroup(app, b.id) : app.select(b.id, "graph")) },
  s("title", {}, `${b.label}: ${b.detail}${said}${over.said}`),
  s("rect", { class: "ul-box", x, y, width: b.w, height: b.h,
    rx: ["param", "output"].includes(b.kind) ? b.h / 2 : 7 }),
  s("text", { class: "ul-label", x: x + 12, y: p.y + (oneLine ? 4 : -3) },
    (group ? "▸ " : "") + cut(b.label, b.w - (SIGN[b.status] ? 36 : 24) - (group ? 14 : 0),
      0.575 * fontOf(app))),
  !oneLine && s("text", { class: "ul-detail", x: x + 12, y: p.y + 13 }, cut(b.detail, b.w - 24, 6)),
  SIGN[b.status] && s("text", { class: "ul-sign", x: x + b.w - 13, y: y + 15,
    "text-anchor": "middle" }, SIGN[b.status]),
  over.share > 0 && s("rect", { class: "ul-meter", x: x + 2, y: y + b.h - 5, height: 3.5, rx: 1.7,
    width: Math.max(2, (b.w - 4) * Math.min(1, over.share)) }));
};

// --- overlays ---------------------------------------------------------------------------------
const OVERLAYS = { none: "no overlay", time: "time", roof: "share of roofline",
  bytes: "bytes moved" };

// the bar of some nodes: its share of the longest, and what it says
const overlayOf = (app, m, ids) => {
  const kind = app.options.overlay;
  const mine = ids.map((id) => m.nodes?.[id]).filter(Boolean);
  if (!mine.length || kind === "none") return { share: 0, said: "" };
  const sum = (k) => mine.reduce((t, n) => t + (n[k] || 0), 0);
  if (kind === "time") {
    return { share: sum("time") / m.total, said: `, ${duration(sum("time"))}` };
  }
  if (kind === "bytes") {
    return { share: sum("bytes") / (m.bytes || 1), said: `, ${bytes(sum("bytes"))}` };
  }
  const ideal = mine.reduce((t, n) => t + (n.roof || 0) * (n.time || 0), 0);
  const share = sum("time") ? ideal / sum("time") : 0;
  return { share, said: `, ${percent(share)} of the roofline` };
};

const groupOverlay = (app, g, graph, m) => {
  const mine = graph.nodes.filter((n) => n.group === g.id).map((n) => m.nodes?.[n.id])
    .filter(Boolean);
  const time = mine.reduce((t, n) => t + (n.time || 0), 0);
  const work = mine.reduce((t, n) => t + (n.flops || 0), 0);
  if (!time || app.options.overlay === "none" || app.zoom < 1) return "";
  return `${duration(time)}${work ? ` · ${Number((work / time / 1e9).toPrecision(3))} GF/s` : ""}`;
};

const toggleGroup = (app, id) => {
  if (app.opened.has(id)) app.opened.delete(id); else app.opened.add(id);
  app.drawPane(app.tab.left);
};

// --- the pane ---------------------------------------------------------------------------------
const scale = (app, by) => {
  const { svg, natural } = app.canvas || {};
  if (!svg) return;
  const before = app.zoom;
  app.zoom = Math.min(4, Math.max(0.25, app.zoom * by));
  if (by !== 1 && Math.min(before, app.zoom) < 1) { app.drawPane("graph"); return; }
  svg.setAttribute("width", natural[0] * app.zoom);
  svg.setAttribute("height", natural[1] * app.zoom);
};
const fit = (app, body) => {
  const before = app.zoom;
  const room = body.clientWidth - 12;
  app.zoom = Math.min(1.15, Math.max(1, room > 50 ? room / app.canvas.natural[0] : 1));
  if (before < 1) app.drawPane("graph"); else scale(app, 1);
};

const walk = (by) => (app, body) => {
  const boxes = [...body.querySelectorAll(".ul-node")];
  if (!boxes.length) return;
  const here = boxes.findIndex((b) => b === body.getRootNode().activeElement ||
    (!body.querySelector(".ul-node:focus") && b.dataset.key === app.selected));
  const next = boxes[(here + by + boxes.length) % boxes.length];
  next.focus({ preventScroll: true });
  reveal(body, next);
  if (app.nodes().has(next.dataset.key)) {
    if (app.selected !== next.dataset.key) app.select(next.dataset.key, "keys");
  }
};
const press = (app, body) => {
  const at = body.querySelector(".ul-node:focus") || body.querySelector(".ul-close:focus");
  if (at) at.dispatchEvent(new MouseEvent("click"));
};

const find = (app, text, by = 0) => {
  const wanted = text.trim().toLowerCase();
  const hits = wanted ? (app.view.graph?.nodes || []).filter((n) =>
    `${n.label} ${n.name} ${n.fn}`.toLowerCase().includes(wanted)) : [];
  app.found = wanted ? `${hits.length} found` : "";
  if (!hits.length) return;
  const at = hits.findIndex((n) => n.id === app.selected);
  const hit = hits[by ? (at + by + hits.length) % hits.length : Math.max(0, at)];
  openAround(app, hit);
  if (app.selected !== hit.id) app.select(hit.id, "find");
  app.frame.say(app.found);
};

// opens the groups around a node, so that it is seen
const openAround = (app, node) => {
  const groups = new Map((app.view.graph.groups || []).map((g) => [g.id, g]));
  let changed = false;
  for (let g = groups.get(node.group); g; g = groups.get(g.parent)) {
    if (!app.opened.has(g.id)) { app.opened.add(g.id); changed = true; }
  }
  if (changed) app.drawPane(app.tab.left);
};

const startOpen = (app, graph = app.view.graph) => {
  app.opened ??= new Set();
  const many = graph.nodes.length > TOO_MANY;
  app.known ??= new Set();
  for (const g of graph.groups) {
    if (!app.known.has(g.id) && !many) app.opened.add(g.id);
    app.known.add(g.id);
  }
};

const markNodes = (app, body, from) => {
  const key = app.selected;
  for (const n of body.querySelectorAll(".ul-node")) {
    const on = n.dataset.key === key;
    n.classList.toggle("ul-selected", on);
    n.setAttribute("aria-pressed", String(on));
    if (on && from !== "graph") reveal(n.closest(".ul-canvas") || body, n);
  }
  for (const e of body.querySelectorAll(".ul-edge")) {
    const { source, target } = e.dataset;
    e.classList.toggle("ul-touched", key !== null && (source === key || target === key));
  }
};
const graphKeys = { ArrowDown: walk(1), ArrowRight: walk(1), ArrowUp: walk(-1), ArrowLeft: walk(-1),
  Enter: press, " ": press, "+": (app) => scale(app, 1.25), "-": (app) => scale(app, 0.8),
  h: (app) => {
    app.options.near = app.selected ? (app.options.near + 1) % 4 : 0;
    app.drawPane(app.tab.left);
  } };

pane("graph", {
  title: "Graph",
  region: "left",
  tools(app, body) {
    const row = app.row;
    const shown = row && row.parent !== null
      ? `${app.view.base ?? row.parent} → ${row.id} · ${app.view.summary || "no change"}` : "";
    return [h("span", { class: "ul-summary", title: shown }, shown),
      h("input", { class: "ul-input ul-find", placeholder: "find ( f )", size: 9,
        "aria-label": "find a node", type: "search",
        oninput: (e) => find(app, e.target.value),
        onkeydown: (e) => {
          if (e.key === "Enter") find(app, e.target.value, e.shiftKey ? -1 : 1);
          if (e.key === "Escape") body.focus();
        } }),
      h("select", { class: "ul-select", "aria-label": "overlay", onchange: (e) => {
        app.options.overlay = e.target.value;
        app.drawPane("graph");
      } }, Object.entries(OVERLAYS).map(([k, v]) =>
        h("option", { value: k, selected: k === app.options.overlay }, v))),
      button("near", "only what is around the selected node; again: further; then all", () => {
        app.options.near = app.selected ? (app.options.near + 1) % 4 : 0;
        app.drawPane("graph");
      }, "", { "aria-pressed": String(app.options.near > 0) }),
      button("−", "smaller", () => scale(app, 1 / 1.25)),
      button("fit", "all of the graph", () => fit(app, body)),
      button("+", "larger", () => scale(app, 1.25))];
  },
  render(app, body) {
    if (!app.view.graph) return;
    startOpen(app);
    const svg = drawGraph(app);
    app.canvas = { svg, natural: [svg.width.baseVal.value, svg.height.baseVal.value] };
    body.append(svg);
    if (app.zoomed !== app.current || !app.zoom) {
      app.zoomed = app.current;
      fit(app, body);
    } else scale(app, 1);
    pan(app, body);
  },
  mark(app, body, from) {
    if (app.node() && !["graph", "keys", "find"].includes(from)) openAround(app, app.node());
    markNodes(app, body, from);
  },
  keys: graphKeys,
});

const pan = (app, body) => {
  if (body.panned) return;
  body.panned = true;
  let from = null;
  body.addEventListener("wheel", (e) => {
    if (!e.ctrlKey) return;
    e.preventDefault();
    scale(app, e.deltaY < 0 ? 1.1 : 1 / 1.1);
  }, { passive: false });
  body.addEventListener("pointerdown", (e) => {
    if (!e.target.closest(".ul-node, .ul-close")) {
      from = [e.clientX, e.clientY, body.scrollLeft, body.scrollTop];
    }
  });
  body.addEventListener("pointermove", (e) => {
    if (!from || !e.buttons) return;
    body.scrollLeft = from[2] - e.clientX + from[0];
    body.scrollTop = from[3] - e.clientY + from[1];
  });
};
