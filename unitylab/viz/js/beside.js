// Two points of the history beside each other: two graphs or two texts, with their times.

const sideHead = (app, id, which, other) => {
  const r = app.step(id);
  const ratio = other?.time && r.time ? ` (×${Number((r.time / other.time).toPrecision(3))})` : "";
  return h("div", { class: "ul-side-head" }, h("select", { class: "ul-select",
    "aria-label": `${which} step`, onchange: (e) => {
      const to = Number(e.target.value);
      if (which === "left") app.go(app.current, to); else app.go(to, other.id);
    } }, app.history.map((s) => h("option", { value: s.id, selected: s.id === id },
    `${s.id} ${s.label || s.name}${s.branch === "main" ? "" : ` “${s.branch}”`}`))),
  h("span", { class: `ul-badge ul-check-${r.check}` }, badgeText(r)),
  h("b", {}, duration(r.time)), which === "right" && h("small", {}, ratio));
};

// pairs of lines: what was removed stands beside what was added in its place
const pairRows = (rows) => {
  const out = [];
  for (let i = 0; i < rows.length;) {
    if (rows[i][2] === " ") { out.push([rows[i], rows[i]]); i += 1; continue; }
    let j = i;
    while (j < rows.length && rows[j][2] !== " ") j += 1;
    const part = rows.slice(i, j);
    const [gone, come] = ["-<", "+>"].map((c) => part.filter((r) => c.includes(r[2])));
    for (let k = 0; k < Math.max(gone.length, come.length); k += 1) out.push([gone[k], come[k]]);
    i = j;
  }
  return out;
};

const besideText = (app, body) => {
  const { view } = app;
  const rows = pairRows(diffRows(view.before, view.text, view.diff, view.moves));
  const near = rows.map(([a], i) => rows.slice(Math.max(0, i - FOLD), i + FOLD + 1)
    .some((r) => !r[0] || !r[1] || r[0][2] !== " ") || a === undefined);
  const cell = (row, first) => {
    if (!row) return h("div", { class: "ul-line ul-gap", "data-keys": "" });
    return drawLine(app, first && row[2] === " " ? [row[0], null, ...row.slice(2)] : row);
  };
  const columns = [[], []];
  let hidden = 0;
  const fold = () => {
    if (hidden) {
      columns.forEach((c) => c.push(h("div", { class: "ul-fold" },
        `⋯ ${hidden} unchanged lines`)));
    }
    hidden = 0;
  };
  rows.slice(0, MOST).forEach(([a, b], i) => {
    if (!near[i]) { hidden += 1; return; }
    fold();
    columns[0].push(cell(a, true));
    columns[1].push(cell(b, false));
  });
  fold();
  if (columns[0].length === 1) columns.forEach((c) => c.unshift(note("The same text.")));
  body.append(h("div", { class: "ul-pair-text" }, columns.map((c, i) =>
    h("div", { class: "ul-text", role: "list", "aria-label": `script, ${["left", "right"][i]}` },
      c))));
};

const besideGraphs = (app, body, base, id) => {
  const box = h("div", { class: "ul-pair-graphs" }, note("drawing…"));
  body.append(box);
  const stamp = app.stamp;
  app.askOnce("beside", { step: id, base }).then((graphs) => {
    if (stamp !== app.stamp || !box.isConnected) return;
    box.replaceChildren(...graphs.map((g, i) => {
      startOpen(app, g);
      const svg = drawGraph(app, g, `graph of step ${[base, id][i]}`);
      const canvas = h("div", { class: "ul-canvas", onscroll: () => {
        const twin = box.children[1 - i];
        if (twin) Object.assign(twin, { scrollTop: canvas.scrollTop,
          scrollLeft: canvas.scrollLeft });
      } }, svg);
      return canvas;
    }));
    markNodes(app, body, "draw");
  }).catch((e) => box.replaceChildren(note(e.message)));
};

pane("beside", {
  title: "Side by side",
  region: "left",
  tools(app) {
    return ["graphs", "texts"].map((kind) => button(kind, `the two ${kind}`, () => {
      app.options.beside = kind;
      app.drawPane("beside");
    }, "", { "aria-pressed": String((app.options.beside || "graphs") === kind) }));
  },
  render(app, body) {
    const { id, base } = app.view;
    if (base === null || base === undefined) {
      body.append(note("Step 0 has nothing before it: choose another step, or ⇄ at one."));
      return;
    }
    body.append(h("div", { class: "ul-heads" }, sideHead(app, base, "left", app.step(id)),
      sideHead(app, id, "right", app.step(base))));
    if (app.options.beside === "texts") besideText(app, body);
    else besideGraphs(app, body, base, id);
  },
  mark(app, body, from) {
    if (app.options.beside === "texts") markLines(app, body, from);
    else markNodes(app, body, from);
  },
  keys: { ...graphKeys, t: (app) => {
    app.options.beside = app.options.beside === "texts" ? "graphs" : "texts";
    app.drawPane("beside");
  } },
});
