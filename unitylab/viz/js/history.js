// The history as a tree: steps, their rewrites, branches; passes to add; a branch to start.

const BADGE = { ok: "✓", wrong: "✗", error: "✗", none: "–", pending: "…",
  unchecked: "" };
const badgeText = (r) => (r.check === "ok"
  ? (r.error ? `✓ ${r.error.toExponential(0)}` : "✓ exact") : `${BADGE[r.check]} ${r.check}`);

// every step below its parent; the first child goes on in the same column, others are set in
const treeOrder = (rows) => {
  const out = [];
  const visit = (r, depth) => {
    out.push({ ...r, depth });
    const kids = rows.filter((k) => k.parent === r.id);
    kids.slice(1).forEach((k) => visit(k, depth + 1));
    if (kids.length) visit(kids[0], depth);
  };
  const first = rows.find((r) => r.parent === null);
  if (first) visit(first, 0);
  return out;
};

const drawStep = (app, r, body) => {
  const here = r.id === app.current;
  const base = r.id === app.view.base && app.view.chosen;
  const open = app.unfolded.has(r.id);
  return h("div", { role: "none" }, h("div", { role: "option", id: `${app.frame.id("step")}${r.id}`,
    class: `ul-step${here ? " ul-here" : ""}${r.depth ? " ul-aside" : ""}${base ? " ul-base" : ""}`,
    style: r.depth ? `margin-left:${r.depth * 14}px` : null, "aria-selected": String(here),
    "aria-label": `step ${r.id} ${r.name}, ${r.message}${base ? ", compared with" : ""}`,
    "data-step": r.id, title: r.message, onclick: () => app.go(r.id),
    ondblclick: () => app.live && rename(app, r.id) },
  h("span", { class: "ul-number" }, String(r.id)),
  app.renaming === r.id ? drawNames(app, r) : h("span", { class: "ul-name" },
    h("span", { class: "ul-ellipsis" }, r.label || r.name),
    h("small", { class: "ul-ellipsis" }, r.detail || "no change",
      r.branch === "main" ? "" : ` · “${r.branch}”`)),
  r.rewriteCount > 0 && button(`${open ? "▾" : "▸"} ${r.rewriteCount}`, "its rewrites", (e) => {
    e.stopPropagation();
    unfold(app, r.id);
  }, "ul-expand", { tabindex: -1, "aria-expanded": String(open),
    "aria-label": `${r.rewriteCount} rewrites of ${r.name}` }),
  !here && button("⇄", "compare the current step with this one (c)", (e) => {
    e.stopPropagation();
    app.go(app.current, r.id);
  }, "ul-expand ul-compare", { tabindex: -1, "aria-label": `compare with step ${r.id}` }),
  h("span", { class: `ul-badge ul-check-${r.check}` }, badgeText(r))),
  open && drawRewrites(app, r));
};

// a step's own name, and its branch's
const rename = (app, id) => {
  app.renaming = id;
  app.draft = null;
  app.drawPane("history");
  const field = app.frame.bodies.history.querySelector(".ul-names input");
  field?.focus();
  field?.select();
};

const drawNames = (app, r) => {
  const field = (label, value) => h("input", { class: "ul-input", "aria-label": label, value,
    placeholder: label });
  const [label, branch] = app.draft || [r.label || r.name, r.branch];
  const fields = [field(`name of step ${r.id}`, label), field(`branch of step ${r.id}`, branch)];
  const done = (save) => {
    app.renaming = null;
    app.frame.want("history", ".ul-history-list");
    const [label, branch] = fields.map((f) => f.value.trim());
    app.drawPane("history");
    if (save) app.act("rename", { step: r.id, label: label === r.name ? "" : label, branch });
  };
  return h("span", { class: "ul-name ul-names", onclick: (e) => e.stopPropagation(),
    oninput: () => { app.draft = fields.map((f) => f.value); }, // drawn anew, it stays
    onkeydown: (e) => {
      if (e.key === "Enter") done(true);
      if (e.key === "Escape") done(false);
    } }, fields);
};

const unfold = (app, id) => {
  if (app.unfolded.has(id)) app.unfolded.delete(id); else app.unfolded.add(id);
  app.drawPane("history");
};

const drawRewrites = (app, r) => {
  const list = h("ul", { class: "ul-rewrites", "aria-label": `rewrites of ${r.name}` }, "…");
  app.into(list, "rewrites", { step: r.id }, (all) => {
    const mine = app.options.onlySelected && app.selected
      ? all.filter((w) => w.nodes.includes(app.selected)) : all;
    const rows = mine.slice(0, 300).map((w) => h("li", {},
      h("button", { type: "button", class: `ul-rewrite${w.nodes.includes(app.selected)
        ? " ul-touches" : ""}`, title: `${w.rule} in ${w.function}`,
      onclick: () => showRewrite(app, r, all, w.k) },
      h("span", { class: "ul-ellipsis" }, h("b", {}, w.rule), ` ${w.label}`),
      h("small", {}, duration(w.seconds)))));
    return [rows, mine.length > 300 && h("li", {}, `… ${mine.length - 300} more`),
      !mine.length && h("li", {}, "none touches the selected node")];
  });
  return list;
};

