"use strict";
/* Mouse, keyboard and the toolbar. */
const axis = document.getElementById("axis"), overlay = document.getElementById("overlay"), cursor = document.getElementById("cursor");
const readout = document.getElementById("hover"), bench = document.getElementById("bench");
T.xOf = (t) => ((t - T.state.from) / (T.state.to - T.state.from)) * T.lanes.width();
T.tOf = (x) => T.state.from + (x / T.lanes.width()) * (T.state.to - T.state.from);
const place = () => {
  const x = T.xOf(T.state.now), inside = x >= 0 && x <= T.lanes.width();
  cursor.hidden = !inside;
  cursor.style.transform = `translateX(${x}px)`;
  cursor.dataset.t = T.state.now;
  document.getElementById("time").textContent = `${T.state.now.toFixed(3)} s`;
  document.getElementById("time").title = `${T.clock(T.state.now)} minutes`;
};
T.listen("now", place);
T.listen("drawn", place);
T.listen("frame", (one) => { document.getElementById("frame").textContent = `frame ${one.frame}`; });
T.listen("playing", () => {
  const playing = T.player.playing(), button = document.getElementById("play");
  button.textContent = playing ? "❚❚" : "▶";
  button.setAttribute("aria-label", playing ? "Pause" : "Play");
});

/* A change of the range is drawn once per picture of the screen. */
let due = false;
T.listen("range", () => {
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; T.lanes.redraw(); T.hands.window(); });
});
T.hands = { zoom: (factor, at) => {
  const { from, to } = T.state, middle = at === undefined ? (T.state.now >= from && T.state.now <= to ? T.state.now : (from + to) / 2) : at;
  T.setRange(middle - (middle - from) * factor, middle + (to - middle) * factor);
}, pan: (share) => T.setRange(T.state.from + share * (T.state.to - T.state.from), T.state.to + share * (T.state.to - T.state.from)),
all: () => T.setRange(...T.page.extent),
window: () => {
  const [least, most] = T.page.extent, box = document.getElementById("window");
  box.style.left = `${(100 * (T.state.from - least)) / (most - least)}%`;
  box.style.width = `${Math.max(0.4, (100 * (T.state.to - T.state.from)) / (most - least))}%`;
} };

/* Mouse over the lanes: values under it; drag moves, click sets the cursor or picks an event. */
const laneUnder = (target) => { const plot = target.closest && target.closest(".plot"); return plot && plot.lane ? plot : null; };
T.eventAt = (lane, t) => {
  const slack = (4 * (T.state.to - T.state.from)) / T.lanes.width();
  const own = T.lanes.events.filter((one) => one.channel === lane.channel && lane.kinds.includes(one.kind)
    && t >= one.on - slack && t <= Math.max(one.off, one.on) + slack);
  return own.sort((p, q) => (p.off - p.on) - (q.off - q.on))[0] || null;
};
const hover = (event) => {
  const plot = laneUnder(event.target);
  if (!plot || dragging) { readout.hidden = true; return; }
  const { lane } = plot, t = T.tOf(event.clientX - plot.getBoundingClientRect().left), found = T.eventAt(lane, t);
  const lines = [T.make("b", { text: `${t.toFixed(2)} s` })];
  if (found) {
    lines.push(T.make("p", { class: "what" }, T.nameOf(found),
      T.make("small", { text: ` ${found.on.toFixed(2)} to ${found.off.toFixed(2)} s${found.score === null ? "" : `, score ${T.short(found.score)}`}` })));
    const pictures = T.page.pictures[found.id];
    if (pictures) lines.push(T.make("p", { class: "faces" }, ...pictures.map((src) => T.make("img", { src, alt: "" }))));
  }
  for (const track of lane.tracks.filter((one) => one.shown)) {
    const value = T.valueAt(T.state.person, lane.id, track.column, t);
    if (!isFinite(value) || (lane.style === "heat" && value < 0.05)) continue;
    const unit = (T.page.columns[track.column] || {}).unit;
    lines.push(T.make("p", {}, T.make("i", { style: null }), `${track.name} ${T.short(value)}${unit && unit !== "1" ? ` ${unit}` : ""}`));
    lines[lines.length - 1].firstChild.style.background = track.colour;
  }
  const why = (T.page.tracks[T.state.person].missing[lane.channel] || []).find((one) => t >= one[0] && t < one[1]);
  if (why) lines.push(T.make("p", { class: "why", text: `no value: ${why[2].replaceAll("_", " ")}` }));
  if (lane.channel === "fused" && T.page.tracks[T.state.person].silent.some((one) => t >= one[0] && t < one[1])) {
    lines.push(T.make("p", { class: "why", text: "cannot say: the evidence does not allow a statement" }));
  }
  readout.replaceChildren(...lines);
  readout.hidden = false;
  const box = bench.getBoundingClientRect(), wide = readout.offsetWidth, tall = readout.offsetHeight;
  const left = event.clientX - box.left + 14, top = event.clientY - box.top + 14;
  readout.style.left = `${left + wide > box.width ? left - wide - 28 : left}px`;
  readout.style.top = `${event.clientY + tall + 24 > window.innerHeight ? top - tall - 28 : top}px`;
};
let dragging = null;
T.stack.addEventListener("pointermove", hover);
T.stack.addEventListener("pointerleave", () => { readout.hidden = true; });
T.stack.addEventListener("pointerdown", (event) => {
  const plot = laneUnder(event.target);
  if (!plot || event.button !== 0) return;
  dragging = { plot, x: event.clientX, from: T.state.from, to: T.state.to, moved: false };
  plot.setPointerCapture(event.pointerId);
  event.preventDefault();
  document.activeElement && document.activeElement.blur && document.activeElement.blur();
});
T.stack.addEventListener("pointermove", (event) => {
  if (!dragging) return;
  const dx = event.clientX - dragging.x;
  if (Math.abs(dx) > 3) dragging.moved = true;
  if (dragging.moved) {
    const shift = (-dx / T.lanes.width()) * (dragging.to - dragging.from);
    T.setRange(dragging.from + shift, dragging.to + shift);
  }
});
T.stack.addEventListener("pointerup", (event) => {
  if (!dragging) return;
  const { plot, moved } = dragging;
  dragging = null;
  if (moved) return;
  const t = T.tOf(event.clientX - plot.getBoundingClientRect().left), found = T.eventAt(plot.lane, t);
  T.player.pause();
  T.setNow(t);
  if (found) T.choose(found);
});
T.stack.addEventListener("pointercancel", () => { dragging = null; });
T.stack.addEventListener("dblclick", () => T.hands.all());
T.stack.addEventListener("wheel", (event) => {
  const plot = laneUnder(event.target);
  if (!plot) return;
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    T.hands.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * 0.002))), T.tOf(event.clientX - plot.getBoundingClientRect().left));
  } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    T.hands.pan((event.deltaX || event.deltaY) / T.lanes.width());
  }
}, { passive: false });

