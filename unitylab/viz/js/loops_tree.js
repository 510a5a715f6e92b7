// The loop tree: rows to select, drag and edit by key; below it what can be done at the selection.

const GLYPH = { serial: "↻", parallel: "∥", vectorized: "▤", unrolled: "≡", thread_binding: "⌗",
  block: "■", buffer: "▭", store: "=" };

const drawRow = (app, r) => {
  const { lab } = app;
  const on = r.key && r.key === lab.key;
  const kind = r.kind || r.what;
  const block = r.what === "block" && `${r.axes.map(([n, k, e]) => `${n} ${k} ${e}`).join(", ")
  }; reads ${r.reads.join(", ") || "nothing"}; writes ${r.writes.join(", ") || "nothing"}`;
  const refused = on && lab.refused?.key === r.key && lab.refused.step === app.current;
  return [h("div", { class: `ul-loop ul-loop-${kind}${on ? " ul-selected" : ""}`,
    role: "treeitem", "aria-level": r.depth + 1,
    "aria-selected": r.key ? String(Boolean(on)) : null,
    "aria-label": r.what === "loop" ? `loop ${r.key}, ${r.extent} iterations, ${r.kind}`
      : block ? `block ${r.key}: ${block}` : `${r.what} ${r.name} ${r.extent}`,
    tabindex: r.key ? (on ? 0 : -1) : null, "data-key": r.key || null, "data-line": r.line || null,
    draggable: r.what === "loop" && app.live ? "true" : null,
    title: block || (r.trips ? `its body runs ${r.trips.toLocaleString("en")} times` : null),
    onclick: () => pickRow(app, r) },
  Array.from({ length: r.depth }, () => h("i", { class: "ul-guide" })),
  h("span", { class: "ul-glyph", "aria-hidden": "true" }, GLYPH[kind] || "·"),
  h("b", {}, r.name), r.what === "block"
    ? r.axes.map(([n, k]) => h("span", { class: `ul-axis-${k}` }, `${n} ${k === "spatial" ? "S"
      : k === "reduce" ? "R" : k}`))
    : h("span", { class: "ul-extent ul-ellipsis" }, r.extent),
  h("span", { class: "ul-space" }), r.what === "loop"
    ? h("span", { class: "ul-kind" }, r.kind.replace("_", " "))
    : block && h("small", { class: "ul-ellipsis" }, `${r.reads.join(" ")} → ${r.writes.join(" ")}`),
  r.trips && h("small", { class: "ul-trips" }, `${counted(r.trips)}×`)),
  refused && h("div", { class: "ul-refused", role: "alert",
    style: `margin-left:${18 + r.depth * 14}px` }, "✗ ", lab.refused.text)];
};

const pickRow = (app, r, from = "loops") => {
  if (!r?.key) return;
  const { lab } = app;
  lab.key = r.key;
  lab.prompt = lab.refused = null;
  const nodes = app.selected ? [app.selected] : [];
  if (r.line && app.line !== r.line) app.selectLine(r.line, nodes, from);
  focusRow(app);
};

const drawEdits = (app) => {
  const { lab } = app;
  const bar = h("div", { class: "ul-edits ul-live", role: "toolbar",
    "aria-label": `edits of ${lab.key}` }, h("small", {}, "…"));
  app.into(bar, "loop_edits", { ...labArgs(app), key: lab.key }, (all) => [all.map((e) => h(
    "button", { type: "button",
      class: `ul-button ul-edit${lab.prompt?.op === e.op ? " ul-on" : ""}`,
      "aria-disabled": e.legal ? null : "true", "aria-label": `${e.title} ${lab.key}`,
      "aria-expanded": e.choices.length > 1 ? String(lab.prompt?.op === e.op) : null,
      title: e.legal ? `${e.title} ${lab.key} (${e.letter})` : e.reason,
      onclick: () => startEdit(app, (x) => x.op === e.op) }, e.title, h("kbd", {}, e.letter))),
  lab.prompt && drawPrompt(app, lab.prompt)]);
  return bar;
};

