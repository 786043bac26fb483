// On a page that is shown while the appliance begins anew: goes on once it is back, never to a server that is away.

const PAUSE = 1000; // milliseconds between two questions whether it is there
const MISSED = 20; // answers in a row after which it must have been away between two questions
const SILENT = 30; // questions in a row without an answer after which it is perhaps the browser that refuses

const AWAY = "It is away now. This page goes on by itself when it is back.";
// A restored appliance shows another certificate: who was let past a warning before is not asked by a script.
const REFUSED = "Nothing has answered this page for a while. A browser that once showed a warning may have to ask again:";

export async function wireComeback() {
  const line = document.querySelector("[data-comes-back]");
  if (!line) return;
  let answers = 0;
  let silent = 0;
  for (let away = false; ; ) {
    await new Promise((over) => setTimeout(over, PAUSE));
    if (await answered()) {
      answers += 1;
      if (away || answers >= MISSED) return location.assign(line.dataset.comesBack);
      continue;
    }
    away = true;
    silent += 1;
    if (silent === 1) say(line, AWAY);
    if (silent === SILENT) sayRefused(line);
  }
}

function say(line, words) {
  line.hidden = false;
  line.textContent = words;
}

function sayRefused(line) {
  const link = document.createElement("a");
  link.href = line.dataset.comesBack;
  link.textContent = "open the console anew";
  say(line, `${REFUSED} `);
  line.append(link);
}

async function answered() {
  try {
    return (await fetch("/healthz", { signal: AbortSignal.timeout(2000), cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
