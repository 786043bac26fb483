// A VM's screen, by noVNC.

import RFB from "./vendor/novnc/core/rfb.js";
import keysyms from "./vendor/novnc/core/input/keysymdef.js";
import { connected, keepConnected, offerFullScreen, offerKeys, offerPaste, shown, tell, whenSwitched } from "./vm-console.js";

const CTRL = [0xffe3, "ControlLeft"];
const ALT = [0xffe9, "AltLeft"];
const SHIFT = [0xffe1, "ShiftLeft"];
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/;
const BETWEEN = 12; // milliseconds: a keyboard that types faster is not listened to by all systems
const F = Array.from({ length: 12 }, (_, number) => [0xffbe + number, `F${number + 1}`]);
const KEYS = [
  [
    ["Ctrl Alt Del", [CTRL, ALT, [0xffff, "Delete"]]],
    ["Alt Tab", [ALT, [0xff09, "Tab"]]],
    ["Ctrl Alt Backspace", [CTRL, ALT, [0xff08, "Backspace"]]],
    ["Alt F4", [ALT, F[3]]],
    ["Windows key", [[0xffeb, "MetaLeft"]]],
    ["Print screen", [[0xff61, "PrintScreen"]]],
  ],
  [["Esc", [[0xff1b, "Escape"]]], ["Tab", [[0xff09, "Tab"]]], ["Ins", [[0xff63, "Insert"]]], ["Del", [[0xffff, "Delete"]]], ["Home", [[0xff50, "Home"]]], ["End", [[0xff57, "End"]]]],
  F.map((key) => [key[1], [key]]),
  F.slice(0, 6).map((key) => [`Ctrl Alt ${key[1]}`, [CTRL, ALT, key]]),
];

let rfb;
let fits = true;
let onlyLooks = false;

function attach(socket) {
  const mine = new RFB(shown, socket, { shared: true });
  let over = false;
  rfb = mine;
  mine.background = "#000";
  mine.showDotCursor = true; // where the VM draws no pointer, one is seen still
  apply();
  mine.addEventListener("connect", () => {
    connected();
    mine.focus();
  });
  mine.addEventListener("clipboard", ({ detail }) => put(detail.text));
  mine.addEventListener("securityfailure", () => tell("The screen wants a password, which the appliance does not know"));
  mine.addEventListener("disconnect", () => (over = true));
  return () => over || mine.disconnect();
}

function apply() {
  if (!rfb) return;
  rfb.scaleViewport = fits;
  rfb.clipViewport = !fits;
  rfb.dragViewport = false;
  rfb.viewOnly = onlyLooks;
}

function press(keys) {
  for (const [symbol, code] of keys) rfb.sendKey(symbol, code, true);
  for (const [symbol, code] of [...keys].reverse()) rfb.sendKey(symbol, code, false);
  rfb.focus();
}

async function type(text) {
  rfb.clipboardPasteFrom(text); // for a system that shares its clipboard
  for (const letter of text.replace(/\r\n/g, "\n")) {
    if (onlyLooks) return;
    const symbol = letter === "\n" ? 0xff0d : letter === "\t" ? 0xff09 : keysyms.lookup(letter.codePointAt(0));
    const shifted = SHIFTED.test(letter);
    if (shifted) rfb.sendKey(...SHIFT, true);
    rfb.sendKey(symbol, null);
    if (shifted) rfb.sendKey(...SHIFT, false);
    await new Promise((then) => setTimeout(then, BETWEEN));
  }
  rfb.focus();
}

const put = offerPaste(type);
offerKeys(KEYS, press);
whenSwitched("[data-fit]", (is) => ((fits = is), apply()));
whenSwitched("[data-only-look]", (is) => ((onlyLooks = is), apply()));
offerFullScreen(() => rfb?.focus());
keepConnected(attach);
