"use strict";
/* Lanes: one drawing each on a common time axis, drawn when it comes into view. */
T.lanes = { open: [], drawn: new Map(), visible: new Set(), dirty: new Set(), styles: {} };
const KIND_COLOURS = { micro: "#d6483f", macro: "#2f9e62", blink: "#8a8f98", gaze_shift: "#d98a29", speech_turn: "#3f7fd0",
  pause: "#8a8f98", filled_pause: "#9068c4", gesture: "#2f9e62", hand_to_face: "#d98a29", scr: "#9068c4", cue: "#5b7a99",
  incongruence: "#d6483f", r_peak: "#d6483f", reaction: "#1f9aa3" };
const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400];
const CHANNEL_NAMES = { fused: "Fused", face: "Face", voice: "Voice", body: "Body", physiology: "Physiology", context: "Context" };
T.colourOf = (kind) => KIND_COLOURS[kind] || "#cf5f9b";
T.stack = document.getElementById("stack");

T.laneHas = (lane) => {
  const overview = T.page.tracks[T.state.person].overview;
  const lines = lane.tracks.some((track) => overview[track.column]);
  return lines || T.lanes.events.some((one) => one.channel === lane.channel && lane.kinds.includes(one.kind));
};
T.lanes.build = () => {
  T.lanes.events = T.eventsOf(T.state.person);
  T.stack.replaceChildren();
  T.lanes.drawn.clear();
  T.lanes.visible.clear();
  const emptied = new Set();
  for (const lane of T.page.lanes) {
    const there = T.laneHas(lane);
    lane.shown = lane.shown === undefined ? lane.open : lane.shown;
    if (!there) {
      const whole = T.page.lanes.filter((one) => one.channel === lane.channel);
      if (whole.some(T.laneHas)) { if (lane.open) T.stack.append(emptyRow(lane.title, lane.channel)); }
      else if (!emptied.has(lane.channel)) {
        emptied.add(lane.channel);
        T.stack.append(emptyRow(CHANNEL_NAMES[lane.channel] || lane.channel, lane.channel));
      }
      continue;
    }
    if (lane.shown) T.stack.append(laneRow(lane));
  }
  furtherLanes();
  T.lanes.redraw();
};
const emptyRow = (title, channel) => {
  const why = [...new Set((T.page.tracks[T.state.person].missing[channel] || []).map((one) => one[2]))];
  const said = why.length ? `no data: ${why.slice(0, 3).map((word) => word.replaceAll("_", " ")).join(", ")}` : "nothing found";
  return T.make("section", { class: "lane empty", "aria-label": `${title}: ${said}` },
    T.make("div", { class: "gutter" }, T.make("h3", { text: title })), T.make("p", { class: "plot none", text: said }));
};
const hasLines = (lane) => lane.tracks.some((track) => T.page.tracks[T.state.person].overview[track.column]);
const tall = (lane) => {
  if (!hasLines(lane)) return Math.min(lane.height, 36);
  const rows = lane.tracks.filter((track) => T.page.tracks[T.state.person].overview[track.column]).length;
  return lane.style === "heat" ? Math.min(lane.height, 20 + 11 * rows) : lane.height;
};
const laneRow = (lane) => {
  const chips = lane.tracks.filter((track) => T.page.tracks[T.state.person].overview[track.column]);
  const box = T.make("div", { class: "chips" });
  for (const track of chips) {
    track.shown = track.shown === undefined ? track.on : track.shown;
    if (lane.style === "heat" || chips.length === 1) continue;
    const about = T.page.columns[track.column] || {};
    const chip = T.make("button", { type: "button", class: "chip", "aria-pressed": String(track.shown),
      title: about.what || track.column, onclick: () => {
        track.shown = !track.shown;
        chip.setAttribute("aria-pressed", String(track.shown));
        T.lanes.drawOne(lane);
      } }, T.make("i", { "aria-hidden": "true" }), track.name);
    chip.firstChild.style.background = track.colour;
    box.append(chip);
  }
  const unit = unitOf(lane);
  const plot = T.make("div", { class: "plot", role: "img", "aria-label": spoken(lane, chips) });
  const row = T.make("section", { class: "lane", "aria-label": lane.title },
    T.make("div", { class: "gutter" },
      T.make("div", { class: "head" }, T.make("h3", { text: lane.title }), unit ? T.make("small", { text: unit }) : null,
        T.make("button", { type: "button", class: "close", title: `Close ${lane.title}`, "aria-label": `Close ${lane.title}`,
          text: "×", onclick: () => { lane.shown = false; T.lanes.build(); } })),
      box, T.make("span", { class: "hi", "aria-hidden": "true" }), T.make("span", { class: "lo", "aria-hidden": "true" })),
    T.make("div", { class: "field" }, plot));
  plot.style.height = `${tall(lane)}px`;
  plot.lane = lane;
  T.lanes.drawn.set(lane.id, { row, plot });
  watcher.observe(plot);
  return row;
};
const unitOf = (lane) => {
  const units = [...new Set(lane.tracks.map((track) => (T.page.columns[track.column] || {}).unit || "1"))];
  return units.length === 1 && units[0] !== "1" ? units[0] : "";
};
const spoken = (lane, tracks) => {
  const own = T.lanes.events.filter((one) => one.channel === lane.channel && lane.kinds.includes(one.kind)).length;
  const said = tracks.map((track) => {
    const range = T.page.tracks[T.state.person].range[track.column];
    return `${track.name} ${T.short(range[0])} to ${T.short(range[1])}`;
  });
  return `${lane.title}: ${[...said, own ? `${own} events` : ""].filter(Boolean).join(", ")}`;
};
const furtherLanes = () => {
  const closed = T.page.lanes.filter((lane) => !lane.shown && T.laneHas(lane));
  const box = document.getElementById("further");
  box.replaceChildren(...closed.map((lane) => T.make("button", { type: "button", class: "chip", text: `+ ${lane.title}`,
    onclick: () => { lane.shown = true; T.lanes.build(); } })));
  box.parentElement.hidden = !closed.length;
};
const watcher = new IntersectionObserver((seen) => {
  for (const one of seen) {
    if (one.isIntersecting) T.lanes.visible.add(one.target.lane.id);
    else T.lanes.visible.delete(one.target.lane.id);
    if (one.isIntersecting && T.lanes.dirty.has(one.target.lane.id)) T.lanes.drawOne(one.target.lane);
  }
}, { rootMargin: "150px 0px" });

