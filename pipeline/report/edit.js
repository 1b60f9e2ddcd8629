"use strict";
/* Coding: every edit goes to the server, which keeps it with coder and time; the page then shows the coder's events. */
T.edit = { coder: "", edits: 0, busy: false };
const desk = document.getElementById("edit");
const say = (text) => { const box = desk.querySelector(".trouble"); if (box) box.textContent = text; T.say(text); };
const MARKS = { changed: "changed", added: "added", confirmed: "✓" };

T.edit.start = () => {
  const known = new URLSearchParams(location.hash.slice(1)).get("coder") || T.page.edit.coder;
  if (known) T.edit.load(known); else signIn("");
};
const signIn = (text) => {
  const name = T.make("input", { id: "coder", list: "coders", autocomplete: "off", required: true, pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,63}" });
  desk.replaceChildren(T.make("h3", { text: "Code these events" }),
    T.make("p", { class: "hint", text: "Your edits are kept in a layer of your own; what the machine found stays as it is." }),
    T.make("form", { onsubmit: (event) => { event.preventDefault(); T.edit.load(name.value.trim()); } },
      T.make("label", { for: "coder", text: "Your name" }), name,
      T.make("datalist", { id: "coders" }, ...T.page.edit.coders.map((value) => T.make("option", { value }))),
      T.make("div", { class: "wide" }, T.make("button", { text: "Start" }))),
    T.make("p", { class: "trouble", role: "alert", text }));
};
T.edit.load = async (coder) => {
  const answer = await fetch(`layer?coder=${encodeURIComponent(coder)}`).catch(() => null);
  const said = answer ? await answer.json() : { error: "The server does not answer. Is telltale view still running?" };
  if (said.error) { signIn(said.error); return; }
  const hash = new URLSearchParams(location.hash.slice(1));
  hash.set("coder", coder);
  history.replaceState(null, "", `#${hash}`);
  take(said);
};
const take = (said, choose) => {
  const evidence = T.edit.evidence || (T.edit.evidence = Object.fromEntries(T.page.events.map((one) => [one.id, one.evidence])));
  const before = new Set(T.page.events.map((one) => one.id)), chosen = T.state.chosen && T.state.chosen.id;
  T.edit.coder = said.coder;
  T.edit.edits = said.edits;
  T.edit.said = said;
  T.page.events = said.events.map((one) => ({ ...one, evidence: evidence[one.id], mark: MARKS[one.verdict] || "" }));
  T.refresh();
  const added = choose && T.page.events.find((one) => !before.has(one.id));
  T.choose(added || T.page.events.find((one) => one.id === chosen) || null);
  panel();
  document.documentElement.dataset.edits = said.edits;
};
T.edit.send = async (asked) => {
  if (T.edit.busy || !T.edit.coder) return;
  T.edit.busy = true;
  try {
    const answer = await fetch("edit", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...asked, coder: T.edit.coder, seen: T.edit.edits }) });
    const said = await answer.json();
    if (answer.status === 409) await T.edit.load(T.edit.coder);
    if (said.error) { panel(); say(said.error); } else { take(said, asked.action === "add"); say("Kept."); }
  } catch {
    say("The server does not answer; this edit was not kept. Is telltale view still running?");
  } finally {
    T.edit.busy = false;
  }
};
const round = (t) => Math.round(t * 1e6) / 1e6;
const change = (after) => T.state.chosen && T.edit.send({ action: "change", event: T.state.chosen.id, after });
const number = (id, value) => T.make("input", { id, type: "number", step: "0.001", value: value === null ? "" : value.toFixed(3) });
const laneKinds = () => [...new Map(T.page.lanes.flatMap((lane) => lane.kinds.map((kind) => [`${lane.channel}/${kind}`, [lane.channel, kind]]))).values()];