/* The strip of the whole session. */
const whole = document.getElementById("whole");
whole.addEventListener("pointerdown", (event) => {
  const go = (one) => {
    const box = whole.getBoundingClientRect(), [least, most] = T.page.extent, span = T.state.to - T.state.from;
    const t = least + ((one.clientX - box.left) / box.width) * (most - least);
    T.setRange(t - span / 2, t + span / 2);
  };
  go(event);
  whole.setPointerCapture(event.pointerId);
  whole.onpointermove = go;
  whole.onpointerup = () => { whole.onpointermove = whole.onpointerup = null; };
});

/* Keyboard. */
const KEYS = {
  " ": () => T.player.toggle(), ArrowLeft: (e) => (e.shiftKey ? T.setNow(T.state.now - 1) : T.player.step(-1)),
  ArrowRight: (e) => (e.shiftKey ? T.setNow(T.state.now + 1) : T.player.step(1)),
  "+": () => T.hands.zoom(0.5), "=": () => T.hands.zoom(0.5), "-": () => T.hands.zoom(2), 0: () => T.hands.all(),
  "[": () => T.hands.pan(-0.5), "]": () => T.hands.pan(0.5), Home: () => T.setNow(T.page.extent[0]),
  End: () => T.setNow(T.page.extent[1]), n: () => T.jump(1), p: () => T.jump(-1),
  i: () => T.jump(1, (one) => one.kind === "incongruence"), "?": () => { const help = document.getElementById("help"); help.open = !help.open; if (help.open) help.scrollIntoView({ block: "nearest" }); },
};
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (at.closest("input, select, textarea") || (at.closest("button, summary, a, video") && [" ", "Enter"].includes(event.key))) return;
  const does = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (!does) return;
  event.preventDefault();
  does(event);
});
const press = (id, does) => { const button = document.getElementById(id); if (button) button.addEventListener("click", does); };
press("play", () => T.player.toggle());
press("back", () => T.player.step(-1));
press("on", () => T.player.step(1));
press("in", () => T.hands.zoom(0.5));
press("out", () => T.hands.zoom(2));
press("all", () => T.hands.all());
press("next", () => T.jump(1));
press("previous", () => T.jump(-1));
document.getElementById("speed").addEventListener("change", (event) => {
  T.player.all.forEach((one) => { one.video.playbackRate = Number(event.target.value); });
});
T.say = (text) => { document.getElementById("live").textContent = text; };
