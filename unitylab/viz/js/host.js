// What anywidget, and our own page without a kernel, call.
export default {
  render({ model, el }) {
    new App(model, el);
  },
};
