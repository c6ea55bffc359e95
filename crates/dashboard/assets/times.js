// Times in the viewer's zone. The server writes UTC, which stays in the title.

import { isOn } from "./switches.js";

const absolute = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
// Along charts.
const short = {
  hour: new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" }),
  weekday: new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" }),
};
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

// Times in the middle of a text, where there is no room for an element.
const inText = (text) => text.replace(
  /(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) UTC/g,
  (_, day, time) => absolute.format(new Date(`${day}T${time}Z`)),
);

const writeWithin = (element) => {
  if (element.title) element.title = inText(element.title);
  if (element.childElementCount === 0) element.textContent = inText(element.textContent);
};

const zoned = (text) => new Date(text.endsWith("Z") ? text : `${text}Z`);

// A field that holds UTC is filled in on the viewer's clock, and sent in UTC.
const fillIn = (field) => {
  field.removeAttribute("data-utc");
  for (const label of field.labels) label.textContent = label.textContent.replace("UTC", zone);
  const at = zoned(field.defaultValue);
  if (!Number.isNaN(at.getTime())) {
    field.value = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  }
  field.form.addEventListener("formdata", ({ formData }) => {
    const typed = new Date(field.value);
    if (!Number.isNaN(typed.getTime())) formData.set(field.name, typed.toISOString());
  });
};

export const showTimes = (part) => {
  part.querySelectorAll("time[data-time]").forEach(write);
  part.querySelectorAll("[data-times]").forEach(writeWithin);
  part.querySelectorAll("input[data-utc]").forEach(fillIn);
  part.querySelectorAll("text[data-at]").forEach((text) => {
    text.textContent = short[text.dataset.time].format(new Date(text.dataset.at));
  });
  part.querySelectorAll("[data-zone]").forEach((place) => { place.textContent = `Times in ${zone}`; });
};

setInterval(() => {
  if (isOn("live")) document.querySelectorAll('time[data-time="ago"]').forEach(write);
}, 1000);
