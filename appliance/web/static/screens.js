// Screens of VMs in small: each is asked for anew whenever its host was, and only while somebody sees it.

export function watchScreens() {
  for (const screen of document.querySelectorAll("img[data-screen]")) {
    if (screen.complete) show(screen, screen.naturalWidth > 0); // it came, or failed, before anybody listened
  }
  document.addEventListener("error", ({ target }) => show(target, false), true); // they do not bubble
  document.addEventListener("load", ({ target }) => show(target, true), true);
  document.addEventListener("measured", ({ detail }) => {
    if (document.hidden) return;
    for (const screen of document.querySelectorAll("img[data-screen]")) {
      if (screen.dataset.host === detail && isSeen(screen)) again(screen);
    }
  });
}

// Where there is no picture, the words beside it say so.
function show(screen, there) {
  if (screen.matches?.("img[data-screen]")) screen.classList.toggle("dark", !there);
}

// The old picture stays until the next one is there.
function again(screen) {
  const next = new Image();
  next.addEventListener("load", () => (screen.src = next.src));
  next.addEventListener("error", () => screen.classList.add("dark"));
  next.src = `${screen.dataset.screen}?at=${Date.now()}`;
}

function isSeen(screen) {
  const { top, bottom } = (screen.closest("figure") ?? screen).getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