const showRewrite = (app, r, all, k) => {
  app.askOnce("rewrite", { step: r.id, k }).then((w) => {
    const node = all[k].nodes.find((n) => app.nodes().has(n));
    if (node && node !== app.selected) app.select(node, "rewrite");
    app.showPreview({ ...w, title: `${r.name}, rewrite ${k + 1} of ${all.length}: ${all[k].rule}`,
      summary: `in ${all[k].function} · ${duration(all[k].seconds)}`,
      before_: k > 0 && (() => showRewrite(app, r, all, k - 1)),
      after_: k + 1 < all.length && (() => showRewrite(app, r, all, k + 1)) });
  }).catch((e) => app.frame.problem(e.message));
};

const drawPasses = (app, box, wanted) => {
  const names = (app.info.passes || []).filter((n) => n.toLowerCase().includes(wanted));
  box.replaceChildren(...names.map((n, i) => {
    const count = h("span", { class: "ul-places" });
    const look = () => app.askOnce("places", { name: n }).then((k) => {
      count.textContent = k === 0 ? "none" : `${k} place${k === 1 ? "" : "s"}`;
    }).catch(() => { count.textContent = "needs options"; });
    const apply = () => app.act("apply", { name: n });
    return h("div", { class: `ul-pass${i === 0 && wanted ? " ul-first" : ""}`, role: "option",
      tabindex: 0, "aria-label": `apply ${n}`, onclick: apply, onmouseenter: look, onfocus: look,
      onkeydown: (e) => {
        if (e.key === "Enter") { e.stopPropagation(); apply(); }
      } }, h("span", { class: "ul-ellipsis" }, n), count);
  }));
};

const unfoldHere = (app) => {
  app.frame.want("history", ".ul-history-list");
  unfold(app, app.current);
};

const moveStep = (by) => (app, body) => {
  const rows = [...body.querySelectorAll(".ul-step")];
  const at = rows.findIndex((x) => Number(x.dataset.step) === app.current);
  const next = rows[at + by];
  if (!next) return;
  app.frame.want("history", ".ul-history-list");
  app.go(Number(next.dataset.step));
};

pane("history", {
  region: "history",
  render(app, body) {
    app.unfolded ??= new Set();
    const rows = treeOrder(app.history).filter((r) => !app.options.hideUnchanged || !r.unchanged
      || r.id === app.current);
    const check = (label, title, name) => h("label", { title }, h("input", { type: "checkbox",
      checked: app.options[name], onchange: (e) => {
        app.options[name] = e.target.checked;
        app.drawPane("history");
      } }), label);
    const list = h("div", { class: "ul-history-list", role: "listbox", tabindex: 0,
      "aria-label": "history", "aria-activedescendant": `${app.frame.id("step")}${app.current}` },
    rows.map((r) => drawStep(app, r, body)));
    const passes = h("div", { class: "ul-passes", role: "listbox", "aria-label": "passes" });
    const field = h("input", { class: "ul-input ul-add", placeholder: "type a name…  ( / )",
      "aria-label": "add a pass", role: "combobox", "aria-expanded": "true",
      oninput: (e) => drawPasses(app, passes, e.target.value.trim().toLowerCase()),
      onkeydown: (e) => {
        if (e.key === "Enter" && field.value) passes.querySelector(".ul-pass")?.click();
        if (e.key === "Escape") list.focus();
      } });
    const name = h("input", { class: "ul-input ul-branch-name", "aria-label": "branch from here",
      placeholder: "branch from here…  ( b )", onkeydown: (e) => {
        if (e.key === "Enter" && name.value) app.act("branch", { name: name.value });
        if (e.key === "Escape") list.focus();
      } });
    drawPasses(app, passes, "");
    body.append(h("h3", {}, "History"), h("div", { class: "ul-filters" },
      check("changed only", "leave out steps that changed nothing", "hideUnchanged"),
      check("of selection", "only rewrites of the selected node", "onlySelected")), list,
    h("div", { class: "ul-live" }, h("h3", {}, "Add a pass"), field, passes, name));
    list.querySelector(".ul-here")?.scrollIntoView({ block: "nearest" });
  },
  mark(app) { if (app.options.onlySelected && app.unfolded?.size) app.drawPane("history"); },
  keys: {
    ArrowDown: moveStep(1),
    ArrowUp: moveStep(-1),
    ArrowRight: unfoldHere,
    ArrowLeft: unfoldHere,
    e: (app) => app.live && rename(app, app.current),
    F2: (app) => app.live && rename(app, app.current),
    c: (app) => app.row.parent !== null && app.go(app.current, 0),
  },
});
