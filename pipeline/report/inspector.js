"use strict";
/* The list of events, and what speaks for the one that was picked. */
const list = document.getElementById("list"), kinds = document.getElementById("kinds"), inspector = document.getElementById("inspector");
const QUIET = ["r_peak", "blink", "gaze_shift", "pause", "filled_pause", "reaction"], MOST_ROWS = 250;
const ALL = "", NOTABLE = "notable";
T.inspector = { extras: [] };

T.listed = () => {
  const chosen = kinds.value;
  return T.lanes.events.filter((one) => (chosen === ALL ? true : chosen === NOTABLE ? !QUIET.includes(one.kind) : one.kind === chosen));
};
T.inspector.build = () => {
  const there = [...new Set(T.lanes.events.map((one) => one.kind))].sort();
  const before = kinds.value || NOTABLE;
  const counts = (kind) => T.lanes.events.filter((one) => one.kind === kind).length;
  kinds.replaceChildren(T.make("option", { value: NOTABLE, text: "Notable events" }), T.make("option", { value: ALL, text: "All events" }),
    ...there.map((kind) => T.make("option", { value: kind, text: `${kind.replaceAll("_", " ")} (${counts(kind)})` })));
  kinds.value = [...kinds.options].some((one) => one.value === before) ? before : NOTABLE;
  T.inspector.fill();
  T.inspector.show(T.state.chosen);
};
T.inspector.fill = () => {
  const all = T.listed();
  const middle = Math.max(0, all.findIndex((one) => one.on >= T.state.now));
  const begin = all.length > MOST_ROWS ? Math.min(Math.max(0, middle - MOST_ROWS / 2), all.length - MOST_ROWS) : 0;
  const rows = all.slice(begin, begin + MOST_ROWS).map((one) => {
    const button = T.make("button", { type: "button", onclick: () => { T.player.pause(); T.setNow(one.on); T.choose(one); } },
      T.make("i", { "aria-hidden": "true" }), T.make("span", { class: "at", text: `${one.on.toFixed(2)} s` }),
      T.make("span", { class: "name", text: T.nameOf(one) }), one.mark ? T.make("em", { text: one.mark }) : null);
    button.firstChild.style.background = T.colourOf(one.kind);
    button.dataset.id = one.id;
    return T.make("li", {}, button);
  });
  const left = all.length - rows.length;
  list.replaceChildren(...rows, ...(left > 0 ? [T.make("li", { class: "hint", text: `${left} more: pick a kind, or move the cursor` })] : []));
  if (!rows.length) list.replaceChildren(T.make("li", { class: "hint", text: "None." }));
  mark();
};
const mark = () => list.querySelectorAll("button").forEach((one) => {
  const chosen = Boolean(T.state.chosen && one.dataset.id === T.state.chosen.id);
  one.toggleAttribute("aria-current", chosen);
  if (chosen) {
    const box = list.getBoundingClientRect(), at = one.getBoundingClientRect();
    if (at.top < box.top || at.bottom > box.bottom) list.scrollTop += at.top - box.top - box.height / 2;
  }
});
kinds.addEventListener("change", () => T.inspector.fill());
T.jump = (way, fits) => {
  const all = fits ? T.lanes.events.filter(fits) : T.listed();
  const t = T.state.now, slack = 1e-4;
  const next = way > 0 ? all.find((one) => one.on > t + slack) : [...all].reverse().find((one) => one.on < t - slack);
  if (!next) { T.say("No further event."); return; }
  T.player.pause();
  T.setNow(next.on);
  T.choose(next);
  T.say(`${T.nameOf(next)}, ${next.on.toFixed(2)} seconds`);
};

const row = (name, value) => [T.make("dt", { text: name }), T.make("dd", {}, value)];
const bar = (share, colour) => {
  const made = T.make("span", { class: "bar", "aria-hidden": "true" }, T.make("i", {}));
  made.firstChild.style.width = `${Math.round(100 * Math.min(1, Math.max(0, share)))}%`;
  if (colour) made.firstChild.style.background = colour;
  return made;
};
const chances = (values) => T.make("div", { class: "bars" }, ...Object.entries(values).sort((p, q) => q[1] - p[1])
  .flatMap(([name, share]) => [T.make("span", { text: name.replaceAll("_", " ") }), bar(share), T.make("b", { text: `${Math.round(100 * share)} %` })]));
