// The text twin: what the other panes show, in words.
pane("twin", {
  title: "Text",
  region: "left",
  render(app, body) {
    const box = h("div", {}, note("…"));
    body.append(box);
    app.into(box, "describe", { step: app.current, key: app.selected },
      (text) => h("pre", { class: "ul-twin" }, text));
  },
});
