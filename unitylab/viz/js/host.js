// What anywidget, and our own page without a kernel, call.
export default {
  render({ model, el }) {
    const app = new App(model, el);
    return () => app.close();
  },
};
