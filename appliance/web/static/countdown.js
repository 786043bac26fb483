// Says how many seconds are left until a moment that the page names, beside the time itself.

export function countDown() {
  for (const place of document.querySelectorAll("[data-until]")) {
    const until = Number(place.dataset.until);
    const say = () => {
      const left = Math.ceil(until - Date.now() / 1000);
      place.textContent = left > 0 ? `${left} second${left === 1 ? "" : "s"} left` : "the time is over";
      if (left <= 0) clearInterval(timer);
    };
    const timer = setInterval(say, 1000);
    say();
  }
}
