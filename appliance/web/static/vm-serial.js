// A VM's serial line, by xterm.js.

import { FitAddon } from "./vendor/xterm-fit.js";
import { Terminal } from "./vendor/xterm.js";
import { beStrict } from "./strict-document.js";
import { connected, keepConnected, offerFullScreen, offerKeys, offerPaste, shown, whenSwitched } from "./vm-console.js";

const COLUMNS = 80; // what programs on a serial line take for granted
const ROWS = 24;
const LARGEST = 14;
const SMALLEST = 7;
const KEYS = [
  [["Ctrl C", "\x03"], ["Ctrl D", "\x04"], ["Ctrl Z", "\x1a"], ["Ctrl L", "\x0c"], ["Esc", "\x1b"], ["Tab", "\t"]],
  [["Up", "\x1b[A"], ["Down", "\x1b[B"], ["Left", "\x1b[D"], ["Right", "\x1b[C"], ["Home", "\x1b[H"], ["End", "\x1b[F"]],
  ["OP", "OQ", "OR", "OS", "[15~", "[17~", "[18~", "[19~", "[20~", "[21~", "[23~", "[24~"].map((code, number) => [`F${number + 1}`, `\x1b${code}`]),
];

beStrict(document);
const terminal = new Terminal({
  cursorBlink: false,
  fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
  fontSize: LARGEST,
  scrollback: 5000,
  theme: { background: "#000000", foreground: "#e4e4ea" },
});
const fit = new FitAddon();
const encoder = new TextEncoder();

let line; // the open WebSocket
let answers = false; // whether this viewer answers what the VM asks its terminal: it takes but one answer
let past = 0; // bytes that are still to come of what was said earlier; nobody waits for an answer to that
let rehearsing = 0; // writes of them that are not on the screen yet

function attach(socket) {
  socket.addEventListener("open", () => (line = socket));
  socket.addEventListener("message", ({ data }) => (typeof data === "string" ? told(JSON.parse(data)) : write(new Uint8Array(data))));
  return () => line === socket && (line = undefined);
}

function told(message) {
  if (message.kind === "past") {
    terminal.reset();
    past = message.bytes;
  }
  if (message.kind === "viewers") {
    answers = message.answers;
    connected(message.count > 1 ? `Connected, ${message.count} viewers` : "Connected");
  }
}

function write(data) {
  if (!past) return terminal.write(data);
  past = Math.max(past - data.length, 0);
  rehearsing += 1;
  terminal.write(data, () => (rehearsing -= 1));
}

function send(text) {
  if (line?.readyState === WebSocket.OPEN) line.send(typeof text === "string" ? encoder.encode(text) : text);
}

// What is asked of a terminal: where its cursor is, what it is, which colours it has.
function swallowQuestions() {
  const mute = () => !answers || rehearsing > 0;
  const question = (parameters) => mute() && /\?/.test(parameters);
  for (const [prefix, final] of [["", "n"], ["?", "n"], ["", "c"], [">", "c"], ["=", "c"]]) terminal.parser.registerCsiHandler({ prefix, final }, mute);
  for (const prefix of ["", "?"]) terminal.parser.registerCsiHandler({ prefix, intermediates: "$", final: "p" }, mute);
  terminal.parser.registerDcsHandler({ intermediates: "$", final: "q" }, mute);
  for (const code of [4, 10, 11, 12]) terminal.parser.registerOscHandler(code, question);
}

// As many columns as programs expect, in letters that are as large as they can be; more of both where there is room.
function fill() {
  let size = LARGEST;
  terminal.options.fontSize = size;
  while ((fit.proposeDimensions()?.cols ?? COLUMNS) < COLUMNS && size > SMALLEST) terminal.options.fontSize = size -= 0.5;
  const room = fit.proposeDimensions();
  if (room?.cols) terminal.resize(Math.max(room.cols, COLUMNS), Math.max(room.rows, ROWS));
}

terminal.loadAddon(fit);
terminal.open(shown);
swallowQuestions();
terminal.onData(send);
terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
terminal.attachCustomKeyEventHandler((event) => {
  if (!(event.ctrlKey && event.shiftKey && event.code === "KeyC") || !terminal.hasSelection()) return true;
  if (event.type === "keydown") navigator.clipboard.writeText(terminal.getSelection()).catch(() => {});
  event.preventDefault();
  return false;
});
new ResizeObserver(fill).observe(shown);
offerKeys(KEYS, (keys) => (send(keys), terminal.focus()));
offerPaste((text) => (terminal.paste(text), terminal.focus()));
whenSwitched("[data-only-look]", (is) => (terminal.options.disableStdin = is));
offerFullScreen(() => terminal.focus());
keepConnected(attach);
terminal.focus();
