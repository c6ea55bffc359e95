// Times in the viewer's zone. The server writes UTC, which stays in the title.

const absolute = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;

const utc = (at) => `${at.toISOString().replace("T", " ").slice(0, 19)} UTC`;

const roughly = (seconds) => {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
};

const ago = (at) => {
  const seconds = Math.trunc((Date.now() - at.getTime()) / 1000);
  if (seconds === 0) return "now";
  return seconds > 0 ? `${roughly(seconds)} ago` : `in ${roughly(-seconds)}`;
};

const write = (time) => {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const isRelative = time.dataset.time === "ago";
  time.title = isRelative ? `${absolute.format(at)} · ${utc(at)}` : utc(at);
  const text = isRelative ? ago(at) : absolute.format(at);
  if (time.textContent !== text) time.textContent = text;
};

export const showTimes = (part) => {
  part.querySelectorAll("time[data-time]").forEach(write);
  part.querySelectorAll("[data-zone]").forEach((place) => { place.textContent = `Times in ${zone}`; });
};

setInterval(() => document.querySelectorAll('time[data-time="ago"]').forEach(write), 1000);
