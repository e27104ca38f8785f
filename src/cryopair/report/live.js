"use strict";
// While the session runs, the page is read again from time to time; what was being looked at stays.
(() => {
  const key = "cryopair " + location.pathname;
  const seconds = Number(document.documentElement.dataset.live || 0);
  const save = () => {
    const tables = Object.fromEntries(Object.entries(window.cryopairTables).map(([name, table]) => [name, table.get()]));
    const gallery = window.cryopairGallery && window.cryopairGallery.get();
    const focus = document.activeElement && document.activeElement.id;
    sessionStorage.setItem(key, JSON.stringify({ x: scrollX, y: scrollY, gallery, tables, focus, paused: !on() }));
  };
  const restore = () => {
    const kept = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    if (!kept) return;
    const { x, y, gallery, tables, focus, paused } = JSON.parse(kept);
    for (const [name, table] of Object.entries(tables)) {
      if (window.cryopairTables[name]) window.cryopairTables[name].set(table);
    }
    if (gallery && window.cryopairGallery) window.cryopairGallery.set(gallery);
    if (toggle) toggle.checked = !paused;
    const place = () => scrollTo({ left: x, top: y, behavior: "instant" });
    place();
    addEventListener("load", place); // until then, what is drawn late can move the page by some pixels
    if (focus && document.getElementById(focus)) document.getElementById(focus).focus({ preventScroll: true });
  };
  const toggle = document.getElementById("refresh");
  const on = () => seconds > 0 && (!toggle || toggle.checked);
  try {
    if (seconds > 0) history.scrollRestoration = "manual";
    restore();
  } catch (error) {
    // No storage for files in this browser, or the page has changed its shape: it begins at the top.
  }
  if (!seconds) return;
  let down = false;
  addEventListener("pointerdown", () => (down = true));
  addEventListener("pointerup", () => (down = false));
  setInterval(() => {
    if (!on() || down || document.hidden) return;
    try {
      save();
    } catch (error) {
      // As above.
    }
    location.reload();
  }, 1000 * seconds);
})();