/* Drawing. */
T.ticks = (from, to, width) => {
  const step = STEPS.find((one) => (width * one) / (to - from) >= 76) || 28800;
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2, at = [];
  for (let k = Math.ceil(from / step); k * step <= to; k++) at.push(k * step);
  return { at, text: at.map((t) => `${t.toFixed(digits)} s`) };
};
T.ink = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
T.lanes.width = () => Math.max(80, document.getElementById("axis").clientWidth);
T.lanes.redraw = () => {
  T.page.lanes.forEach((lane) => T.lanes.dirty.add(lane.id));
  const width = T.lanes.width(), { at, text } = T.ticks(T.state.from, T.state.to, width);
  Plotly.react("axis", [], { width, height: 26, margin: { l: 0, r: 0, t: 24, b: 0 }, paper_bgcolor: "transparent",
    plot_bgcolor: "transparent", font: { color: T.ink("--soft"), size: 11, family: "system-ui, sans-serif" },
    xaxis: { range: [T.state.from, T.state.to], side: "top", tickvals: at, ticktext: text, ticks: "inside", showgrid: false,
      zeroline: false, ticklen: 4, fixedrange: true }, yaxis: { visible: false, fixedrange: true } }, { staticPlot: true });
  for (const id of T.lanes.visible) {
    const there = T.lanes.drawn.get(id);
    if (there) T.lanes.drawOne(there.plot.lane);
  }
  T.tell("drawn");
};
const boxes = (stretches, low, high, colour, opacity) => {
  const x = [], y = [];
  for (const [a, b] of stretches) {
    x.push(a, a, b, b, a, null);
    y.push(low, high, high, low, low, null);
  }
  return { x, y, type: "scatter", mode: "lines", fill: "toself", fillcolor: colour, opacity, line: { width: 0 }, hoverinfo: "skip" };
};
const within = (list, from, to) => list.filter((one) => one[1] > from && one[0] < to);
const eventTraces = (lane, from, to, width, low, high) => {
  const traces = [], labels = { x: [], y: [], text: [] }, pixel = (to - from) / width;
  const rows = lane.kinds.length > 2 && lane.style === "events" ? lane.kinds.length : 1;
  lane.kinds.forEach((kind, number) => {
    const own = T.lanes.events.filter((one) => one.channel === lane.channel && one.kind === kind && one.off > from && one.on < to);
    if (!own.length) return;
    const merged = [];
    for (const one of own) {
      const a = one.on, b = Math.max(one.off, one.on + 2 * pixel), last = merged[merged.length - 1];
      if (own.length > 150 && last && a < last[1]) last[1] = Math.max(last[1], b);
      else merged.push([a, b]);
    }
    const size = (high - low) / rows, at = rows > 1 ? number : 0;
    const bottom = low + size * at + (rows > 1 ? 0.06 * size : 0), top = low + size * (at + (rows > 1 ? 0.94 : 1));
    const faint = kind === "pause" || kind === "r_peak";
    const trace = boxes(merged, bottom, top, T.colourOf(kind), faint ? 0.35 : 0.62);
    traces.push({ ...trace, yaxis: "y2" });
    let free = -Infinity;
    for (const one of own) {
      const begin = Math.max(one.on, from), room = (Math.max(one.off, one.on) - begin) / pixel, words = one.label || "";
      const need = 6.4 * words.length + 8;
      if (!words || begin < free || faint || kind === "blink" || (lane.style !== "events" && room < need)) continue;
      const next = own.find((other) => other.on > one.on);
      if (next && (next.on - begin) / pixel < need) continue;
      labels.x.push(begin + 4 * pixel);
      labels.y.push((bottom + top) / 2);
      labels.text.push(words.replaceAll("<", "‹"));
      free = begin + need * pixel;
    }
  });
  if (labels.x.length) {
    traces.push({ ...labels, yaxis: "y2", type: "scatter", mode: "text", textposition: "middle right", hoverinfo: "skip",
      textfont: { size: 10.5, color: T.ink("--ink") } });
  }
  return traces;
};
const heat = (lane, tracks, from, to, width) => {
  const bins = Math.min(Math.floor(width / 2), 700), step = (to - from) / bins, z = [], x = [];
  for (let k = 0; k <= bins; k++) x.push(from + k * step);
  for (const track of tracks) {
    const row = new Array(bins).fill(null), { x: at, y } = T.points(T.series(T.state.person, lane.id, track.column), from, to, bins * 2);
    let last = null;
    at.forEach((t, i) => {
      const k = Math.floor((t - from) / step);
      if (y[i] !== null && k >= 0 && k < bins) row[k] = Math.max(row[k] === null ? -Infinity : row[k], y[i]);
      if (y[i] !== null && last !== null && y[last] !== null) {
        const before = Math.floor((at[last] - from) / step);
        for (let j = Math.max(0, before + 1); j < Math.min(k, bins); j++) row[j] = row[j] === null ? y[last] : row[j];
      }
      last = i;
    });
    z.push(row);
  }
  return [{ type: "heatmap", x, y: tracks.map((track) => track.name), z, zmin: 0, zmax: 1, zsmooth: false, showscale: false,
    hoverinfo: "skip", colorscale: [[0, "rgba(63,127,208,0.02)"], [0.15, "rgba(63,127,208,0.22)"], [0.5, "rgba(110,70,170,0.75)"], [1, "rgba(214,72,63,1)"]] }];
};
T.lanes.drawOne = (lane) => {
  const there = T.lanes.drawn.get(lane.id);
  if (!there) return;
  const { person, from, to } = T.state, width = T.lanes.width(), about = T.page.tracks[person];
  T.lanes.dirty.delete(lane.id);
  const closer = (to - from) < 0.7 * (T.page.extent[1] - T.page.extent[0]);
  if (closer && about.chunks.includes(lane.id) && !T.chunks[T.chunkName(person, lane.id)]) {
    T.need(person, lane.id).then(() => T.lanes.drawOne(lane));
  }
  const tracks = lane.tracks.filter((track) => track.shown && about.overview[track.column]);
  const kinds = lane.kinds.some((kind) => T.lanes.events.some((one) => one.channel === lane.channel && one.kind === kind));
  const plain = hasLines(lane) && (lane.style !== "events" || tracks.length > 0), height = tall(lane);
  const traces = [];
  let low = lane.low, high = lane.high;
  for (const track of tracks) {
    const range = about.range[track.column];
    low = low === null ? range[0] : Math.min(low, range[0]);
    high = high === null ? range[1] : Math.max(high, range[1]);
  }
  if (low === null || high === null || high <= low) { low = low === null ? 0 : low - 0.5; high = low + 1; }
  const gaps = within([...(about.missing[lane.channel] || []), ...(lane.channel === "fused" ? about.silent : [])], from, to);
  const rows = lane.style === "heat";
  if (!rows && plain && gaps.length) traces.push(boxes(gaps, low, high, T.ink("--soft"), 0.13));
  if (rows) traces.push(...heat(lane, [...tracks].reverse(), from, to, width));
  else {
    const band = lane.band && about.overview[lane.band];
    for (const track of tracks) {
      const { x, y } = T.points(T.series(person, lane.id, track.column), from, to, width);
      if (band && track === tracks[0]) traces.push(...bandTraces(lane, x, y, track.colour));
      traces.push({ x, y, type: "scatter", mode: "lines", line: { color: track.colour, width: 1.5 }, connectgaps: false, hoverinfo: "skip" });
    }
  }
  if (kinds) traces.push(...eventTraces(lane, from, to, width, 0, 1));
  const pad = rows ? 0 : 0.06 * (high - low), strip = kinds ? (plain ? 1 - 16 / height : 0) : 1;
  const { at } = T.ticks(from, to, width);
  const layout = { width, height, margin: { l: 0, r: 0, t: 2, b: 2 }, showlegend: false, hovermode: false,
    paper_bgcolor: "transparent", plot_bgcolor: "transparent", font: { family: "system-ui, sans-serif" },
    xaxis: { range: [from, to], tickvals: at, showticklabels: false, gridcolor: T.ink("--grid"), zeroline: false, fixedrange: true,
      anchor: plain ? "y" : "y2" },
    yaxis: { domain: [0, Math.max(0.05, strip - 0.04)], visible: false, fixedrange: true, type: rows ? "category" : "linear",
      ...(rows ? {} : { range: [low - pad, high + pad] }) },
    yaxis2: { domain: [Math.min(0.99, strip), 1], range: [0, 1], visible: false, fixedrange: true } };
  Plotly.react(there.plot, traces, layout, { staticPlot: true });
  T.lanes.limits(there.row, lane, rows ? tracks : null, low, high, plain, strip);
  T.tell("laneDrawn", lane);
};
const bandTraces = (lane, x, y, colour) => {
  const series = T.series(T.state.person, lane.id, lane.band), upper = [], lower = [];
  const wide = x.map((t) => T.valueAt(T.state.person, lane.id, lane.band, t));
  y.forEach((value, i) => {
    const fine = value !== null && series && isFinite(wide[i]);
    upper.push(fine ? Math.min(1, value + wide[i] / 2) : null);
    lower.push(fine ? Math.max(0, value - wide[i] / 2) : null);
  });
  const pieces = [];
  let start = 0;
  for (let i = 0; i <= x.length; i++) {
    if (i === x.length || upper[i] === null) {
      if (i > start) {
        const xs = x.slice(start, i);
        pieces.push([[...xs, ...xs.reverse(), null], [...upper.slice(start, i), ...lower.slice(start, i).reverse(), null]]);
      }
      start = i + 1;
    }
  }
  return [{ x: pieces.flatMap((one) => one[0]), y: pieces.flatMap((one) => one[1]), type: "scatter", mode: "lines", fill: "toself",
    fillcolor: colour, opacity: 0.16, line: { width: 0 }, hoverinfo: "skip" }];
};
T.lanes.limits = (row, lane, heatRows, low, high, plain, strip) => {
  const [hi, lo] = [row.querySelector(".hi"), row.querySelector(".lo")];
  hi.textContent = plain && !heatRows ? T.short(high) : "";
  lo.textContent = plain && !heatRows ? T.short(low) : "";
  if (heatRows && !row.querySelector(".rows")) {
    row.querySelector(".gutter").append(T.make("div", { class: "rows", "aria-hidden": "true" }, ...heatRows.map((one) => T.make("span", { text: one.name }))));
  }
  hi.style.top = strip < 1 ? "16px" : "0";
};
