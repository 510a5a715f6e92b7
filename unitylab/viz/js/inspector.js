// The selected node: what it is, where it comes from, what was measured, what can be done here.

const drawOrigins = (app, all) => h("ol", { class: "ul-origins" }, [...all].reverse().map((o) =>
  h("li", {}, h("button", { type: "button", class: "ul-link", onclick: () => app.go(o.step),
    "aria-label": `origin at step ${o.step}` }, h("code", {}, o.label)),
  h("small", {}, ` step ${o.step}${o.rule === "?" ? " · where from is not recorded"
    : o.rule ? ` · ${o.rule}` : ""}`),
  o.place && h("div", { class: "ul-place" }, h("small", {}, o.place), o.source &&
    h("code", {}, coloured(o.source))))));

const drawActions = (app, box) => {
  const key = app.selected;
  box.replaceChildren(note("looking…"));
  app.into(box, "actions", { step: app.current, key }, (all) => [...all]
    .sort((a, b) => b.legal - a.legal).map((a) => h("div", {
      class: `ul-action${a.legal ? "" : " ul-no"}`, title: a.reason || a.code },
    h("span", { class: "ul-what" }, a.name), a.legal
      ? button("preview ▸", `what ${a.name} would change here`, () => showAction(app, key, a), "",
        { "aria-label": `preview ${a.name}` })
      : h("small", { class: "ul-reason" }, a.reason))));
};

const showAction = (app, key, a) => {
  app.frame.busy(true);
  app.ask("preview", { step: app.current, key, action: a.id }).then((p) => app.showPreview({ ...p,
    title: `${a.name}, a preview`, code: a.code,
    apply: () => { app.preview = null; app.act("apply_here", { key, action: a.id }); } }))
    .catch((e) => app.frame.problem(e.message));
};

const facts = (rows) => h("dl", {}, rows.filter(([, v]) => v).flatMap(([k, v]) =>
  [h("dt", {}, k), h("dd", { title: v }, v)]));
const selectedTitle = (name) => h("h3", {}, "Selected: ", h("span", { class: "ul-own" }, name));

// a loop or block of the loop lab, as its row has it
const drawLoopStory = (app, r) => {
  const of = (kind) => (r.axes || []).filter((a) => a[1] === kind)
    .map(([name, , extent]) => `${name} ${extent}`).join(", ");
  return [selectedTitle(`${r.what} ${r.key}`), facts([
    ["in", app.lab.fn], ["iterations", r.what === "loop" && r.extent],
    ["kind", r.kind?.replace("_", " ")],
    ["runs", r.trips && `${r.trips.toLocaleString("en")} times`],
    ["spatial", of("spatial")], ["reduce", of("reduce")], ["other", of("opaque")],
    ["reads", r.reads?.join(" ")], ["writes", r.writes?.join(" ")]]),
  r.place && [h("h3", {}, "Where it comes from"), h("div", { class: "ul-place" },
    h("small", {}, r.place), r.source && h("code", {}, coloured(r.source)))]].flat();
};

pane("inspector", {
  region: "inspector",
  render(app, body) {
    const node = app.node();
    const loop = !node && app.tab.left === "loops" && labOf(app).rows.find((r) =>
      r.key && r.key === app.lab.key);
    if (loop) {
      body.append(...drawLoopStory(app, loop).filter(Boolean));
      return;
    }
    if (!node) {
      body.append(h("h3", {}, "Inspector"), note("Click a node or a line: ",
        "it lights up everywhere, and this is where its story stands."));
      return;
    }
    const m = app.view.measures?.nodes?.[node.id];
    const story = h("div", {}, note("…"));
    const actions = h("div", { class: "ul-actions" });
    body.append(selectedTitle(node.label), story);
    if (m) {
      body.append(h("h3", {}, "Measured"), h("dl", {},
        m.time !== undefined && [h("dt", {}, "time"), h("dd", {}, duration(m.time))],
        m.flops ? [h("dt", {}, "work"), h("dd", {}, flops(m.flops))] : [],
        m.bytes ? [h("dt", {}, "moves"), h("dd", {}, bytes(m.bytes))] : [],
        m.time && m.flops ? [h("dt", {}, "speed"), h("dd", {},
          `${Number((m.flops / m.time / 1e9).toPrecision(3))} GFLOP/s`)] : [],
        m.roof ? [h("dt", {}, "of limit"), h("dd", {}, percent(m.roof),
          h("meter", { value: m.roof, "aria-label": "share of the roofline" }))] : []));
    }
    if (app.live) body.append(h("h3", {}, "Can be done here"), actions);
    app.into(story, "inspect", { step: app.current, key: node.id }, (info) => {
      if (app.live) drawActions(app, actions);
      return [facts(info.rows), h("h3", {}, "Where it comes from"), drawOrigins(app, info.origins)];
    });
  },
  mark(app) { app.frame.redraw("inspector"); },
});
