"use strict";
/* The start. */
T.showPerson = (number) => {
  T.state.person = number;
  T.state.chosen = null;
  T.lanes.build();
  T.player.build();
  T.inspector.build();
  T.setNow(T.state.now);
};
const people = document.getElementById("people");
if (T.page.people.length > 1) {
  people.append(...T.page.people.map((name, number) => T.make("label", {},
    T.make("input", { type: "radio", name: "person", value: number, checked: number === 0, onchange: () => T.showPerson(number) }), ` ${name}`)));
  people.hidden = false;
}
T.refresh = () => { T.lanes.build(); T.inspector.build(); };
let width = 0;
new ResizeObserver(() => {
  const now = T.lanes.width();
  if (now !== width) { width = now; T.lanes.redraw(); T.hands.window(); }
}).observe(document.getElementById("axis"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => T.lanes.redraw());
const drawAll = () => {
  const [from, to] = [T.state.from, T.state.to].map((t) => t.toFixed(1));
  document.getElementById("whose").textContent = `Lanes of ${T.person()}, ${from} to ${to} s`;
  T.page.lanes.forEach((lane) => { if (T.lanes.drawn.has(lane.id)) T.lanes.visible.add(lane.id); });
  T.lanes.redraw();
};
window.addEventListener("beforeprint", drawAll);
const address = new URLSearchParams(location.hash.slice(1));
T.showPerson(0);
T.hands.window();
if (address.has("t")) T.setNow(Number(address.get("t")));
if (T.page.edit) T.edit.start();
requestAnimationFrame(() => requestAnimationFrame(() => {
  document.documentElement.dataset.ready = "yes";
  performance.mark("telltale-ready");
}));
