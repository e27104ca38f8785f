"use strict";
// The gallery: one micrograph at a time, up to three of its images side by side in one frame, with dividers.
// Without JavaScript, and in print, all micrographs are shown.
(() => {
  const views = document.getElementById("views");
  if (!views) return;
  const articles = [...views.children];
  const state = { view: views.dataset.first, panes: [], dividers: [34, 67], zoom: 1, x: 0, y: 0, picks: false };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const shown = () => document.getElementById(state.view);
  const viewer = () => shown().querySelector(".viewer");
  const layers = (view) => [...view.querySelectorAll(".layer")].map((layer) => layer.dataset.layer);
  const tools = document.getElementById("tools");
  const picks = document.getElementById("show-picks");
  tools.hidden = false;

  // Where each pane begins and ends, in percent of the width.
  const edges = () => [0, ...state.dividers.slice(0, state.panes.length - 1), 100];

  const draw = () => {
    for (const article of articles) article.hidden = article !== shown();
    views.classList.toggle("with-picks", state.picks);
    const frames = document.body.classList.contains("printing") ? articles : [shown()];
    for (const article of frames) drawView(article);
    document.getElementById("zoom-level").textContent = Math.round(100 * state.zoom) + " %";
    tools.querySelectorAll("select").forEach((select, pane) => (select.value = state.panes[pane]));
    if (picks) picks.checked = state.picks;
    for (const radio of document.querySelectorAll("input[name=view]")) radio.checked = radio.value === state.view;
  };

  const drawView = (article) => {
    const frame = article.querySelector(".viewer");
    const at = edges();
    const names = layers(article);
    frame.style.setProperty("--one", state.dividers[0] + "%");
    frame.style.setProperty("--two", state.dividers[1] + "%");
    frame.style.setProperty("--zoom", state.zoom);
    frame.style.setProperty("--x", state.x + "%");
    frame.style.setProperty("--y", state.y + "%");
    frame.dataset.panes = Math.min(state.panes.length, names.length);
    for (const layer of frame.querySelectorAll(".layer")) {
      const pane = state.panes.indexOf(layer.dataset.layer);
      layer.style.clipPath = pane < 0 ? "inset(0 0 0 100%)" : `inset(0 ${100 - at[pane + 1]}% 0 ${at[pane]}%)`;
    }
    frame.querySelectorAll(".tag").forEach((tag, pane) => {
      const wide = at[pane + 1] - at[pane] > 9;
      tag.textContent = (wide && state.panes[pane]) || "";
      tag.style.left = (at[pane] + at[pane + 1]) / 2 + "%";
    });
    const ranges = article.querySelectorAll(".dividers input");
    ranges.forEach((range, n) => {
      range.value = state.dividers[n];
      range.hidden = n >= state.panes.length - 1;
    });
    const width = frame.dataset.width / state.zoom; // in Å
    const bars = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
    const off = (bar) => Math.abs(Math.log((6 * bar) / width));
    const bar = bars.reduce((best, next) => (off(next) < off(best) ? next : best));
    const scale = frame.querySelector(".scale");
    scale.style.width = (100 * bar) / width + "%";
    scale.firstElementChild.textContent = bar + " Å";
  };

  const choose = (id) => {
    state.view = id;
    const names = layers(shown());
    state.panes = state.panes.filter((name) => names.includes(name));
    for (const name of names) if (state.panes.length < 3 && !state.panes.includes(name)) state.panes.push(name);
    makeSelects(names);
    draw();
  };

  const makeSelects = (names) => {
    document.getElementById("panes").replaceChildren(
      ...state.panes.map((_, pane) => {
        const select = document.createElement("select");
        select.setAttribute("aria-label", "Image number " + (pane + 1) + " from the left");
        select.append(...names.map((name) => new Option(name)));
        select.addEventListener("change", () => {
          const other = state.panes.indexOf(select.value);
          if (other >= 0) state.panes[other] = state.panes[pane]; // the two change places
          state.panes[pane] = select.value;
          draw();
        });
        return select;
      }),
    );
  };

  const divide = (n, value) => {
    state.dividers[n] = clamp(value, 0, 100);
    if (state.dividers[0] > state.dividers[1]) state.dividers[1 - n] = state.dividers[n];
    draw();
  };

  // Zoom so that the point (x, y), in shares of the frame, stays where it is.
  const zoomTo = (zoom, x = 0.5, y = 0.5) => {
    zoom = clamp(zoom, 1, 16);
    const factor = zoom / state.zoom;
    state.zoom = zoom;
    move(100 * x - factor * (100 * x - state.x), 100 * y - factor * (100 * y - state.y));
  };

  const move = (x, y) => {
    state.x = clamp(x, 100 - 100 * state.zoom, 0);
    state.y = clamp(y, 100 - 100 * state.zoom, 0);
    draw();
  };

  for (const radio of document.querySelectorAll("input[name=view]")) {
    radio.addEventListener("change", () => choose(radio.value));
  }
  if (picks) picks.addEventListener("change", () => ((state.picks = picks.checked), draw()));
  document.getElementById("zoom-in").addEventListener("click", () => zoomTo(state.zoom * 1.5));
  document.getElementById("zoom-out").addEventListener("click", () => zoomTo(state.zoom / 1.5));
  document.getElementById("zoom-reset").addEventListener("click", () => zoomTo(1));

  const step = (by) => {
    const place = articles.indexOf(shown()) + by;
    if (articles[place]) choose(articles[place].id);
    viewer().focus({ preventScroll: true });
  };
  const keys = {
    "+": () => zoomTo(state.zoom * 1.5),
    "=": () => zoomTo(state.zoom * 1.5),
    "-": () => zoomTo(state.zoom / 1.5),
    0: () => zoomTo(1),
    ArrowLeft: () => move(state.x + 10, state.y),
    ArrowRight: () => move(state.x - 10, state.y),
    ArrowUp: () => move(state.x, state.y + 10),
    ArrowDown: () => move(state.x, state.y - 10),
    p: () => picks && picks.click(),
    n: () => step(1),
    b: () => step(-1),
  };

  for (const article of articles) {
    const frame = article.querySelector(".viewer");
    article.querySelectorAll(".dividers input").forEach((range, n) => {
      range.addEventListener("input", () => divide(n, Number(range.value)));
    });
    const share = (event) => {
      const box = frame.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    frame.addEventListener("keydown", (event) => {
      const moves = event.key.startsWith("Arrow");
      if (event.ctrlKey || event.altKey || event.metaKey || !keys[event.key] || (moves && state.zoom === 1)) return;
      event.preventDefault();
      keys[event.key]();
    });
    // A wheel over the page scrolls the page: it zooms only in a frame that was clicked on, or with Ctrl.
    frame.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && document.activeElement !== frame) return;
        event.preventDefault();
        zoomTo(state.zoom * Math.exp(-event.deltaY / 400), ...share(event));
      },
      { passive: false },
    );
    frame.addEventListener("dblclick", (event) => zoomTo(state.zoom > 1 ? 1 : 3, ...share(event)));
    frame.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      frame.focus({ preventScroll: true });
      const [x] = share(event);
      const near = state.dividers
        .slice(0, state.panes.length - 1)
        .map((divider, n) => [Math.abs(x * 100 - divider), n])
        .sort(([a], [b]) => a - b)[0];
      const width = frame.getBoundingClientRect().width;
      const grabbed = near && (near[0] * width) / 100 < 24 ? near[1] : null;
      if (grabbed === null && state.zoom === 1) return;
      const from = [...share(event), state.x, state.y];
      const drag = (moved) => {
        const [to, down] = share(moved);
        if (grabbed === null) move(from[2] + 100 * (to - from[0]), from[3] + 100 * (down - from[1]));
        else divide(grabbed, 100 * to);
      };
      const end = () => {
        frame.removeEventListener("pointermove", drag);
        frame.classList.remove("dragged");
      };
      frame.setPointerCapture(event.pointerId);
      frame.classList.add("dragged");
      frame.addEventListener("pointermove", drag);
      frame.addEventListener("pointerup", end, { once: true });
      frame.addEventListener("pointercancel", end, { once: true });
    });
  }

  // Links to a micrograph, in the table or in the address, show it.
  const follow = (hash) => {
    const article = document.getElementById(hash.slice(1));
    if (!article || !articles.includes(article)) return;
    choose(article.id);
    document.getElementById("gallery").scrollIntoView();
  };
  addEventListener("hashchange", () => follow(location.hash));
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#view-']");
    if (!link) return;
    event.preventDefault();
    follow(link.getAttribute("href"));
    viewer().focus({ preventScroll: true });
  });
  const printing = (now) => () => {
    document.body.classList.toggle("printing", now);
    draw();
  };
  addEventListener("beforeprint", printing(true));
  addEventListener("afterprint", printing(false));

  choose(state.view);
  if (location.hash.startsWith("#view-")) follow(location.hash);
  window.cryopairGallery = {
    get: () => state,
    set: (kept) => {
      Object.assign(state, kept, { view: document.getElementById(kept.view) ? kept.view : state.view });
      choose(state.view);
    },
  };
})();
