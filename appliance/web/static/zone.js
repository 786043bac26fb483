// Names the time zone of this browser to the server, which tells all times in it. Only the first page ever is
// loaded twice for it, and only where the appliance is in another zone.

const COOKIE = "qrm_zone";

export function nameZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || document.cookie.split("; ").includes(`${COOKIE}=${zone}`)) return;
  document.cookie = `${COOKIE}=${zone}; Path=/; Max-Age=31536000; SameSite=Strict; Secure`;
  const told = document.querySelector("time[datetime]")?.getAttribute("datetime");
  if (told && document.cookie.includes(COOKIE) && !saysOffset(told)) location.reload();
}

function saysOffset(told) {
  const minutes = -new Date(told).getTimezoneOffset();
  const sign = minutes < 0 ? "-" : "+";
  const two = (number) => String(Math.floor(Math.abs(number))).padStart(2, "0");
  return told.endsWith(`${sign}${two(minutes / 60)}:${two(minutes % 60)}`) || (minutes === 0 && told.endsWith("Z"));
}
