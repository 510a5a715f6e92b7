"""A workbench in a page, as a person sees it: regions, roles and accessible names, no classes."""

import re

from playwright.sync_api import expect

SLOW = 20_000  # milliseconds for what compiles or measures


class Bench:
    """`root` is the region "unitylab workbench", `page` the page around it."""

    def __init__(self, root):
        self.root, self.page = root, root.page
        root.scroll_into_view_if_needed()
        expect(root).to_be_visible()

    # --- where things are -------------------------------------------------------------------

    def region(self, name):
        return self.root.get_by_role("region", name=name, exact=True)

    @property
    def history(self):
        return self.root.get_by_role("listbox", name="history", exact=True)

    def steps(self):
        return self.history.get_by_role("option")

    def step(self, number):
        return self.history.get_by_role("option", name=re.compile(rf"^step {number} "))

    def step_named(self, name):
        return self.history.get_by_role("option", name=re.compile(rf"^step \d+ {name}"))

    @property
    def here(self):
        return self.history.get_by_role("option", selected=True)

    def button(self, name, exact=True):
        return self.root.get_by_role("button", name=name, exact=exact)

    def tab(self, name):
        return self.root.get_by_role("tab", name=name, exact=True)

    def panel(self, name):
        return self.root.get_by_role("tabpanel", name=name, exact=True)

    @property
    def graph(self):
        return self.root.get_by_role("group", name="graph of the module")

    def node(self, label):
        return self.graph.get_by_role("button", name=re.compile(rf"^{re.escape(label)} "))

    def lines(self, panel, text=None):
        found = self.panel(panel).get_by_role("listitem")
        return found.filter(has_text=text) if text else found

    def lit(self, panel):
        """The lines of a pane that are selected."""
        return self.panel(panel).locator('[role=listitem][aria-current="true"]')

    @property
    def inspector(self):
        return self.region("inspector")

    @property
    def measures(self):
        return self.region("measurements")

    @property
    def measure(self):
        return self.measures.get_by_role("button", name="Measure", exact=True)

    @property
    def status(self):
        return self.root.get_by_role("status", name="what is going on")

    # --- what a person does -----------------------------------------------------------------

    def go(self, number):
        """Clicks a step and waits until it is shown."""
        self.step(number).click(position={"x": 12, "y": 12})
        expect(self.step(number)).to_have_attribute("aria-selected", "true", timeout=SLOW)

    def go_to(self, name):
        """Clicks the first step of a pass."""
        self.step_named(name).first.click(position={"x": 12, "y": 12})  # its number
        expect(self.step_named(name).first).to_have_attribute("aria-selected", "true",
                                                              timeout=SLOW)

    def show(self, tab):
        self.tab(tab).click()
        expect(self.tab(tab)).to_have_attribute("aria-selected", "true")

    def select(self, label):
        """Selects a node, opening the groups around it through the search field if it must."""
        self.show("Graph")
        if self.node(label).count():
            if self.node(label).first.get_attribute("aria-pressed") != "true":
                self.node(label).first.click()
        else:
            self.root.get_by_role("searchbox", name="find a node").fill(label)
        expect(self.graph.get_by_role("button", pressed=True)).to_have_count(1)
        expect(self.inspector).to_contain_text("Selected:")

    def reset(self):
        """Back to the last step of the pipeline, nothing selected, no preview. What an earlier test
        began is waited for: Escape would stop it."""
        expect(self.root.get_by_role("button", name="Stop", exact=True)).to_have_count(
            0, timeout=SLOW)
        self.root.get_by_role("listbox", name="history").focus()
        for _ in range(3):
            self.page.keyboard.press("Escape")
        last = self.main_end()
        if self.here.get_attribute("aria-label") != last.get_attribute("aria-label") or \
                "compared with" in " ".join(self.steps().evaluate_all(
                    "all => all.map(e => e.getAttribute('aria-label'))")):
            if self.here.get_attribute("aria-label") == last.get_attribute("aria-label"):
                self.go(0)
            last.click(position={"x": 12, "y": 12})
            expect(last).to_have_attribute("aria-selected", "true", timeout=SLOW)
        self.show("Graph")
        self.show("Diff")

    def main_end(self):
        """The step that the pipeline ended with."""
        return self.step_named("DefaultSchedule").first


