// The workbench: five regions around one selection. No build step, no dependency.
// State lives in Python; questions are messages {id, ask, args} answered by {id, ok | error}.

const h = (tag, props = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith("on")) node.addEventListener(k.slice(2), v);
    else if (k === "html") node.innerHTML = v;
    else node.setAttribute(k, v === true ? "" : v);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
};

const duration = (t) => {
  if (t === null || t === undefined) return "";
  for (const [factor, unit] of [[1, "s"], [1e3, "ms"], [1e6, "µs"]]) {
    if (t * factor >= 1) return `${Number((t * factor).toPrecision(3))} ${unit}`;
  }
  return `${Number((t * 1e9).toPrecision(3))} ns`;
};

const BADGE = { ok: "✓", wrong: "✗", error: "✗", none: "–", pending: "…" };
const badgeText = (row) => {
  if (row.check === "ok") return row.error ? `✓ ${row.error.toExponential(0)}` : "✓ exact";
  return `${BADGE[row.check]} ${row.check}`;
};

// --- text with colours --------------------------------------------------------------------
const WORDS = /(#.*$)|("(?:[^"\\]|\\.)*")|\b(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\b|(@[\w.]+)|\b(def|class|with|for|in|return|if|else|while|assert|not|and|or|pass|define|call|ret|br|load|store|fmul|fadd|getelementptr)\b|\b([TRI](?:\.\w+)+)/g;
const CLASSES = ["", "comment", "string", "number", "decorator", "keyword", "api"];
const coloured = (text) => {
  const out = [];
  let at = 0;
  for (const m of text.matchAll(WORDS)) {
    if (m.index > at) out.push(text.slice(at, m.index));
    const k = m.slice(1).findIndex((g) => g !== undefined) + 1;
    out.push(h("span", { class: `ul-t-${CLASSES[k]}` }, m[0]));
    at = m.index + m[0].length;
  }
  out.push(text.slice(at));
  return out;
};

class App {
  constructor(model, el) {
    this.model = model;
    this.selected = null;
    this.left = "graph";
    this.right = "diff";
    this.waiting = new Map();
    this.sources = new Map();
    this.places = new Map();
    this.open = new Set();
    this.zoom = null;
    this.count = 0;
    this.root = h("div", { class: "ul-root", "data-lm-suppress-shortcuts": "true", role: "region",
      "aria-label": "unitylab workbench" });
    this.root.addEventListener("keydown", (e) => this.key(e));
    el.append(this.root);
    this.build();
    model.on("change:history", () => this.draw());
    model.on("change:view", () => this.draw());
    model.on("change:current", () => this.draw());
    model.on("change:problem", () => this.drawProblem());
    model.on("msg:custom", (m) => this.answer(m));
    this.draw();
  }

  // --- questions ------------------------------------------------------------------------
  ask(ask, args = {}, quiet = false) {
    const id = ++this.count;
    if (!quiet) this.busy(true);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, quiet });
      this.model.send({ id, ask, args });
    });
  }

  answer(m) {
    const w = this.waiting.get(m.id);
    if (!w) return;
    this.waiting.delete(m.id);
    if (!w.quiet) this.busy(false);
    if (m.error === undefined) w.resolve(m.result);
    else w.reject(new Error(m.error));
  }

  act(name, args = {}) {
    return this.ask(name, args).catch((e) => this.showProblem(e.message));
  }

  busy(on) {
    this.root.classList.toggle("ul-busy", on);
    this.status.textContent = on ? "working…" : "";
  }

  // --- frame ----------------------------------------------------------------------------
  build() {
    const button = (label, title, action, cls = "") =>
      h("button", { class: `ul-button ${cls}`, title, onclick: action }, label);
    this.nextButton = button("Step ▸", "apply the next pass of the pipeline (n)",
      () => this.act("next"), "ul-primary");
    this.title = h("div", { class: "ul-title" });
    this.status = h("span", { class: "ul-status", role: "status", "aria-live": "polite" });
    this.header = h("header", { class: "ul-header" }, this.title, this.status,
      h("span", { class: "ul-space" }),
      button("Undo", "back one step (u)", () => this.act("undo"), "ul-live"),
      button("Redo", "forward again (r)", () => this.act("redo"), "ul-live"),
      button("Copy as Python", "the way here as a program", () => this.copy(), "ul-live"),
      button("Run all", "apply the rest of the pipeline", () => this.act("all"), "ul-live"),
      this.nextButton);
    this.problemBox = h("div", { class: "ul-problem", role: "alert", hidden: true });
    this.historyList = h("div", { class: "ul-history-list", role: "listbox", tabindex: "0",
      "aria-label": "history" });
    this.passInput = h("input", { class: "ul-input", placeholder: "type a name…  ( / )",
      "aria-label": "add a pass", role: "combobox", "aria-expanded": "true", oninput: () => this.drawPasses(),
      onfocus: () => this.drawPasses(), onkeydown: (e) => this.passKey(e) });
    this.passList = h("div", { class: "ul-passes", role: "listbox", "aria-label": "passes" });
    this.historyPane = h("section", { class: "ul-pane ul-history", "aria-label": "history and passes" },
      h("h3", {}, "History"), this.historyList,
      h("div", { class: "ul-live" }, h("h3", {}, "Add a pass"), this.passInput, this.passList));
    this.leftTabs = this.tabs("left", [["graph", "Graph"], ["loops", "Loops"]]);
    this.rightTabs = this.tabs("right", [["diff", "Diff"], ["script", "Script"],
      ["llvm", "LLVM"], ["asm", "Assembly"]]);
    this.leftBody = h("div", { class: "ul-body ul-canvas", tabindex: "0", "aria-label": "graph" });
    this.rightBody = h("div", { class: "ul-body ul-code", tabindex: "0", "aria-label": "text" });
    this.summary = h("span", { class: "ul-summary" });
    const zoomButtons = h("span", { class: "ul-zoom" },
      button("−", "smaller", () => this.scale(1 / 1.25)), button("fit", "all of the graph", () => this.fit()),
      button("+", "larger", () => this.scale(1.25)));
    this.inspectorPane = h("section", { class: "ul-pane ul-inspector", "aria-label": "inspector" });
    this.measures = h("section", { class: "ul-pane ul-measures", "aria-label": "measurements" });
    this.root.append(this.header, this.problemBox, h("div", { class: "ul-regions" },
      this.historyPane,
      h("section", { class: "ul-pane ul-left", "aria-label": "graph and loops" },
        h("div", { class: "ul-tabbar" }, this.leftTabs, h("span", { class: "ul-space" }), this.summary, zoomButtons),
        this.leftBody),
      h("section", { class: "ul-pane ul-right", "aria-label": "script and code" },
        h("div", { class: "ul-tabbar" }, this.rightTabs), this.rightBody),
      this.inspectorPane, this.measures));
    this.pan();
  }

  tabs(side, entries) {
    return h("div", { class: "ul-tabs", role: "tablist" }, entries.map(([id, label]) =>
      h("button", { class: "ul-tab", role: "tab", "data-tab": id, "aria-selected": "false",
        onclick: () => { this[side] = id; this.drawBodies(); } }, label)));
  }

  get history() { return this.model.get("history") || []; }
  get view() { return this.model.get("view") || {}; }
  get current() { return this.model.get("current"); }
  row(id) { return this.history.find((r) => r.id === id); }

  // --- drawing --------------------------------------------------------------------------
  draw() {
    const info = this.model.get("info") || {};
    this.root.classList.toggle("ul-offline", !info.live);
    const key = `${this.view.id}`;
    if (key !== this.shownStep) { this.zoom = null; this.shownStep = key; }
    this.places.clear();
    this.title.replaceChildren(h("b", {}, info.title || ""),
      h("span", { class: "ul-chip" }, info.entry || "no function"),
      h("span", { class: "ul-chip" }, info.target || ""));
    this.nextButton.disabled = !info.next;
    this.nextButton.textContent = info.next ? `Step: ${info.next} ▸` : "pipeline done";
    this.nextButton.hidden = !info.live;
    this.drawHistory();
    this.drawPasses();
    this.drawBodies();
    this.drawInspector();
    this.drawMeasures();
    this.drawProblem();
  }

  drawProblem() { this.showProblem(this.model.get("problem") || ""); }

  showProblem(text) {
    this.problemBox.hidden = !text;
    this.problemBox.replaceChildren(h("pre", {}, text),
      h("button", { class: "ul-button", "aria-label": "dismiss", onclick: () => { this.problemBox.hidden = true; } }, "×"));
  }

  drawHistory() {
    const rows = this.history.map((r) => {
      const here = r.id === this.current;
      const aside = r.branch !== "main";
      const expand = r.rewriteCount > 0 && h("button", { class: "ul-expand", tabindex: "-1",
        "aria-label": `${r.rewriteCount} rewrites of ${r.name}`, "aria-expanded": String(this.open.has(r.id)),
        onclick: (e) => { e.stopPropagation(); this.toggle(r.id); } },
        `${this.open.has(r.id) ? "▾" : "▸"} ${r.rewriteCount}`);
      return h("div", {}, h("div", { class: `ul-step${here ? " ul-here" : ""}${aside ? " ul-aside" : ""}`,
        role: "option", id: `ul-step-${r.id}`, "aria-selected": String(here),
        "aria-label": `step ${r.id} ${r.name}, ${r.message}`,
        onclick: () => this.go(r.id), title: r.message },
        h("span", { class: "ul-number" }, String(r.id)),
        h("span", { class: "ul-name" }, h("span", { class: "ul-ellipsis" }, r.name), h("small", {}, r.detail || "no change",
          aside ? ` · ${r.branch}` : "")),
        expand, h("span", { class: `ul-badge ul-check-${r.check}` }, badgeText(r))),
      this.open.has(r.id) && h("ul", { class: "ul-rewrites" }, r.rewrites.map((w) =>
        h("li", { title: `${w.rule} in ${w.function}` }, h("b", {}, w.rule), ` ${w.label}`)),
        r.rewriteCount > r.rewrites.length && h("li", {}, `… ${r.rewriteCount - r.rewrites.length} more`)));
    });
    this.historyList.replaceChildren(...rows);
    const here = this.historyList.querySelector(".ul-here");
    if (here) here.scrollIntoView({ block: "nearest" });
    this.historyList.setAttribute("aria-activedescendant", `ul-step-${this.current}`);
  }

  toggle(id) {
    if (this.open.has(id)) this.open.delete(id); else this.open.add(id);
    this.drawHistory();
  }

  go(id) { if (id !== this.current) this.act("checkout", { step: id }); }

  drawPasses() {
    const wanted = this.passInput.value.trim().toLowerCase();
    const names = ((this.model.get("info") || {}).passes || []).filter((n) => n.toLowerCase().includes(wanted));
    this.passList.replaceChildren(...names.map((n, i) => {
      const known = this.places.get(n);
      const count = h("span", { class: "ul-places" }, known === undefined ? "" :
        known === 0 ? "none" : `${known} place${known === 1 ? "" : "s"}`);
      return h("div", { class: `ul-pass${i === 0 && wanted ? " ul-first" : ""}`, role: "option", tabindex: "0",
        "aria-label": `apply ${n}`, onclick: () => this.apply(n),
        onkeydown: (e) => { if (e.key === "Enter") this.apply(n); },
        onmouseenter: () => this.countPlaces(n, count), onfocus: () => this.countPlaces(n, count) },
        h("span", { class: "ul-ellipsis" }, n), count);
    }));
  }

  countPlaces(name, box) {
    if (this.places.has(name)) return;
    this.places.set(name, undefined);
    this.ask("places", { name }, true).then((k) => {
      this.places.set(name, k);
      box.textContent = k === 0 ? "none" : `${k} place${k === 1 ? "" : "s"}`;
    }).catch(() => { box.textContent = "?"; });
  }

  apply(name) { this.passInput.value = ""; this.act("apply", { name }); }

  passKey(e) {
    if (e.key === "Enter") {
      const first = this.passList.querySelector(".ul-pass");
      if (first && this.passInput.value) first.click();
    } else if (e.key === "Escape") { this.passInput.value = ""; this.drawPasses(); this.historyList.focus(); }
    e.stopPropagation();
  }

  drawBodies() {
    for (const [side, tabs] of [["left", this.leftTabs], ["right", this.rightTabs]]) {
      for (const t of tabs.children) t.setAttribute("aria-selected", String(t.dataset.tab === this[side]));
    }
    const row = this.row(this.current);
    this.summary.textContent = row && row.parent !== null ? `step ${row.parent} → ${row.id} · ${row.detail || "no change"}` : "";
    if (this.left === "graph") this.drawGraph(); else this.drawLoops();
    if (this.right === "diff") this.drawRows(this.view.diff || []);
    else if (this.right === "script") this.drawRows(this.view.script || []);
    else this.drawSource(this.right);
    this.mark();
  }

  drawGraph() {
    const graph = this.view.graph || {};
    this.leftBody.classList.add("ul-canvas");
    this.leftBody.innerHTML = graph.svg || "";
    const svg = this.svg;
    if (!svg) return;
    this.natural = [svg.width.baseVal.value, svg.height.baseVal.value];
    for (const n of svg.querySelectorAll(".ul-node")) {
      n.addEventListener("click", () => this.select(n.dataset.key, "graph"));
    }
    if (this.zoom === null) this.fit(); else this.scale(1);
  }

  get svg() { return this.leftBody.querySelector("svg.ul-svg"); }

  fit() {
    if (!this.svg) return;
    const room = this.leftBody.clientWidth - 8;
    this.zoom = Math.min(1.15, Math.max(0.3, room > 50 ? room / this.natural[0] : 1));
    this.scale(1);
  }

  scale(by) {
    if (!this.svg) return;
    this.zoom = Math.min(4, Math.max(0.1, (this.zoom || 1) * by));
    this.svg.setAttribute("width", this.natural[0] * this.zoom);
    this.svg.setAttribute("height", this.natural[1] * this.zoom);
  }

  pan() {
    const body = this.leftBody;
    let from = null;
    body.addEventListener("wheel", (e) => {
      if (!e.ctrlKey || !this.svg) return;
      e.preventDefault();
      this.scale(e.deltaY < 0 ? 1.1 : 1 / 1.1);
    }, { passive: false });
    body.addEventListener("pointerdown", (e) => {
      if (e.target.closest(".ul-node") || this.left !== "graph") return;
      from = [e.clientX, e.clientY, body.scrollLeft, body.scrollTop];
      body.setPointerCapture(e.pointerId);
    });
    body.addEventListener("pointermove", (e) => {
      if (from) { body.scrollLeft = from[2] - e.clientX + from[0]; body.scrollTop = from[3] - e.clientY + from[1]; }
    });
    body.addEventListener("pointerup", () => { from = null; });
  }

  drawLoops() {
    const loops = this.view.loops || {};
    const callee = this.selectedInfo()?.callee;
    const names = callee && loops[callee] ? [callee] : Object.keys(loops);
    this.leftBody.classList.remove("ul-canvas");
    this.leftBody.replaceChildren(names.length ? h("div", { class: "ul-loops" }, names.map((name) =>
      h("div", { class: "ul-loopnest" }, h("h4", {}, name), loops[name].map((r) =>
        h("div", { class: `ul-loop ul-loop-${r.kind}`, style: `padding-left:${12 + r.depth * 16}px` },
          h("span", { class: "ul-kind" }, r.kind), h("b", {}, r.text), h("span", { class: "ul-extent" }, r.extent)))))) :
      h("p", { class: "ul-note" }, "No tensor programs yet: LegalizeOps makes them from operators."));
  }

  drawRows(rows) {
    this.keysOfLines = new Map();
    const line = (r) => {
      const sign = r.sign === "-" ? "−" : r.sign;
      const node = h("div", { class: `ul-line ul-sign-${{ "+": "added", "-": "removed", "~": "changed" }[r.sign] || "same"}`,
        "data-keys": r.nodes.join(" "), onclick: () => r.nodes.length && this.select(r.nodes[0], "text") },
        h("span", { class: "ul-lineno" }, r.new === null ? "" : String(r.new)),
        h("span", { class: "ul-linesign" }, sign.trim() ? sign : ""), h("code", {}, coloured(r.text)));
      return node;
    };
    const parts = rows.map((r) => {
      if (!r.fold) return line(r);
      const fold = h("button", { class: "ul-fold", onclick: () => fold.replaceWith(...r.fold.map(line)) },
        `⋯ ${r.fold.length} unchanged lines`);
      return fold;
    });
    this.rightBody.replaceChildren(h("div", { class: "ul-text" }, parts.length ? parts :
      h("p", { class: "ul-note" }, "Nothing changed.")));
  }

  drawSource(kind) {
    const callee = this.selectedInfo()?.callee || null;
    const key = `${this.current}/${kind}/${callee}`;
    const show = (text) => this.rightBody.replaceChildren(h("div", { class: "ul-text" },
      text.split("\n").slice(0, 3000).map((t, i) => h("div", { class: "ul-line" },
        h("span", { class: "ul-lineno" }, String(i + 1)), h("code", {}, coloured(t))))));
    if (this.sources.has(key)) { show(this.sources.get(key)); return; }
    this.rightBody.replaceChildren(h("p", { class: "ul-note" }, "compiling…"));
    this.ask("source", { step: this.current, kind, function: callee }).then((text) => {
      this.sources.set(key, text);
      if (this.right === kind) show(text);
    }).catch((e) => { this.rightBody.replaceChildren(h("p", { class: "ul-note" }, e.message)); });
  }

  // --- selection ------------------------------------------------------------------------
  select(key, from) {
    this.selected = this.selected === key ? null : key;
    this.mark(from);
    this.drawInspector();
    if (this.left === "loops") this.drawLoops();
    if (this.right === "llvm" || this.right === "asm") this.drawSource(this.right);
  }

  selectedInfo() { return this.selected ? (this.view.inspector || {})[this.selected] : null; }

  mark(from) {
    const key = this.selected;
    let node = null;
    for (const n of this.leftBody.querySelectorAll(".ul-node")) {
      const on = n.dataset.key === key;
      n.classList.toggle("ul-selected", on);
      n.setAttribute("aria-pressed", String(on));
      if (on) node = n;
    }
    for (const e of this.leftBody.querySelectorAll(".ul-edge")) {
      e.classList.toggle("ul-touched", key !== null && (e.dataset.source === key || e.dataset.target === key));
    }
    let first = null;
    for (const l of this.rightBody.querySelectorAll(".ul-line[data-keys]")) {
      const on = key !== null && l.dataset.keys.split(" ").includes(key);
      l.classList.toggle("ul-selected", on);
      if (on && !first) first = l;
    }
    if (first && from !== "text") this.reveal(this.rightBody, first);
    if (node && from !== "graph") this.reveal(this.leftBody, node);
  }

  reveal(box, item) {
    const a = box.getBoundingClientRect();
    const b = item.getBoundingClientRect();
    if (b.top < a.top || b.bottom > a.bottom) box.scrollTop += b.top - a.top - a.height / 3;
    if (b.left < a.left || b.right > a.right) box.scrollLeft += b.left - a.left - 40;
  }

  drawInspector() {
    const info = this.selectedInfo();
    if (!info) {
      this.inspectorPane.replaceChildren(h("h3", {}, "Inspector"),
        h("p", { class: "ul-note" }, "Click a node or a line: it lights up everywhere, and this is where its story stands."));
      return;
    }
    this.inspectorPane.replaceChildren(h("h3", {}, `Selected: ${info.title}`),
      h("dl", {}, info.rows.flatMap(([k, v]) => [h("dt", {}, k), h("dd", { title: v }, v)])),
      h("h3", {}, "Where it comes from"),
      h("ol", { class: "ul-origins" }, [...info.origins].reverse().map((o) =>
        h("li", { onclick: () => this.go(o.step), tabindex: "0", role: "link", "aria-label": `origin at step ${o.step}`,
          onkeydown: (e) => { if (e.key === "Enter") this.go(o.step); } },
          h("code", {}, o.label), h("small", {}, ` step ${o.step}${o.rule === "?" ? " · where from is not recorded" : o.rule ? ` · ${o.rule}` : ""}`))),
        h("li", { class: "ul-now" }, h("small", {}, `shown at step ${this.current}`))));
  }

  drawMeasures() {
    const timed = this.path().filter((r) => r.time);
    if (!timed.length) { this.measures.replaceChildren(h("p", { class: "ul-note" }, "No run times yet.")); return; }
    const most = Math.max(...timed.map((r) => r.time));
    this.measures.replaceChildren(h("h3", {}, "Time of one call"), h("div", { class: "ul-bars" }, timed.map((r) =>
      h("button", { class: `ul-bar${r.id === this.current ? " ul-here" : ""}`, onclick: () => this.go(r.id),
        title: `step ${r.id} ${r.name}: ${duration(r.time)}${r.ratio ? `, ×${r.ratio.toFixed(2)} of the step before` : ""}`,
        "aria-label": `step ${r.id} ${r.name} ${duration(r.time)}` },
        h("span", { class: "ul-column" }, h("span", { class: "ul-fill", style: `height:${Math.max(3, 100 * r.time / most)}%` })),
        h("span", { class: "ul-time" }, duration(r.time)), h("span", { class: "ul-which ul-ellipsis" }, `${r.id} ${r.name}`)))));
  }

  path() {
    const way = [];
    for (let r = this.row(this.current); r; r = this.row(r.parent)) way.unshift(r);
    return way;
  }

  copy() {
    this.ask("python").then((text) => {
      this.right = "script";
      this.rightBody.replaceChildren(h("pre", { class: "ul-text ul-python" }, coloured(text)));
      if (navigator.clipboard) navigator.clipboard.writeText(text).catch(() => {});
      this.status.textContent = "copied";
    }).catch((e) => this.showProblem(e.message));
  }

  // --- keyboard -------------------------------------------------------------------------
  key(e) {
    if (e.target.tagName === "INPUT" || e.ctrlKey || e.metaKey || e.altKey) return;
    const at = this.history.findIndex((r) => r.id === this.current);
    const inGraph = this.leftBody.contains(e.target);
    const actions = {
      "/": () => this.passInput.focus(), n: () => this.nextButton.click(),
      u: () => this.act("undo"), r: () => this.act("redo"), Escape: () => this.select(this.selected),
      g: () => { this.left = this.left === "graph" ? "loops" : "graph"; this.drawBodies(); },
      d: () => { const t = ["diff", "script", "llvm", "asm"]; this.right = t[(t.indexOf(this.right) + 1) % 4]; this.drawBodies(); },
    };
    if (inGraph) {
      actions.ArrowDown = actions.ArrowRight = () => this.neighbour(1);
      actions.ArrowUp = actions.ArrowLeft = () => this.neighbour(-1);
    } else if (this.historyPane.contains(e.target)) {
      actions.ArrowDown = () => at + 1 < this.history.length && this.go(this.history[at + 1].id);
      actions.ArrowUp = () => at > 0 && this.go(this.history[at - 1].id);
    }
    const action = actions[e.key];
    if (action) { e.preventDefault(); e.stopPropagation(); action(); }
  }

  neighbour(by) {
    const keys = (this.view.graph || {}).nodes || [];
    if (!keys.length) return;
    const at = keys.indexOf(this.selected);
    const next = keys[(at + by + keys.length) % keys.length];
    if (next !== this.selected) this.select(next, "keys");
  }
}

export default {
  render({ model, el }) {
    new App(model, el);
  },
};
