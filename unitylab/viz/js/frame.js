// The regions, their tabs, the header, the keyboard. Panes draw what is inside.

const HELP = [["n", "next pass of the pipeline"], ["u r", "undo, redo"], ["/", "add a pass"],
  ["f", "find in the graph"],
  ["↑ ↓", "steps in the history, nodes in the graph, lines in the text"],
  ["→ ←", "open and close a step's rewrites or a group"], ["c", "compare with the step in focus"],
  ["b", "branch from here"],
  ["e", "name a step and its branch (or F2, or double click)"],
  ["t", "side by side: graphs or texts"], ["g d", "next tab left, right"],
  ["1 … 5", "go to a region"],
  ["m", "measure"], ["a", "what can be done with the selection"],
  ["in loops", "s split · f fuse · p v u kinds · x rfactor · alt ↑ ↓ move · ctrl z undo"],
  ["at blocks", "c cache · i inline · a compute at · d decompose"],
  ["in memory", "space play · ← → one step"], ["Esc", "back; nothing selected"]];

class Frame {
  constructor(app, el) {
    this.app = app;
    this.bodies = {};
    this.root = h("div", { class: "ul-root", "data-lm-suppress-shortcuts": "true", role: "region",
      "aria-label": "unitylab workbench", onkeydown: (e) => this.key(e),
      onpointerdown: () => { this.wanted = null; } });
    this.title = h("div", { class: "ul-title" });
    this.status = h("span", { class: "ul-status", role: "status", "aria-live": "polite",
      "aria-label": "what is going on" });
    this.next = button("Step ▸", "apply the next pass of the pipeline (n)",
      () => app.act("next"), "ul-primary ul-live");
    this.problemBox = h("div", { class: "ul-problem", role: "alert", hidden: true });
    this.help = h("div", { class: "ul-help", role: "dialog", "aria-label": "keys", hidden: true });
    this.root.append(this.header(), this.problemBox, h("div", { class: "ul-regions" },
      this.fixed("history", "history and passes"), this.tabbed("left", "graph and loops"),
      this.tabbed("right", "script and code"), this.fixed("inspector", "inspector"),
      this.fixed("measures", "measurements")), this.help);
    el.append(this.root);
  }

  header() {
    const { app } = this;
    return h("header", { class: "ul-header" }, this.title, this.status,
      button("Undo", "back one step (u)", () => app.act("undo"), "ul-live"),
      button("Redo", "forward again (r)", () => app.act("redo"), "ul-live"),
      button("Copy as Python", "the way here as a program", () => this.python(), "ul-live"),
      button("Save HTML", "all steps in one file that needs no kernel", () => this.save(),
        "ul-live"),
      button("Run all", "apply the rest of the pipeline", () => app.act("all"), "ul-live"),
      this.next,
      button("?", "keys", () => this.showHelp(), "", { "aria-label": "keys" }));
  }

  fixed(region, label) {
    const found = Object.values(panes).find((p) => p.region === region);
    this.bodies[found.id] = h("div", { class: `ul-inside ul-${found.id}-pane`, tabindex: "-1" });
    return h("section", { class: `ul-pane ul-${region}`, "aria-label": label },
      this.bodies[found.id]);
  }

  tabbed(region, label) {
    const mine = Object.values(panes).filter((p) => p.region === region);
    const tabs = mine.map((p) => h("button", { class: `ul-tab${p.live ? " ul-live" : ""}`,
      role: "tab", "data-tab": p.id, type: "button", tabindex: "-1", id: this.id(p.id),
      onclick: () => this.app.show(p.id) }, p.title));
    const bodies = mine.map((p) => {
      this.bodies[p.id] = h("div", { class: `ul-body ul-${p.id}-pane`, tabindex: "0",
        role: "tabpanel", "aria-label": p.title.toLowerCase(), "data-pane": p.id });
      return this.bodies[p.id];
    });
    return h("section", { class: `ul-pane ul-${region}`, "aria-label": label },
      h("div", { class: "ul-tabbar" }, h("div", { class: "ul-tabs", role: "tablist",
        "aria-label": label, onkeydown: (e) => this.tabKey(e, region) }, tabs),
      h("span", { class: "ul-space" }), h("span", { class: "ul-tools", "data-region": region })),
      bodies);
  }