const plain = (value) => {
  if (value === null) return "–";
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")} ${plain(one)}`).join(", ");
  return typeof value === "number" && !Number.isInteger(value) ? T.short(value) : String(value);
};
const link = (event, text) => T.make("button", { type: "button", class: "link", text, onclick: () => { T.setNow(event.on); T.choose(event); } });
const evidence = (event) => {
  const parts = [], { felt, shown, shares, evidence: list_ } = event.details, fused = (event.evidence || {}).fused || {};
  if (felt || shown) {
    parts.push(T.make("p", {}, "Felt ", T.make("b", { text: felt || "?" }), ", shown ", T.make("b", { text: shown || "?" }),
      event.details.grade ? `; graded ${event.details.grade}` : ""));
  }
  const pick = (prefix) => Object.fromEntries(Object.entries(fused).filter(([name]) => name.startsWith(prefix)).map(([name, value]) => [name.slice(prefix.length), value]));
  if (Object.keys(pick("felt_")).length) parts.push(T.make("h4", { text: "Felt, mean over the event" }), chances(pick("felt_")), T.make("h4", { text: "Shown" }), chances(pick("shown_")));
  const known = shares && Object.keys(shares).length ? shares : pick("share_");
  if (Object.keys(known).length) parts.push(T.make("h4", { text: "What the statement rests on" }), chances(known));
  if (fused.uncertainty !== undefined) parts.push(T.make("p", { class: "hint", text: `Uncertainty ${T.short(fused.uncertainty)} (0 sure, 1 nothing known).` }));
  if (list_ && list_.length) {
    parts.push(T.make("h4", { text: "What happened around it" }), T.make("ul", {}, ...list_.map((one) => {
      const text = `${T.fixed(one.onset_s, 2)} s ${one.channel}: ${String(one.kind).replaceAll("_", " ")}${one.label ? ` ${one.label}` : ""}`;
      const found = T.lanes.events.find((other) => other.kind === one.kind && Math.abs(other.on - one.onset_s) < 0.02);
      return T.make("li", {}, found ? link(found, text) : text);
    })));
  }
  const unlike = (event.evidence || {}).unlike || [];
  if (unlike.length) {
    parts.push(T.make("h4", { text: "Unlike this person's baseline" }), T.make("ul", { class: "unlike" }, ...unlike.map((one) => T.make("li", { title: one.what },
      T.make("b", { text: `${one.z > 0 ? "+" : "−"}${Math.abs(one.z).toFixed(1)} SD` }), ` ${one.column.replace(".", ": ").replaceAll("_", " ")}`,
      one.value === null ? "" : ` (${T.short(one.value)}${one.unit && one.unit !== "1" ? ` ${one.unit}` : ""})`))));
  }
  parts.push(T.make("p", { class: "hint", text: "A place to look at, not a finding, and never a sign of lying by itself." }));
  return parts;
};
T.inspector.show = (event) => {
  mark();
  const band = document.getElementById("band");
  band.hidden = !event;
  if (!event) {
    inspector.replaceChildren(T.make("p", { class: "hint noprint", text: "Click an event in a lane or in the list. An incongruence shows its evidence." }), ...T.inspector.extras.flatMap((extra) => extra(null)));
    return;
  }
  const parts = [T.make("h3", {}, T.make("i", { "aria-hidden": "true" }), T.nameOf(event))];
  parts[0].firstChild.style.background = T.colourOf(event.kind);
  const pictures = T.page.pictures[event.id];
  if (pictures) {
    parts.push(T.make("div", { class: "faces" }, ...pictures.map((src, k) => T.make("figure", {}, T.make("img", { src, alt: `Face at ${k ? "the height" : "the onset"} of the event` }), T.make("figcaption", { text: k ? "height" : "onset" })))));
  }
  const said = T.make("dl", {}, ...row("time", `${event.on.toFixed(3)} to ${event.off.toFixed(3)} s, ${(1000 * (event.off - event.on)).toFixed(0)} ms`),
    ...(event.apex === null ? [] : row("height", `${event.apex.toFixed(3)} s`)), ...(event.score === null ? [] : row("score", T.short(event.score))),
    ...(event.person ? row("person", event.person) : []), ...row("channel", event.channel));
  const meaning = T.page.meanings[event.kind];
  if (meaning) parts.push(T.make("p", { class: "hint", text: meaning }));
  parts.push(said);
  if (event.kind === "incongruence") parts.push(...evidence(event));
  else {
    const { emotion, aus, ...rest } = event.details;
    if (emotion && emotion.probability) parts.push(T.make("h4", { text: `Recognised: ${emotion.class}` }), chances(emotion.probability));
    if (aus && Object.keys(aus).length) parts.push(T.make("h4", { text: "Action units" }), chances(aus));
    const entries = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
    if (entries.length) parts.push(T.make("details", {}, T.make("summary", { text: "Details" }), T.make("dl", {}, ...entries.flatMap(([name, value]) => row(name.replaceAll("_", " "), plain(value))))));
  }
  inspector.replaceChildren(...parts, ...T.inspector.extras.flatMap((extra) => extra(event)));
};
T.listen("chosen", (event) => { T.inspector.show(event); T.placeBand(); });
T.placeBand = () => {
  const band = document.getElementById("band"), one = T.state.chosen;
  if (!one) { band.hidden = true; return; }
  const width = T.lanes.width(), a = Math.max(-4, T.xOf(one.on)), b = Math.min(width + 4, T.xOf(one.off));
  band.hidden = b < 0 || a > width;
  band.style.left = `${a}px`;
  band.style.width = `${Math.max(2, b - a)}px`;
};
T.listen("drawn", T.placeBand);
T.listen("now", (why) => { if (why !== "play" && T.listed().length > MOST_ROWS) T.inspector.fill(); });

/* Faces above their expressions; of neighbours the stronger one. */
T.listen("laneDrawn", (lane) => {
  if (lane.id !== "expressions") return;
  const { row: line, plot } = T.lanes.drawn.get(lane.id), width = T.lanes.width(), side = 40;
  const old = line.querySelector(".strip");
  if (old) old.remove();
  const wanted = T.lanes.events.filter((one) => lane.kinds.includes(one.kind) && T.page.pictures[one.id]);
  if (!wanted.length) return;
  const taken = [], strip = T.make("div", { class: "strip" });
  for (const one of [...wanted].sort((p, q) => (q.score || 0) - (p.score || 0))) {
    const t = one.apex === null ? one.on : one.apex, x = Math.min(Math.max(T.xOf(t), side / 2), width - side / 2);
    if (t < T.state.from || t > T.state.to || taken.some((other) => Math.abs(other - x) < side + 3)) continue;
    taken.push(x);
    const picture = T.make("img", { src: T.page.pictures[one.id][1], alt: `Face at ${t.toFixed(2)} seconds, ${T.nameOf(one)}`,
      onclick: () => { T.player.pause(); T.setNow(t); T.choose(one); } });
    picture.style.left = `${x - side / 2}px`;
    picture.style.borderColor = T.colourOf(one.kind);
    strip.append(picture);
  }
  plot.before(strip);
  line.classList.add("pictured");
});