// the ways of an edit as chips; for a split also factors of one's own
const drawPrompt = (app, edit) => {
  const { lab } = app;
  const close = () => { lab.prompt = null; focusRow(app); };
  const own = (e) => {
    if (e.key === "Escape") close();
    e.stopPropagation();
    const f = e.target.value.trim().split(/[\s,×]+/).map((x) => (/^\d+$/.test(x) ? Number(x)
      : null));
    if (e.key === "Enter") {
      makeEdit(app, "split", lab.key, { factors: f.includes(null) ? f : [null, ...f] });
    }
  };
  return h("div", { class: "ul-prompt", role: "group", "aria-label": `how to ${edit.title}`,
    onkeydown: (e) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (e.key !== "Escape" && !by) { if (e.key.length > 1) e.stopPropagation(); return; }
      e.stopPropagation();
      e.preventDefault();
      if (!by) { close(); return; }
      const all = [...e.currentTarget.querySelectorAll("button,input")];
      all[(all.indexOf(e.target) + by + all.length) % all.length].focus();
    } },
  edit.choices.map((c) => h("button", { type: "button", class: "ul-button ul-choice",
    "aria-disabled": c.legal ? null : "true", title: c.legal ? null : c.reason,
    "aria-label": `${edit.title} ${lab.key}: ${c.label}`,
    onclick: () => (c.legal ? makeEdit(app, edit.op, lab.key, c.args)
      : refuse(app, lab.key, c.reason)) }, c.label)),
  edit.op === "split" && h("input", { class: "ul-input", placeholder: "or factors: 4 8",
    "aria-label": "factors", onkeydown: own }));
};

const moveRow = (app, by) => {
  const { keys, key, rows } = labOf(app);
  const at = by === "first" ? 0 : by === "last" ? keys.length - 1
    : Math.min(keys.length - 1, Math.max(0, keys.indexOf(key) + by));
  pickRow(app, rows.find((r) => r.key === keys[at]));
};

const MOVES = { ArrowDown: 1, ArrowUp: -1, Home: "first", End: "last" };
const treeKey = (app, e) => {
  const done = (f) => { e.preventDefault(); e.stopPropagation(); f(); };
  const at = e.target.dataset?.key;
  if (at && at !== app.lab.key) Object.assign(app.lab, { key: at, prompt: null, refused: null });
  if (e.altKey && MOVES[e.key] && app.live) {
    done(() => startEdit(app, (x) => x.op === (e.key === "ArrowUp" ? "outward" : "inward")));
  } else if ((e.ctrlKey || e.metaKey) && "zZ".includes(e.key)) {
    done(() => app.act(e.shiftKey ? "redo" : "undo"));
  } else if (e.ctrlKey || e.metaKey || e.altKey) return;
  else if (MOVES[e.key]) done(() => moveRow(app, MOVES[e.key]));
  else if (e.key === "m") done(() => measureLab(app));
  else if (e.key.length === 1 && "sfpvuxciad".includes(e.key) && app.live) {
    done(() => startEdit(app, (x) => x.letter === e.key));
  }
};

// a loop is dragged to the place of another
const dragging = (app, tree) => {
  const row = (e) => e.target.closest?.(".ul-loop[draggable]");
  const clear = () => tree.querySelectorAll(".ul-drop").forEach((x) =>
    x.classList.remove("ul-drop"));
  let from = null;
  tree.addEventListener("dragstart", (e) => {
    from = row(e)?.dataset.key;
    e.dataTransfer.setData("text/plain", from);
    e.stopPropagation();
  });
  tree.addEventListener("dragover", (e) => {
    const to = row(e);
    clear();
    if (!from || !to || to.dataset.key === from) return;
    e.preventDefault();
    e.stopPropagation();
    to.classList.add("ul-drop");
  });
  tree.addEventListener("dragleave", clear);
  tree.addEventListener("dragend", () => { from = null; clear(); });
  tree.addEventListener("drop", (e) => {
    const to = row(e)?.dataset.key;
    e.preventDefault();
    e.stopPropagation();
    if (from && to && to !== from) {
      app.lab.key = from;
      makeEdit(app, "reorder", from, { to });
    }
  });
};

pane("loops", {
  title: "Loops",
  region: "left",
  tools: (app) => [programChoice(app)].filter(Boolean),
  render(app, body) {
    const lab = labOf(app);
    if (!lab.fn) {
      body.append(note("No tensor programs yet: LegalizeOps makes them from operators."));
      return;
    }
    const tree = h("div", { class: "ul-loops", role: "tree", "aria-label": `loops of ${lab.fn}`,
      onkeydown: (e) => treeKey(app, e) }, lab.rows.map((r) => drawRow(app, r)));
    dragging(app, tree);
    body.append(drawSpeed(app), tree, lab.key && app.live ? drawEdits(app) : "");
    body.shown = app.node()?.callee;
  },
  mark(app, body, from) {
    if (body.shown !== app.node()?.callee) { app.drawPane("loops"); return; }
    if (from === "draw" && !app.node()) app.frame.redraw("inspector"); // has its story
    for (const r of body.querySelectorAll(".ul-loop")) {
      const lit = app.line ? app.lit(Number(r.dataset.line)) : 0;
      r.classList.toggle("ul-within", lit > 0);
      if (lit === 2 && from !== "loops") reveal(body, r);
    }
  },
});