# What every element that can be used or read must be like. Gives complaints.
AUDIT = """root => {
    const bad = [];
    const shown = (n) => n.getClientRects().length && getComputedStyle(n).visibility !== "hidden";
    const say = (why, n) => bad.push(`${why}: ${n.outerHTML.slice(0, 120)}`);
    const named = (n) => n.getAttribute("aria-label") || n.textContent.trim() || n.title ||
        n.getAttribute("placeholder") || n.closest("label")?.textContent.trim();
    for (const n of root.querySelectorAll("button, input, select, [role]")) {
        if (!shown(n) || ["none", "presentation", "listitem"].includes(n.getAttribute("role")))
            continue;
        if (!named(n)) say("no accessible name", n);
    }
    const inside = { option: "listbox", tab: "tablist", listitem: "list" };
    for (const [child, parent] of Object.entries(inside)) {
        for (const n of root.querySelectorAll(`[role=${child}]`))
            if (!n.closest(`[role=${parent}], ul, ol`)) say(`${child} outside of a ${parent}`, n);
    }
    const ids = [...root.querySelectorAll("[id]")].map((n) => n.id);
    ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => bad.push(`id ${id} twice`));
    const rgba = (c) => {
        const [, space, parts] = c.match(/^(\\w+)\\(([^)]*)\\)/) || [null, "rgb", "0 0 0 0"];
        const v = (parts.match(/[\\d.e-]+/g) || []).map(Number);
        const of = space === "color" ? 255 : 1;
        return [...v.slice(0, 3).map((x) => x * of), v[3] ?? 1];
    };
    const over = ([r, g, b, a], under) =>
        [r, g, b].map((v, i) => a * v + (1 - a) * under[i]);
    const light = (c) => c.map((v) => v / 255).map((v) =>
        v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((t, v, i) => t + v * [0.2126, 0.7152, 0.0722][i], 0);
    const faint = (c, opacity) => [...c.slice(0, 3), c[3] * opacity];
    // what is behind an element, from the page down to it, and how opaque it is itself
    const behind = (n) => {
        const way = [];
        for (let e = n; e; e = e.parentElement) way.unshift(e);
        let [colour, opacity] = [[255, 255, 255], 1];
        for (const e of way) {
            const style = getComputedStyle(e);
            opacity *= Number(style.opacity);
            colour = over(faint(rgba(style.backgroundColor), opacity), colour);
            const box = e.tagName === "g" && e.querySelector(":scope > rect");
            if (!box) continue;
            const { fill, fillOpacity } = getComputedStyle(box);
            if (fill !== "none") colour = over(faint(rgba(fill), Number(fillOpacity)), colour);
        }
        return [colour, opacity];
    };
    for (const n of root.querySelectorAll("*")) {
        const text = [...n.childNodes].filter((c) => c.nodeType === 3).map((c) => c.textContent)
            .join("").trim();
        if (!text || !shown(n) || n.tagName === "title" || n.tagName === "OPTION") continue;
        const style = getComputedStyle(n);
        const scale = n.ownerSVGElement ? n.getScreenCTM().a : 1;
        const size = parseFloat(style.fontSize) * scale;
        if (size < 10.95) say(`text of ${size.toFixed(1)} px`, n);
        if (n.disabled) continue;
        const [back, opacity] = behind(n);
        if (!opacity) continue;
        const colour = rgba(n.ownerSVGElement ? style.fill : style.color);
        const [a, b] = [light(over(faint(colour, opacity), back)), light(back)];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) say(`contrast ${contrast.toFixed(2)}`, n);
    }
    return [...new Set(bad)];
}"""