const panel = () => {
  const { said } = T.edit, event = T.state.chosen, parts = [];
  parts.push(T.make("h3", { text: `Coding as ${T.edit.coder}` }));
  if (event) parts.push(form(event));
  else parts.push(T.make("p", { class: "hint", text: "Pick an event to move, relabel, comment or delete it." }));
  const pick = T.make("select", { id: "newkind", "aria-label": "Kind of the new event" }, ...laneKinds().map(([channel, kind]) =>
    T.make("option", { value: `${channel}/${kind}`, text: `${channel}: ${kind.replaceAll("_", " ")}` })));
  pick.value = T.edit.newKind || "face/micro";
  if (!pick.value) pick.selectedIndex = 0;
  pick.addEventListener("change", () => { T.edit.newKind = pick.value; });
  parts.push(T.make("div", { class: "wide" }, pick, T.make("button", { type: "button", id: "add", text: "Add at cursor (a)", onclick: add }),
    T.make("button", { type: "button", id: "undo", text: "Undo (z)", disabled: !said.undoable, onclick: () => T.edit.send({ action: "undo" }) })));
  if (event) {
    const seen = said.scopes.some(([person, channel, kind]) => person === event.person && channel === event.channel && kind === event.kind);
    parts.push(T.make("p", {}, T.make("button", { type: "button", id: "scope", disabled: seen, text: seen ? `All ${event.kind.replaceAll("_", " ")} events looked at` : `I have looked at all ${event.kind.replaceAll("_", " ")} events`,
      onclick: () => T.edit.send({ action: "scope", scope: [event.person, event.channel, event.kind] }) })));
  }
  parts.push(T.make("p", { class: "trouble", role: "alert" }));
  const history_ = [...said.history].reverse();
  parts.push(T.make("details", { open: T.edit.historyOpen, ontoggle: (one) => { T.edit.historyOpen = one.target.open; } },
    T.make("summary", { text: `${said.edits} edits` }), T.make("ol", { reversed: true }, ...history_.map((one) =>
      T.make("li", {}, T.make(one.undone ? "s" : "span", { text: `${one.action} ${one.what}` }), T.make("small", { class: "hint", text: ` ${one.time.slice(0, 19).replace("T", " ")}${one.comment ? `, “${one.comment}”` : ""}` }))))));
  desk.replaceChildren(...parts);
};
const form = (event) => {
  const [on, apex, off] = [number("f-on", event.on), number("f-apex", event.apex), number("f-off", event.off)];
  const kind = T.make("select", { id: "f-kind" }, ...[...new Set([...laneKinds().filter(([channel]) => channel === event.channel).map(([, one]) => one), event.kind])].map((one) => T.make("option", { value: one, text: one.replaceAll("_", " ") })));
  kind.value = event.kind;
  const label = T.make("input", { id: "f-label", value: event.label, maxlength: 200 });
  const comment = T.make("textarea", { id: "f-comment", "aria-label": "Comment", placeholder: "Comment", maxlength: 2000 });
  const keep = (submitted) => {
    submitted.preventDefault();
    const after = {};
    if (on.value !== event.on.toFixed(3)) after.on = Number(on.value);
    if (off.value !== event.off.toFixed(3)) after.off = Number(off.value);
    if (apex.value !== (event.apex === null ? "" : event.apex.toFixed(3))) after.apex = apex.value === "" ? null : Number(apex.value);
    if (kind.value !== event.kind) after.kind = kind.value;
    if (label.value !== event.label) after.label = label.value;
    if (Object.keys(after).length) T.edit.send({ action: "change", event: event.id, after, comment: comment.value });
    else if (comment.value.trim()) T.edit.send({ action: "comment", event: event.id, comment: comment.value });
    else say("Nothing is different.");
  };
  const line = (input, text) => [T.make("label", { for: input.id, text }), input];
  const said = (event.comments || []).map((text) => T.make("p", { class: "wide" }, `“${text}”`));
  return T.make("form", { onsubmit: keep }, ...line(on, "start, s"), ...line(apex, "height, s"), ...line(off, "end, s"), ...line(kind, "kind"), ...line(label, "label"), ...said, comment,
    T.make("div", { class: "wide" }, T.make("button", { id: "keep", text: "Keep" }),
      T.make("button", { type: "button", text: "Start = cursor (s)", onclick: () => change({ on: round(T.state.now) }) }),
      T.make("button", { type: "button", text: "End = cursor (e)", onclick: () => change({ off: round(T.state.now) }) }),
      T.make("button", { type: "button", id: "delete", text: "Delete (Del)", onclick: () => T.edit.send({ action: "delete", event: event.id }) })));
};
const add = () => {
  const [channel, kind] = document.getElementById("newkind").value.split("/"), on = round(T.state.now);
  const long = { micro: 0.3, macro: 1.5, blink: 0.2, r_peak: 0.001 }[kind] || 1;
  T.edit.send({ action: "add", after: { channel, kind, on, off: round(on + long), person: T.person(), label: "" } });
};
T.listen("chosen", () => { if (T.edit.coder) { panel(); handles(); } });

/* The ends of the chosen event can be dragged. */
const handles = () => {
  const band = document.getElementById("band");
  band.replaceChildren();
  if (!T.state.chosen) return;
  for (const [side, field] of [["start", "on"], ["end", "off"]]) {
    const grip = T.make("div", { class: `handle ${side}`, title: `Drag the ${side}` });
    grip.addEventListener("pointerdown", (down) => {
      const event = T.state.chosen, left = document.getElementById("overlay").getBoundingClientRect().left;
      let t = event[field];
      grip.setPointerCapture(down.pointerId);
      grip.onpointermove = (move) => {
        t = round(T.tOf(move.clientX - left));
        if (field === "on" ? t >= event.off - 0.001 : t <= event.on + 0.001) return;
        const [a, b] = field === "on" ? [t, event.off] : [event.on, t];
        band.style.left = `${T.xOf(a)}px`;
        band.style.width = `${Math.max(2, T.xOf(b) - T.xOf(a))}px`;
        T.setNow(t);
        document.getElementById(`f-${field}`).value = t.toFixed(3);
      };
      grip.onpointerup = () => {
        grip.onpointermove = grip.onpointerup = null;
        if (t !== event[field]) change({ [field]: t });
      };
      down.preventDefault();
      down.stopPropagation();
    });
    band.append(grip);
  }
};
document.addEventListener("keydown", (event) => {
  if (!T.edit.coder || event.target.closest("input, select, textarea") || event.altKey) return;
  const plainKey = !event.ctrlKey && !event.metaKey;
  const does = event.key === "z" ? () => T.edit.said.undoable && T.edit.send({ action: "undo" })
    : plainKey && event.key === "a" ? add
      : plainKey && T.state.chosen && event.key === "s" ? () => change({ on: round(T.state.now) })
        : plainKey && T.state.chosen && event.key === "e" ? () => change({ off: round(T.state.now) })
          : plainKey && T.state.chosen && event.key === "Delete" ? () => T.edit.send({ action: "delete", event: T.state.chosen.id }) : null;
  if (!does) return;
  event.preventDefault();
  does();
});
