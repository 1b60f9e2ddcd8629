"use strict";
/* What the page shows and what is looked at now; every other part asks here and is told of changes. */
const T = { chunks: {}, waiting: {}, ears: {}, cache: {} };
T.page = JSON.parse(document.getElementById("page").textContent);
T.state = { person: 0, from: T.page.extent[0], to: T.page.extent[1], now: T.page.extent[0], chosen: null };

T.listen = (what, ear) => (T.ears[what] = T.ears[what] || []).push(ear);
T.tell = (what, said) => (T.ears[what] || []).forEach((ear) => ear(said));
T.make = (name, values, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(values || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") made.textContent = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

T.bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
T.person = () => T.page.people[T.state.person];
T.fixed = (value, digits) => (value === null || value === undefined || !isFinite(value) ? "–" : value.toFixed(digits));
T.short = (value) => {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
};
T.clock = (t) => {
  const whole = Math.abs(t), minutes = Math.floor(whole / 60);
  return `${t < 0 ? "−" : ""}${minutes}:${(whole - 60 * minutes).toFixed(2).padStart(5, "0")}`;
};

/* The grid. */
const grid = T.page.grid;
const times = grid.times ? new Float64Array(T.bytes(grid.times)) : null;
T.timeAt = (i) => (times ? times[i] : grid.start_s + i * grid.period_s);
T.indexAt = (t) => {
  if (!times) return Math.round((t - grid.start_s) / grid.period_s);
  let low = 0, high = times.length - 1;
  while (low < high) { const middle = (low + high) >> 1; if (times[middle] < t) low = middle + 1; else high = middle; }
  return low > 0 && t - times[low - 1] < times[low] - t ? low - 1 : low;
};

/* Values: thinned ones at once, all of them when somebody looks closer. */
T.chunk = (name, columns) => {
  T.chunks[name] = columns;
  (T.waiting[name] || []).forEach((go) => go());
};
T.chunkName = (person, lane) => `${person}-${lane}`;
T.need = (person, lane) => new Promise((done) => {
  const name = T.chunkName(person, lane);
  if (T.chunks[name] || !T.page.tracks[person].chunks.includes(lane)) return done();
  const inline = document.getElementById(`chunk-${name}`);
  if (inline) { T.chunk(name, JSON.parse(inline.textContent)); return done(); }
  if (T.waiting[name]) { T.waiting[name].push(done); return undefined; }
  T.waiting[name] = [done];
  const script = T.make("script", { src: `data/${name}.js` });
  script.onerror = () => { T.page.tracks[person].chunks = T.page.tracks[person].chunks.filter((one) => one !== lane); done(); };
  document.head.append(script);
  return undefined;
});
T.series = (person, lane, column) => {
  const key = `${person}|${column}`, known = T.cache[key];
  const chunk = T.chunks[T.chunkName(person, lane)];
  if (known && (known.full || !chunk || !chunk[column])) return known;
  const text = T.page.tracks[person].overview[column];
  if (!text) return null;
  const made = { at: text.at ? new Uint32Array(T.bytes(text.at)) : null, values: new Float32Array(T.bytes(text.values)) };
  made.full = made.at ? (chunk && chunk[column] ? new Float32Array(T.bytes(chunk[column])) : null) : made.values;
  return (T.cache[key] = made);
};
T.valueAt = (person, lane, column, t) => {
  const series = T.series(person, lane, column);
  if (!series) return NaN;
  const i = T.indexAt(t);
  if (i < 0 || i >= grid.n) return NaN;
  if (series.full) return series.full[i];
  const near = T.lowerBound(series.at, i);
  return near < series.at.length ? series.values[near] : NaN;
};
T.lowerBound = (sorted, value) => {
  let low = 0, high = sorted.length;
  while (low < high) { const middle = (low + high) >> 1; if (sorted[middle] < value) low = middle + 1; else high = middle; }
  return low;
};

/* Points to draw between two times: least, greatest and first missing value of each pixel. */
T.points = (series, from, to, pixels) => {
  const first = Math.max(0, T.indexAt(from) - 1), last = Math.min(grid.n - 1, T.indexAt(to) + 1);
  const x = [], y = [];
  const put = (i, value) => { x.push(T.timeAt(i)); y.push(isFinite(value) ? value : null); };
  if (!series.full) {
    const begin = Math.max(0, T.lowerBound(series.at, first) - 1);
    const end = Math.min(series.at.length - 1, T.lowerBound(series.at, last));
    for (let k = begin; k <= end; k++) put(series.at[k], series.values[k]);
    return { x, y };
  }
  const step = Math.max(1, Math.ceil((last - first + 1) / Math.max(1, pixels)));
  for (let a = first; a <= last; a += step) {
    const b = Math.min(last + 1, a + step);
    let low = -1, high = -1, gap = -1;
    for (let i = a; i < b; i++) {
      const value = series.full[i];
      if (!isFinite(value)) { if (gap < 0) gap = i; continue; }
      if (low < 0 || value < series.full[low]) low = i;
      if (high < 0 || value > series.full[high]) high = i;
    }
    [...new Set([low, high, gap])].filter((i) => i >= 0).sort((p, q) => p - q).forEach((i) => put(i, series.full[i]));
  }
  return { x, y };
};

T.setRange = (from, to) => {
  const [least, most] = T.page.extent, span = Math.min(most - least, Math.max(0.2, to - from));
  let begin = from + (to - from - span) / 2;
  begin = Math.min(Math.max(begin, least), most - span);
  if (begin === T.state.from && begin + span === T.state.to) return;
  T.state.from = begin;
  T.state.to = begin + span;
  T.tell("range");
};
T.setNow = (t, why) => {
  T.state.now = Math.min(Math.max(t, T.page.extent[0]), T.page.extent[1]);
  const span = T.state.to - T.state.from;
  if (T.state.now < T.state.from || T.state.now > T.state.to) {
    const lead = why === "play" ? 0.05 : 0.5;
    T.setRange(T.state.now - lead * span, T.state.now + (1 - lead) * span);
  }
  T.tell("now", why);
};
T.eventsOf = (person) => T.page.events.filter((one) => one.person === null || one.person === T.page.people[person]);
T.choose = (event) => { T.state.chosen = event; T.tell("chosen", event); };
T.nameOf = (event) => `${event.kind.replaceAll("_", " ")}${event.label ? `: ${event.label}` : ""}`;
