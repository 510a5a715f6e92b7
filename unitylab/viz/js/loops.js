// The loops of the tensor programs.
pane("loops", {
  title: "Loops",
  region: "left",
  render(app, body) {
    const loops = app.view.loops || {};
    const callee = app.node()?.callee;
    const names = callee && loops[callee] ? [callee] : Object.keys(loops);
    if (!names.length) {
      body.append(note("No tensor programs yet: LegalizeOps makes them from operators."));
    }
    body.append(h("div", { class: "ul-loops" }, names.map((name) =>
      h("div", { class: "ul-loopnest" }, h("h4", {}, name), loops[name].map((r) =>
        h("div", { class: `ul-loop ul-loop-${r.kind}`,
          style: `padding-left:${12 + r.depth * 16}px` },
          h("span", { class: "ul-kind" }, r.kind), h("b", {}, r.text),
          h("span", { class: "ul-extent" }, r.extent)))))));
    body.shown = callee;
  },
  mark(app, body) {
    if (body.shown !== app.node()?.callee) app.drawPane("loops");
  },
});
