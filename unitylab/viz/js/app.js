// The state that all panes share, and the questions to Python.
// State lives in Python (traits); questions are messages {id, ask, args} answered by
// {id, ok, result} or {id, error}. Nothing here knows what a pane shows.

// A pane registers itself: pane("loops", {title, region, render, ...}).
//   region  "left" or "right" (tabs), or "history", "inspector", "measures" (one pane each)
//   title   the label of its tab
//   render(app, body)      fills the empty element `body`
//   mark(app, body, from)  optional: only the selection changed; `from` is the pane that did it
//   keys    optional: {key: (app, body) => ...}, while the focus is in the pane's body
//   live    optional: true leaves it out where there is no kernel
const panes = {};
const pane = (id, what) => { panes[id] = { id, ...what }; };

class App {
  constructor(model, el) {
    this.model = model;
    this.selected = null; // the key of a node
    this.line = 0; // a line of a tensor program in the step's script, 0 for none
    this.tab = { left: "graph", right: "diff" };
    this.waiting = new Map();
    this.count = 0;
    this.answers = new Map(); // what was asked before, by step
    this.preview = null; // what the diff pane shows instead of the step: a preview or a rewrite
    this.options = { hideUnchanged: false, onlySelected: false, overlay: "time", near: 0 };
    this.frame = new Frame(this, el);
    this.heard = [];
    for (const name of ["history", "view", "current", "info"]) {
      this.hear(`change:${name}`, () => this.drawSoon());
    }
    this.hear("change:problem", () => this.frame.problem(model.get("problem")));
    this.hear("change:progress", () => this.frame.progress(model.get("progress")));
    this.hear("msg:custom", (m) => this.answer(m));
    this.draw();
  }

  hear(event, f) {
    this.model.on(event, f);
    this.heard.push([event, f]);
  }

  // the host takes the view away; the model lives on, other views may show it
  close() {
    for (const [event, f] of this.heard) this.model.off(event, f);
    this.frame.root.remove();
  }

  get history() { return this.model.get("history") || []; }
  get view() { return this.model.get("view") || {}; }
  get current() { return this.model.get("current"); }
  get info() { return this.model.get("info") || {}; }
  get live() { return this.info.live; }
  get entry() { return this.info.entry; }
  get working() { const p = this.model.get("progress"); return p?.what && !p.beside; }
  get row() { return this.step(this.current); }
  step(id) { return this.history.find((r) => r.id === id); }

  path(id = this.current) {
    const way = [];
    for (let r = this.step(id); r; r = this.step(r.parent)) way.unshift(r);
    return way;
  }

  // --- questions ------------------------------------------------------------------------------
  ask(ask, args = {}) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.model.send({ id, ask, args });
    });
  }

  // a question whose answer does not change while the step stays as it is
  askOnce(ask, args = {}) {
    const key = JSON.stringify([ask, args]);
    if (!this.answers.has(key)) {
      const one = { found: this.ask(ask, args) };
      this.answers.set(key, one);
      one.found.then((result) => { one.result = result; }, () => this.answers.delete(key));
    }
    return this.answers.get(key).found;
  }

  // fills `box` with what `draw` makes of an answer: at once where it is known, so that a pane
  // drawn anew is whole and keeps the focus; otherwise when it comes, if the box still stands
  into(box, ask, args, draw) {
    const put = (...what) => box.replaceChildren(...what.flat(2).filter(Boolean));
    const known = this.answers.get(JSON.stringify([ask, args]))?.result;
    if (known !== undefined) { put(draw(known)); return; }
    this.askOnce(ask, args).then((found) => {
      if (!box.isConnected) return; // drawn anew meanwhile
      put(draw(found));
      this.frame.settle();
    }).catch((e) => put(note(e.message)));
  }

  answer(m) {
    const w = this.waiting.get(m.id);
    if (!w) return;
    this.waiting.delete(m.id);
    this.frame.busy(this.waiting.size > 0);
    if (m.error === undefined) w.resolve(m.result);
    else w.reject(new Error(m.error));
  }

  // something that changes the session; its error shows in the bar
  act(name, args = {}) {
    this.frame.busy(true);
    return this.ask(name, args).catch((e) => this.frame.problem(e.message));
  }

  go(step, base = null) {
    if (step === this.current && base === (this.view.base ?? null) && !this.preview) return;
    this.preview = null;
    this.act("checkout", base === null ? { step } : { step, base });
  }

  copy(text) {
    if (navigator.clipboard) navigator.clipboard.writeText(text).catch(() => {});
    this.frame.say("copied");
  }

  // --- drawing --------------------------------------------------------------------------------
  drawSoon() {
    if (this.pending) return;
    this.pending = true;
    queueMicrotask(() => { this.pending = false; this.draw(); });
  }

  draw() {
    const stamp = `${this.current}/${this.view.base}/${this.history.length}/${this.info.version}`;
    if (!this.stamp && this.view.loops?.[this.entry]) { // a tensor program: its loops, not a graph
      this.tab = { left: "loops", right: "memory" };
    }
    if (stamp !== this.stamp) { this.answers.clear(); this.stamp = stamp; this.line = 0; }
    this.frame.draw();
  }

  drawPane(id) { this.frame.drawPane(id); }

  show(id) {
    this.tab[panes[id].region] = id;
    this.frame.drawTabs();
    this.frame.drawPane(id);
  }

  // what the diff pane shows for a moment: {title, before, after, diff, apply, code}
  showPreview(what) {
    this.preview = what;
    this.show("diff");
  }

  // --- selection ------------------------------------------------------------------------------
  select(key, from = "") {
    this.selected = this.selected === key && !this.line ? null : key;
    this.line = 0;
    this.frame.mark(from);
  }

  // a line of the step's script: of a tensor program (then loops, LLVM and assembly light up line
  // by line) or of a binding; `keys` are those of the nodes that it belongs to
  selectLine(line, keys, from = "") {
    const key = keys.includes(this.selected) ? this.selected : keys[0] ?? null;
    const walks = from === "line"; // by keyboard: what is reached is selected, never given up
    if (!this.inProgram(line)) {
      if (walks && key === this.selected) { this.line = 0; this.frame.mark(from); }
      else if (key) this.select(key, from);
      return;
    }
    const again = this.line === line && !walks;
    this.line = again ? 0 : line;
    this.selected = key;
    if (!again) this.frame.say(`line ${line}: ${this.view.text.lines[line - 1].trim()}`);
    this.frame.mark(from);
  }

  inProgram(line) {
    return (this.view.text?.programs || []).some(([a, b]) => line >= a && line <= b);
  }

  // whether a line is the selected one (2), in the selected loop or block (1), or neither (0)
  lit(line) {
    if (!this.line || line < this.line) return 0;
    return line === this.line ? 2 : Number(line <= (this.view.text.ends[this.line] || 0));
  }

  node(key = this.selected) { return key ? this.nodes().get(key) : undefined; }

  nodes() {
    const graph = this.view.graph;
    if (graph !== this.indexed) {
      this.indexed = graph;
      this.byKey = new Map((graph?.nodes || []).map((n) => [n.id, n]));
    }
    return this.byKey;
  }
}