  id(name) { return `ul-${(this.serial ??= ++Frame.count)}-${name}`; }

  // --- drawing --------------------------------------------------------------------------------
  draw() {
    const { app } = this;
    const { info } = app;
    this.root.classList.toggle("ul-offline", !info.live);
    this.title.replaceChildren(h("b", {}, info.title || ""), ...(info.chips || []).map((c) =>
      h("span", { class: "ul-chip", title: c }, c)));
    this.next.disabled = !info.next;
    this.next.textContent = info.next ? `Step: ${info.next} ▸` : "pipeline done";
    this.problem(app.model.get("problem"));
    this.progress(app.model.get("progress"));
    this.drawTabs();
    for (const p of Object.values(panes)) this.drawPane(p.id);
  }

  drawTabs() {
    this.root.classList.toggle("ul-wide", this.app.tab.left === "beside");
    for (const p of Object.values(panes)) {
      const on = this.app.tab[p.region];
      if (on === undefined) continue;
      this.bodies[p.id].hidden = p.id !== on;
      if (p.id !== on) this.bodies[p.id].replaceChildren();
      const tab = this.root.querySelector(`.ul-tab[data-tab="${p.id}"]`);
      tab.setAttribute("aria-selected", String(p.id === on));
      tab.tabIndex = p.id === on ? 0 : -1;
    }
  }

  drawPane(id) {
    const body = this.bodies[id];
    const p = panes[id];
    if (body.hidden) return;
    this.renewTools(p, body);
    const { scrollTop, scrollLeft } = body;
    this.renew(p, body);
    Object.assign(body, { scrollTop, scrollLeft });
    if (p.region === "left" || p.region === "right") p.mark?.(this.app, body, "draw");
  }

  // the tools drawn anew; what had the focus keeps it, with what was typed into it
  renewTools(p, body) {
    const tools = this.root.querySelector(`.ul-tools[data-region="${p.region}"]`);
    if (!tools) return;
    const at = this.root.getRootNode().activeElement;
    const place = [...tools.children].indexOf(at);
    tools.replaceChildren(...(p.tools ? p.tools(this.app, body) : []));
    const next = tools.children[place];
    if (!next || next.tagName !== at.tagName) return;
    if (next.tagName === "INPUT") next.value = at.value;
    next.focus({ preventScroll: true });
  }

  mark(from) {
    for (const p of Object.values(panes)) {
      const body = this.bodies[p.id];
      if (p.mark && !body.hidden) p.mark(this.app, body, from);
    }
  }

  // a pane whose content depends on the selection; the focus inside of it stays
  redraw(id) {
    this.renew(panes[id], this.bodies[id]);
  }

  // draws anew; what had the focus has it again
  renew(p, body) {
    const at = this.root.getRootNode().activeElement;
    const name = at && at !== body && body.contains(at) && (at.dataset.key
      ? `[data-key="${CSS.escape(at.dataset.key)}"]`
      : `[aria-label="${CSS.escape(at.getAttribute("aria-label") || "")}"]`);
    body.replaceChildren();
    p.render(this.app, body);
    if (name && this.wanted?.body !== body) {
      body.focus({ preventScroll: true }); // until what is named is there again
      this.wanted = { body, name, kept: true, value: at.type === "text" ? at.value : undefined };
    }
    this.settle();
  }

  // what of a pane gets the focus as soon as it is drawn
  want(id, name) { this.wanted = { body: this.bodies[id], name }; }

  // gives the focus to what waits for it, if that is there; who went elsewhere meanwhile stays
  settle() {
    if (!this.wanted) return;
    const { body, name, kept, value } = this.wanted;
    const found = body.querySelector(name);
    if (kept && this.root.getRootNode().activeElement !== body) this.wanted = null;
    else if (found && !body.hidden) {
      this.wanted = null;
      found.focus({ preventScroll: true });
      if (value) { found.value = value; found.dispatchEvent(new Event("input")); }
    }
  }

  busy(on) {
    this.root.classList.toggle("ul-busy", on);
    if (this.app.model.get("progress")?.what) this.progress(this.app.model.get("progress"));
    else this.say(on ? "working…" : "");
  }

  say(text) {
    this.status.replaceChildren(h("span", { class: "ul-ellipsis", title: text }, text));
  }

