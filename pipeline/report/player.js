"use strict";
/* Videos that follow the cursor, and a cursor that follows the video: by the frame that is shown, not by the clock. */
T.player = { all: [], sounds: [], main: null, clock: null };
const toSession = (knots, media) => onLine(knots, media, 0, 1);
const toMedia = (knots, session) => onLine(knots, session, 1, 0);
const onLine = (knots, value, a, b) => {
  if (knots.length < 2) return knots[0][b] + value - knots[0][a];
  let k = 1;
  while (k < knots.length - 1 && knots[k][a] < value) k++;
  const [p, q] = [knots[k - 1], knots[k]];
  return p[b] + ((value - p[a]) * (q[b] - p[b])) / Math.max(1e-9, q[a] - p[a]);
};
const frameAt = (times, t) => {
  let low = 0, high = times.length - 1;
  while (low < high) { const middle = (low + high + 1) >> 1; if (times[middle] <= t + 1e-4) low = middle; else high = middle - 1; }
  return low;
};

T.player.build = () => {
  const box = document.getElementById("videos"), person = T.person();
  T.player.pause();
  box.replaceChildren();
  const own = T.page.players.filter((one) => !one.people.length || one.people.includes(person));
  T.player.all = own.map((about) => {
    const steps = new Uint32Array(T.bytes(about.frames)), media = new Float64Array(steps.length + 1);
    media[0] = about.first_s;
    for (let i = 0; i < steps.length; i++) media[i + 1] = media[i] + steps[i] / 1e6;
    const video = T.make("video", { preload: "auto", playsinline: true, "aria-label": `Video ${about.stream}`, tabindex: "-1" });
    const label = T.make("figcaption", {}, T.make("b", { text: about.stream }), ` ${about.kind.replaceAll("_", " ")}${about.copied ? ", copy" : ""}`);
    const figure = T.make("figure", {}, video, label);
    const one = { ...about, video, figure, media, tried: 0, ready: false };
    video.addEventListener("error", () => nextSource(one));
    video.addEventListener("loadedmetadata", () => { one.ready = true; seek(one, T.state.now); });
    video.addEventListener("click", () => (T.player.main === one ? T.player.toggle() : T.player.promote(one)));
    video.addEventListener("ended", () => T.player.pause());
    nextSource(one);
    box.append(figure);
    return one;
  });
  buildSounds(person, own);
  T.player.main = null;
  if (T.player.all.length) T.player.promote(T.player.all[0]);
  document.getElementById("watch").classList.toggle("none", !own.length && !T.player.sounds.length);
};
/* The sound of a recorder, or of the video that is watched, or none. */
const buildSounds = (person, videos) => {
  T.player.sounds.forEach((one) => one.element.remove());
  T.player.sounds = T.page.sounds.filter((one) => !one.people.length || one.people.includes(person)).map((about) => {
    const one = { ...about, element: T.make("audio", { preload: "metadata" }), tried: 0, ready: false };
    one.element.addEventListener("error", () => { one.ready = false; if (one.tried < one.sources.length) one.element.src = one.sources[one.tried++]; });
    one.element.addEventListener("loadedmetadata", () => { one.ready = true; });
    one.element.src = one.sources[one.tried++];
    return one;
  });
  const pick = document.getElementById("sound");
  const choices = [...T.player.sounds.map((one, k) => [String(k), `sound: ${one.stream}`]), ...(videos.length ? [["video", "sound: video"]] : []), ["none", "no sound"]];
  pick.replaceChildren(...choices.map(([value, text]) => T.make("option", { value, text })));
  pick.hidden = !T.player.sounds.length;
  pick.onchange = () => { T.player.hear(); if (!T.player.playing()) T.player.sounds.forEach((one) => one.element.pause()); };
};
T.player.heard = () => T.player.sounds[Number(document.getElementById("sound").value)] || null;
T.player.hear = () => {
  const own = !T.player.sounds.length || document.getElementById("sound").value === "video";
  T.player.all.forEach((one) => { one.video.muted = !(own && one === T.player.main); });
  T.player.sounds.forEach((one) => { if (one !== T.player.heard()) one.element.pause(); });
};
/* Keep a medium that plays at the moment that is shown. */
const carry = (element, map, t, rate) => {
  const wanted = toMedia(map, t), off = element.currentTime - wanted;
  if (wanted < 0 || wanted > element.duration) { element.pause(); return; }
  if (element.paused) { element.currentTime = wanted; element.play().catch(() => {}); }
  else if (Math.abs(off) > 0.15) element.currentTime = wanted;
  else element.playbackRate = rate * (Math.abs(off) > 0.02 ? (off > 0 ? 0.95 : 1.05) : 1);
};
const playSound = (t, rate) => {
  const one = T.player.heard();
  if (one && one.ready) carry(one.element, one.map, t, rate);
};
const nextSource = (one) => {
  if (one.tried < one.sources.length) one.video.src = one.sources[one.tried++];
  else if (!one.figure.querySelector(".lost")) {
    one.ready = false;
    one.figure.prepend(T.make("p", { class: "lost", text: "The recording is not where it was when this page was made. telltale report makes the page anew." }));
    one.video.hidden = true;
  }
};
T.player.promote = (one) => {
  T.player.main = one;
  one.figure.parentElement.prepend(one.figure);
  T.player.all.forEach((other) => {
    other.figure.classList.toggle("main", other === one);
  });
  T.player.hear();
  watch(one);
};
const watch = (one) => {
  const { video } = one;
  if (video.requestVideoFrameCallback) {
    const seen = (now, meta) => {
      if (T.player.main !== one) return;
      follow(one, meta.mediaTime);
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  } else {
    const tick = () => {
      if (T.player.main !== one) return;
      if (!video.paused) follow(one, video.currentTime);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }
};
const follow = (one, mediaTime) => {
  if (one.video.paused) return; // a picture on its way to where the cursor has gone on to: seek has said which it is
  const frame = frameAt(one.media, mediaTime);
  one.frame = frame;
  const t = toSession(one.map, one.media[frame]);
  T.setNow(t, "play");
  for (const other of T.player.all) {
    if (other !== one && other.ready) carry(other.video, other.map, t, one.video.playbackRate);
  }
  playSound(t, one.video.playbackRate);
  T.tell("frame", one);
};
const seek = (one, t) => {
  if (!one.ready) return;
  const media = toMedia(one.map, t), frame = frameAt(one.media, media);
  const next = frame + 1 < one.media.length ? one.media[frame + 1] : one.media[frame] + 0.04;
  one.figure.classList.toggle("outside", media < one.media[0] - 0.05 || media > next + 0.05);
  const wanted = Math.max(0, one.media[frame] + Math.min(0.002, (next - one.media[frame]) / 2));
  one.frame = frame;
  if (one === T.player.main) T.tell("frame", one);
  if (Math.abs(one.video.currentTime - wanted) > 1e-4) one.video.currentTime = wanted;
};
T.listen("now", (why) => {
  if (why === "play") return;
  T.player.all.forEach((one) => seek(one, T.state.now));
});

T.player.playing = () => T.player.clock !== null || Boolean(T.player.main && !T.player.main.video.paused);
T.player.toggle = () => (T.player.playing() ? T.player.pause() : T.player.play());
T.player.play = () => {
  const one = T.player.main, rate = Number(document.getElementById("speed").value);
  const inside = one && one.ready && T.state.now >= toSession(one.map, one.media[0]) - 0.05
    && T.state.now < toSession(one.map, one.media[one.media.length - 1]);
  if (inside) {
    one.video.playbackRate = rate;
    one.video.play().then(() => T.tell("playing")).catch(() => T.tell("playing"));
    return;
  }
  let last = performance.now();
  const tick = (now) => {
    if (T.player.clock === null) return;
    T.setNow(T.state.now + (rate * (now - last)) / 1000, "play");
    T.player.all.forEach((other) => seek(other, T.state.now));
    playSound(T.state.now, rate);
    last = now;
    if (T.state.now >= T.page.extent[1]) return T.player.pause();
    T.player.clock = requestAnimationFrame(tick);
    return undefined;
  };
  T.player.clock = requestAnimationFrame(tick);
  T.tell("playing");
};
T.player.pause = () => {
  if (T.player.clock !== null) cancelAnimationFrame(T.player.clock);
  T.player.clock = null;
  const was = T.player.all.some((one) => !one.video.paused);
  T.player.all.forEach((one) => one.video.pause());
  T.player.sounds.forEach((one) => one.element.pause());
  if (was && T.player.main) T.setNow(toSession(T.player.main.map, T.player.main.media[T.player.main.frame || 0]), "pause");
  T.tell("playing");
};
T.player.step = (frames) => {
  T.player.pause();
  const one = T.player.main;
  if (!one || !one.ready) return T.setNow(T.state.now + frames * T.page.grid.period_s);
  const at = frameAt(one.media, toMedia(one.map, T.state.now) + 1e-6) + frames;
  return T.setNow(toSession(one.map, one.media[Math.min(Math.max(at, 0), one.media.length - 1)]));
};
