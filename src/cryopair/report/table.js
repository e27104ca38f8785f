"use strict";
// Tables: the values come as JSON, column by column; only the rows that are looked at are made.
// A heading sorts by its column, and the other way when selected again; unknown values stay last.
(() => {
  window.cryopairTables = {};
  const blank = (value) => value === null || value === "";
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(b, "en"));
  const formats = [0, 1, 2, 3, 4].map(
    (n) => new Intl.NumberFormat("en-US", { minimumFractionDigits: n, maximumFractionDigits: n }),
  );
  const number = (value, digits) => (value === null ? "–" : formats[digits].format(value).replace("-", "−"));
  const element = (name, text, style) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (style) made.className = style;
    return made;
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const name = table.id.replace(/-table$/, "");
    const data = JSON.parse(document.getElementById(name + "-data").textContent);
    const { columns, chips, reasons, links, page } = data;
    const filters = document.querySelector(`.filters[data-for="${name}"]`);
    const [search, select] = [filters.querySelector("input"), filters.querySelector("select")];
    const [before, after] = filters.querySelectorAll("button");
    const headings = [...table.tHead.rows[0].cells];
    const all = columns[0].values.map((_, row) => row);
    const names = columns.find((column) => column.key === "name").values.map((value) => value.toLowerCase());
    const state = { column: 0, up: true, start: 0, find: "", show: "" };
    let rows = all;
    filters.hidden = false;

    const cell = (column, row) => {
      const value = column.values[row];
      if (column.key !== "name") {
        const text = column.digits === null ? value : number(value, column.digits);
        const made = element("td", text, column.digits === null ? "name" : "");
        made.dataset.value = value === null ? "" : value;
        return made;
      }
      const made = element("th", "", "name");
      made.scope = "row";
      made.dataset.value = value;
      if (row in links) {
        const link = element("a", value);
        link.href = "#view-" + links[row];
        made.append(link);
      } else made.append(value);
      if (row in chips) made.append(" ", element("span", chips[row], "chip"));
      if (row in reasons) made.append(" ", element("span", reasons[row], "reason"));
      return made;
    };

    const draw = () => {
      const part = rows.slice(state.start, state.start + page);
      const made = part.map((row) => {
        const line = document.createElement("tr");
        line.append(...columns.map((column) => cell(column, row)));
        return line;
      });
      table.tBodies[0].replaceChildren(...made);
      headings.forEach((heading, n) => {
        if (n === state.column) heading.setAttribute("aria-sort", state.up ? "ascending" : "descending");
        else heading.removeAttribute("aria-sort");
      });
      const count = (value) => value.toLocaleString("en-US");
      const range = rows.length > page ? `${count(state.start + 1)}–${count(state.start + part.length)} of ` : "";
      filters.querySelector("output").textContent = `${range}${count(rows.length)} of ${count(all.length)} rows`.replace(
        `${count(all.length)} of ${count(all.length)}`,
        count(all.length),
      );
      before.disabled = state.start === 0;
      after.disabled = state.start + page >= rows.length;
    };

    const arrange = (start = 0) => {
      const marked = { reasons, links }[state.show];
      const chip = state.show.startsWith("=") ? state.show.slice(1) : null;
      const find = state.find.trim().toLowerCase();
      rows = all.filter((row) => (!marked || row in marked) && (chip === null || chips[row] === chip));
      if (find) rows = rows.filter((row) => names[row].includes(find) || (reasons[row] || "").toLowerCase().includes(find));
      const values = columns[state.column].values;
      rows.sort((one, other) => {
        const [a, b] = [values[one], values[other]];
        return blank(a) - blank(b) || (state.up ? compare(a, b) : compare(b, a));
      });
      state.start = start < rows.length ? start : 0;
      draw();
    };

    headings.forEach((heading, column) => {
      heading.firstElementChild.addEventListener("click", () => {
        state.up = state.column !== column || !state.up;
        state.column = column;
        arrange();
      });
    });
    search.addEventListener("input", () => ((state.find = search.value), arrange()));
    select.addEventListener("change", () => ((state.show = select.value), arrange()));
    before.addEventListener("click", () => ((state.start = Math.max(0, state.start - page)), draw()));
    after.addEventListener("click", () => ((state.start += page), draw()));
    const restore = (kept) => {
      Object.assign(state, kept);
      [search.value, select.value] = [state.find, state.show];
      if (select.value !== state.show) select.value = state.show = "";
      arrange(state.start);
    };
    window.cryopairTables[name] = { get: () => state, set: restore };
    restore({});
  }
})();
