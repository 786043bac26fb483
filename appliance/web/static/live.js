// One WebSocket per tab. Events make the parts of the page that show what they are about load anew; progress is
// written into the bars directly. While there is no connection, the page says so and since when it is old. The next
// connection goes on where the last one ended; only when the appliance says resync is everything loaded anew.

const GATHER = 150; // milliseconds in which several events cause one refresh
const REST = 1000; // at least between two refreshes of one part
const CLOCK = 30000; // "2 min ago" and "offline" change without an event
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;
const PATIENCE = 20000; // an answer that takes longer does not come
const LOGGED_OUT = 1008; // how the server closes when the log-in has ended

const LOST = "Connection lost. What you see is from TIME. Trying to reconnect.";
const BROKEN = "The appliance cannot tell what is true now. What you see is from TIME. Trying again.";

let pause = FIRST_PAUSE;
let lastHeard = Date.now(); // when what is shown was true for certain
let connected = false;
let socket;
let run = ""; // which life of the daemon numbered its messages
let seq = 0; // the last message that we have had

const owed = new Set(); // parts that show what was true before the connection was lost
const waiting = new Map(); // part of the page -> its timer
const refreshed = new WeakMap(); // part of the page -> when it was last refreshed

export function openLive() {
  if (!document.querySelector("[data-live]")) return;
  connect();
  setInterval(() => connected && refreshAll(), CLOCK);
  if (window.htmx) window.htmx.config.timeout = PATIENCE;
  document.addEventListener("htmx:afterRequest", answered);
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    // An open page is not somebody at work: the log-in ends when nobody has done anything for long enough.
    if (detail.triggeringEvent?.type === "refresh") detail.headers.Unattended = "1";
  });
  for (const silence of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(silence, ended);
  document.addEventListener("visibilitychange", () => !document.hidden && connected && refreshAll());
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const since = run ? `?${new URLSearchParams({ run, since: seq })}` : "";
  const mine = (socket = new WebSocket(`${scheme}//${location.host}/live${since}`));
  mine.addEventListener("open", () => (pause = FIRST_PAUSE));
  mine.addEventListener("message", (message) => {
    if (mine !== socket) return;
    heard();
    take(JSON.parse(message.data));
  });
  mine.addEventListener("close", ({ code }) => {
    if (code === LOGGED_OUT) return location.reload(); // it leads to the log-in, and from there back here
    if (mine !== socket) return;
    heard();
    ended();
  });
}

// A connection to an appliance that lost its power never closes: what tells is that nothing is answered any more.
function ended() {
  if (!socket) return;
  connected = false;
  socket.close();
  socket = null;
  sayOld(LOST);
  setTimeout(connect, pause * (0.75 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE);
}

function heard() {
  if (connected && !owed.size) lastHeard = Date.now();
}

function take(message) {
  if (message.kind === "hello") greet(message);
  else if (message.kind === "event") refresh(topicsOf(message.event));
  else if (message.kind === "progress") showProgress(message);
  else if (message.kind === "measured") document.dispatchEvent(new CustomEvent("measured", { detail: message.host }));
  else loadAnew();
  seq = message.seq;
}

// Where the daemon goes on after what we have had, what was missed follows. Otherwise a resync does.
function greet(hello) {
  if (hello.run === run && hello.seq === seq) {
    connected = true;
    if (owed.size) refreshAll(); // what was asked for as the connection broke will not be told again
    settle();
  }
  run = hello.run;
}

// What is shown stays marked old until all of it has come anew.
function loadAnew() {
  for (const part of parts()) owed.add(part.id || part);
  connected = true;
  refreshAll();
}

function answered({ detail }) {
  if (detail.xhr.status === 404 && detail.elt.id === "live") location.reload(); // what it shows has been deleted
  const key = detail.elt.id || detail.elt;
  if (detail.successful) {
    owed.delete(key);
    settle();
  } else if (detail.elt.dataset.live && (detail.xhr.status >= 500 || !detail.xhr.status)) {
    owed.add(key); // without a status there was no answer: `ended` says so
    if (detail.xhr.status) sayOld(BROKEN);
  }
}

function settle() {
  const present = new Set([...parts()].map((part) => part.id || part));
  for (const key of owed) if (!present.has(key)) owed.delete(key);
  heard();
  if (connected && !owed.size) sayCurrent();
}

function parts() {
  return document.querySelectorAll('[data-live]:not([data-live=""])');
}

function topicsOf(event) {
  const topics = new Set(["any", event.kind, event.kind.split(".")[0]]);
  if (event.machine) topics.add(`machine:${event.machine}`);
  if (event.deployment) topics.add(`deployment:${event.deployment}`);
  if (event.detail?.vm) topics.add(`vm:${event.detail.vm}`);
  return topics;
}

function refresh(topics) {
  for (const part of document.querySelectorAll("[data-live]")) {
    if (part.dataset.live.split(" ").some((topic) => topics.has(topic))) soon(part);
  }
}

function refreshAll() {
  parts().forEach(soon);
}

// By its id where it has one: a morph may have put another element in its place by then.
function soon(part) {
  const key = part.id || part;
  if (waiting.has(key) || document.hidden) return;
  const since = Date.now() - (refreshed.get(part) ?? 0);
  const timer = setTimeout(() => {
    waiting.delete(key);
    const present = part.id ? document.getElementById(part.id) : part;
    if (!present) return;
    refreshed.set(present, Date.now());
    window.htmx?.trigger(present, "refresh");
  }, Math.max(GATHER, REST - since));
  waiting.set(key, timer);
}

function showProgress({ machine, step, progress, message }) {
  for (const part of document.querySelectorAll("[data-progress]")) {
    if (part.dataset.progress !== machine) continue;
    const index = part.dataset.names.split(" ").indexOf(step);
    if (index < 0) continue;
    const share = done(part.dataset.weights.split(" ").map(Number), index, progress);
    part.querySelector("progress").value = share;
    part.querySelector(".share").textContent = `${Math.floor(share * 100)}%`;
    const words = part.querySelector(".step");
    if (message) words.textContent = message;
    words.classList.remove("by-hand"); // who makes progress is there
    const ring = part.closest("tr, li, header")?.querySelector(".arc");
    ring?.setAttribute("stroke-dasharray", `${Math.max(Math.floor(share * 100), 4)} 100`);
  }
}

function done(weights, index, progress) {
  const sum = (some) => some.reduce((total, each) => total + each, 0);
  return Math.min((sum(weights.slice(0, index)) + weights[index] * progress) / sum(weights), 1);
}

function sayOld(words) {
  const banner = document.querySelector(".stale");
  if (!banner) return;
  const time = new Date(lastHeard).toTimeString().slice(0, 8); // 24 hours, as everywhere here
  const text = words.replace("TIME", time);
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = false;
  document.body.classList.add("is-stale");
}

function sayCurrent() {
  const banner = document.querySelector(".stale");
  if (banner) banner.hidden = true;
  document.body.classList.remove("is-stale");
}
