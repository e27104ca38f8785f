"use strict";
(() => {
  // The gallery: one view at a time; without JavaScript, and in print, all are shown.
  const views = document.getElementById("views");
  const show = (id) => {
    for (const view of views.children) view.hidden = view.id !== id;
  };
  if (views) {
    show(views.dataset.first);
    for (const radio of document.querySelectorAll("input[name=view]")) {
      radio.checked = radio.value === views.dataset.first; // browsers keep form state over a reload
      radio.addEventListener("change", () => show(radio.value));
    }
    for (const range of views.querySelectorAll("input[type=range]")) {
      const move = () => range.parentElement.style.setProperty("--split", range.value + "%");
      range.addEventListener("input", move);
      move();
    }
    const picks = document.getElementById("show-picks");
    if (picks) {
      const toggle = () => views.classList.toggle("with-picks", picks.checked);
      picks.addEventListener("change", toggle);
      toggle();
    }
  }

  // The table: a heading sorts by its column, and the other way when selected again; unknown values stay last.
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const compare = (a, b) => (a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b, "en"));
  headings.forEach((heading, column) => {
    heading.firstElementChild.addEventListener("click", () => {
      const up = heading.getAttribute("aria-sort") !== "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [row.cells[column].dataset.value, row]);
      rows.sort(([a], [b]) => (a === "") - (b === "") || (up ? compare(a, b) : compare(b, a)));
      body.append(...rows.map(([, row]) => row));
    });
  });
})();
