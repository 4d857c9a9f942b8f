// Optional comfort: times in the reader's zone, copy buttons, and reloading of changed pages. Every page works without
// this script. It fetches only pages of this site.
"use strict";
(() => {
  const two = (number) => String(number).padStart(2, "0");
  const offset = (date) => {
    const minutes = -date.getTimezoneOffset();
    const ahead = Math.abs(minutes);
    return `${minutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}:${two(ahead % 60)}`;
  };
  const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  // Browsers differ in how they parse decimals beyond milliseconds.
  const instant = (text) => new Date(text.replace(/\.(\d{3})\d*/, ".$1"));

  const UNITS = [["day", "days", 86400], ["h", "h", 3600], ["min", "min", 60], ["s", "s", 1]];
  const relative = (date) => {
    const seconds = (Date.now() - date.getTime()) / 1000;
    if (Math.abs(seconds) < 10) return "just now";
    const [one, many, length] = UNITS.find((unit) => Math.abs(seconds) >= unit[2]) || UNITS[3];
    const count = Math.floor(Math.abs(seconds) / length);
    const said = `${count} ${count === 1 ? one : many}`;
    return seconds > 0 ? `${said} ago` : `in ${said}`;
  };
  const showTimes = (root) => {
    for (const element of root.querySelectorAll("time[datetime]")) {
      const date = instant(element.dateTime);
      if (Number.isNaN(date.getTime())) continue;
      const absolute = element.querySelector(".absolute");
      if (absolute) absolute.textContent = `${day(date)} ${clock(date)} ${offset(date)}`;
      const ago = element.querySelector(".relative");
      if (ago) ago.textContent = relative(date);
    }
  };

  // Date pickers show the reader's time and send it with its offset.
  const showPickers = (root) => {
    for (const input of root.querySelectorAll("input[type=datetime-local]")) {
      const date = input.dataset.instant ? instant(input.dataset.instant) : null;
      if (date && !Number.isNaN(date.getTime())) input.value = `${day(date)}T${clock(date)}`;
      const zone = root.querySelector(`label[for="${input.id}"] .zone`);
      if (zone) zone.textContent = `(UTC${offset(date || new Date())})`;
    }
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    for (const input of form.querySelectorAll("input[type=datetime-local]")) {
      if (!input.value) continue;
      const date = new Date(input.value);
      if (Number.isNaN(date.getTime())) continue;
      const sent = document.createElement("input");
      sent.type = "hidden";
      sent.name = input.name;
      sent.value = `${day(date)}T${clock(date)}${offset(date)}`;
      form.append(sent);
      input.disabled = true; // only while this form is sent
      setTimeout(() => { input.disabled = false; sent.remove(); }, 0);
    }
  });

  const said = document.createElement("p");
  said.className = "hidden";
  said.setAttribute("role", "status");
  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea"); // the page is not served over HTTPS
      area.value = text;
      area.className = "hidden";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.classList.add("done");
    said.textContent = "Copied.";
    setTimeout(() => { button.classList.remove("done"); said.textContent = ""; }, 1500);
  };
  const addCopying = (root) => {
    for (const element of root.querySelectorAll(".copyable")) {
      if (element.querySelector("button.copy")) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.setAttribute("aria-label", `Copy ${element.dataset.what} ${element.dataset.copy.slice(0, 60)}`);
      button.addEventListener("click", () => copy(button, element.dataset.copy));
      element.append(button);
    }
  };

  // A live page is reloaded; the server sends nothing if nothing changed. It is not reloaded while it is hidden, or while
  // the reader types, has text selected or has something open: that would be lost. A pressed copy button keeps the focus
  // and does not stop reloading. The fields of a filter stay open.
  const isBusy = (main) =>
    document.visibilityState !== "visible" ||
    (main.contains(document.activeElement) && document.activeElement !== main && !document.activeElement.matches("button.copy")) ||
    main.dataset.touched !== undefined ||
    main.querySelector("details[open]:not(.more)") !== null ||
    String(getSelection()) !== "";
  const keepOpen = (then, now) => {
    const more = now.querySelector("details.more");
    if (more) more.open = then.querySelector("details.more[open]") !== null;
  };
  document.addEventListener("input", (event) => {
    const main = event.target.closest("main");
    if (main) main.dataset.touched = "";
  });
  // After scrolling down, the line that is read keeps its place when newer lines appear above it.
  const lineInSight = (main) =>
    scrollY > 0 ? [...main.querySelectorAll("a.line")].find((each) => each.getBoundingClientRect().top >= 0) : undefined;
  const hold = (now, line, top) => {
    const same = line && [...now.querySelectorAll("a.line")].find((each) => each.href === line);
    if (same) scrollBy({ top: same.getBoundingClientRect().top - top, behavior: "instant" });
  };
  const sameIn = (main, button) =>
    [...main.querySelectorAll("button.copy")].find((each) => each.getAttribute("aria-label") === button.getAttribute("aria-label"));
  const reload = async () => {
    const then = document.querySelector("main");
    if (isBusy(then)) return true;
    const answer = await fetch(location.href, {
      headers: { "If-None-Match": document.body.dataset.tag },
      credentials: "same-origin",
      redirect: "error",
      cache: "no-store",
    });
    if (answer.status !== 200) return answer.status === 304 || answer.status >= 500;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector("main");
    if (!now || isBusy(then)) return true;
    const held = then.contains(document.activeElement) ? document.activeElement : null;
    keepOpen(then, now);
    const line = lineInSight(then);
    const [address, top] = line ? [line.href, line.getBoundingClientRect().top] : [];
    then.replaceWith(now);
    document.title = page.title;
    Object.assign(document.body.dataset, page.body.dataset);
    prepare(now);
    hold(now, address, top);
    if (held) (sameIn(now, held) || now).focus({ preventScroll: true });
    return true;
  };
  const keepReloading = () => {
    const seconds = Number(document.body.dataset.live);
    if (!seconds) return;
    setTimeout(async () => {
      let goesOn = true;
      try { goesOn = await reload(); } catch { /* the service is away; it may come back */ }
      if (goesOn) keepReloading();
    }, seconds * 1000);
  };

  const prepare = (root) => { showTimes(root); showPickers(root); addCopying(root); };
  document.addEventListener("DOMContentLoaded", () => {
    document.body.append(said);
    document.documentElement.classList.add("scripted");
    prepare(document);
    setInterval(() => showTimes(document), 30000);
    keepReloading();
  });
})();
