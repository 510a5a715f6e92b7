// The text twin: what the other panes show, in words.
pane("twin", {
  title: "Text",
  region: "left",
  render(app, body) {
    body.append(note("…"));
    const stamp = app.stamp;
    app.askOnce("describe", { step: app.current, key: app.selected }).then((text) => {
      if (stamp === app.stamp) body.replaceChildren(h("pre", { class: "ul-twin" }, text));
    }).catch((e) => body.replaceChildren(note(e.message)));
  },
});
