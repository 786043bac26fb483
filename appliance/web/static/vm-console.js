// What both consoles of a VM have in common: a connection that comes back, each time with a fresh ticket; what is said
// while there is none; keys that a browser keeps to itself, the clipboard, full screen.

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 15000;
const LOGGED_OUT = 1008; // how the server closes when the log-in has ended
const OFF = 4000; // and where the VM has ended its console
const IN_WORDS = 4001; // where it says why it cannot be opened
const FINAL = ["vm-unknown", "vm-foreign", "vm-no-screen", "vm-no-serial", "screen-far", "role-missing"];

const page = document.querySelector("[data-console]");
export const shown = page.querySelector("[data-shown]");
const told = page.querySelector("[data-told]");
const notice = page.querySelector("[data-notice]");
const name = page.querySelector("h1 span").textContent;

let pause = FIRST_PAUSE;
let timer;
let attended = true; // nobody need be there for the tries that follow
let connection = 0;

// ``attach`` is given each WebSocket, before it is open; what it returns is called when that has ended.
export function keepConnected(attach) {
  page.querySelector("[data-again]").addEventListener("click", () => ((pause = FIRST_PAUSE), (attended = true), connect(attach)));
  connect(attach);
}

export function tell(words) {
  told.textContent = words;
}

// A console that shows something. ``words``: who else looks.
export function connected(words = "Connected") {
  pause = FIRST_PAUSE;
  attended = false;
  notice.hidden = true;
  page.classList.add("is-connected");
  page.classList.remove("is-apart");
  tell(words);
}

async function connect(attach) {
  clearTimeout(timer);
  const mine = (connection += 1);
  tell("Connecting");
  try {
    const ticket = await ask();
    if (mine !== connection) return;
    open(ticket, attach, mine);
  } catch (trouble) {
    if (mine === connection) again(attach, trouble.title ?? "The appliance does not answer", trouble.words ?? "", trouble.final);
  }
}

function open({ path, protocols }, attach, mine) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`, protocols);
  socket.binaryType = "arraybuffer";
  const detach = attach(socket);
  socket.addEventListener("close", ({ code, reason }) => {
    detach();
    if (mine !== connection) return;
    if (code === LOGGED_OUT) return location.reload(); // it leads to the log-in, and from there back here
    if (code === OFF) return again(attach, `${name} is off`, "Its console comes back when it is started.");
    again(attach, code === IN_WORDS ? "The console cannot be opened" : "Connection lost", code === IN_WORDS ? reason : "It is tried again by itself.");
  });
}

function again(attach, title, words, final = false) {
  page.classList.remove("is-connected");
  page.classList.add("is-apart");
  tell(final ? "Not connected" : "Not connected, trying again");
  const [heading, text] = notice.children;
  if (heading.textContent !== title) heading.textContent = title;
  text.textContent = words;
  text.hidden = !words;
  notice.hidden = false;
  if (final) return;
  timer = setTimeout(() => connect(attach), pause);
  pause = Math.min(pause * 1.5, LONGEST_PAUSE);
}

// A ticket is good once; what hinders the console is said here, since a WebSocket that is refused says nothing.
async function ask() {
  const headers = { "Content-Type": "application/json", ...(attended ? {} : { Unattended: "1" }) };
  const body = JSON.stringify({ kind: page.dataset.console });
  const answer = await fetch(`/api/v1/vms/${page.dataset.vm}/console`, { method: "POST", headers, body });
  if (answer.ok) return answer.json();
  if (answer.status === 401) location.reload();
  const problem = await answer.json().catch(() => ({}));
  const off = problem.code === "vm-state";
  const title = off ? `${name} is off` : "The console cannot be opened";
  const said = [problem.detail, problem.hint].filter(Boolean).map(sentence).join(" ");
  throw { title, words: off ? "Its console comes back when it is started." : said, final: FINAL.includes(problem.code) };
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}

// ``rows``: lists of [words, what is pressed]; ``press`` is given the second.
export function offerKeys(rows, press) {
  const sheet = page.querySelector("[data-keys]");
  for (const keys of rows) {
    const row = document.createElement("div");
    row.className = keys.length > 6 || keys[0][0].length < 5 ? "row" : "row wide";
    for (const [words, pressed] of keys) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = words;
      button.addEventListener("click", () => press(pressed));
      row.append(button);
    }
    sheet.append(row);
  }
}

// What was typed or pasted into the sheet of the clipboard goes to ``send``.
export function offerPaste(send) {
  const form = page.querySelector("[data-paste]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form.querySelector("textarea").value);
    form.closest("details").open = false;
  });
  return (text) => (form.querySelector("textarea").value = text);
}

export function whenSwitched(what, then) {
  const box = page.querySelector(what);
  box.addEventListener("change", () => then(box.checked));
  then(box.checked);
}

export function offerFullScreen(focus) {
  const button = page.querySelector("[data-full]");
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", async () => {
    await page.requestFullscreen();
    navigator.keyboard?.lock?.().catch(() => {}); // where it can be had, Alt-Tab and Esc go to the VM then
    focus();
  });
}

// One sheet at a time, and none once it was left.
document.addEventListener("click", (event) => {
  for (const each of page.querySelectorAll("details[open]")) if (!each.contains(event.target)) each.open = false;
});
document.addEventListener("keydown", (event) => {
  const open = page.querySelector("details[open]");
  if (event.key !== "Escape" || !open?.contains(event.target)) return;
  open.open = false;
  open.querySelector("summary").focus();
});