  progress(p) {
    if (!p || !p.what) { this.say(""); return; }
    const bar = this.status.querySelector("progress");
    if (bar && p.total && this.status.textContent.startsWith(`${p.what} `)) { // Stop stays in place
      Object.assign(bar, { max: p.total, value: p.done });
      bar.setAttribute("aria-label", `${p.done} of ${p.total}`);
      return;
    }
    const part = p.total ? h("progress", { max: p.total, value: p.done, "aria-label":
      `${p.done} of ${p.total}` }) : p.done > 0 && ` ${p.done}`;
    this.status.replaceChildren(h("span", { class: "ul-ellipsis", title: p.what }, `${p.what} `),
      part || "",
      button("Stop", `stop this work, keep what is done${p.beside ? "" : " (Esc)"}`,
        () => this.app.ask(p.beside ? "stop_beside" : "stop"), "ul-stop"));
  }

  problem(text) {
    this.problemBox.hidden = !text;
    this.problemBox.replaceChildren(h("pre", {}, text || ""), button("×", "dismiss",
      () => { this.problemBox.hidden = true; }, "", { "aria-label": "dismiss" }));
  }

  python() {
    const { app } = this;
    app.ask("python").then((text) => {
      app.showPreview({ title: "the way here as Python", text });
      app.copy(text);
    }).catch((e) => this.problem(e.message));
  }

  save() { this.app.act("save_html").then((path) => path && this.say(`saved ${path}`)); }

  showHelp() {
    this.help.hidden = !this.help.hidden;
    this.help.replaceChildren(h("h3", {}, "Keys"), h("dl", {}, HELP.flatMap(([k, v]) =>
      [h("dt", {}, h("kbd", {}, k)), h("dd", {}, v)])),
    button("close", "close", () => this.showHelp()));
    if (this.help.hidden) { this.left?.focus(); return; }
    this.left = this.root.getRootNode().activeElement;
    this.help.querySelector("button").focus();
  }

  // --- keyboard -------------------------------------------------------------------------------
  key(e) {
    // a host may listen on document: VS Code and JupyterLab have keys of one letter, too
    if (!e.ctrlKey && !e.metaKey && !e.altKey) e.stopPropagation();
    if (["INPUT", "SELECT"].includes(e.target.tagName)) return;
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const own = Object.values(panes).find((p) => this.bodies[p.id].contains(e.target));
    const action = own?.keys?.[e.key] ?? this.global(e.key);
    if (!action) return;
    e.preventDefault();
    e.stopPropagation();
    action(this.app, own && this.bodies[own.id], e);
  }

  global(key) {
    const { app } = this;
    const turn = (region) => () => {
      const ids = Object.values(panes).filter((p) => p.region === region).map((p) => p.id);
      app.show(ids[(ids.indexOf(app.tab[region]) + 1) % ids.length]);
    };
    const focus = (query) => () => this.root.querySelector(query)?.focus();
    return { n: () => !this.next.disabled && app.act("next"), u: () => app.act("undo"),
      r: () => app.act("redo"), "/": focus(".ul-add"), f: focus(".ul-find"), g: turn("left"),
      d: turn("right"), "?": () => this.showHelp(), Escape: () => this.escape(),
      m: () => app.act("measure"), b: focus(".ul-branch-name"), a: focus(".ul-action button"),
      1: focus(".ul-history-list"), 2: focus(".ul-left .ul-body:not([hidden])"),
      3: focus(".ul-right .ul-body:not([hidden])"), 4: focus(".ul-inspector-pane"),
      5: focus(".ul-measures-pane") }[key];
  }

  escape() {
    const { app } = this;
    if (!this.help.hidden) this.showHelp();
    else if (app.working) app.ask("stop");
    else if (app.preview) { app.preview = null; this.drawPane("diff"); }
    else if (app.selected) app.select(null);
  }

  tabKey(e, region) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!by) return;
    e.preventDefault();
    e.stopPropagation();
    const tabs = [...e.currentTarget.querySelectorAll(".ul-tab")].filter((t) => t.offsetParent);
    const at = tabs.findIndex((t) => t.dataset.tab === this.app.tab[region]);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    next.click();
    next.focus();
  }
}
Frame.count = 0;
