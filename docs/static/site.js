// Tables that can be sorted, filtered and saved. Without JavaScript they stand as they are.
// a closed fold has no inner text
const text = (cell) => (cell.innerText || cell.textContent).replace(/\s+/g, " ").trim();
const number = (words) => parseFloat(words.replace("−", "-").replace(/,(?=\d{3})/g, ""));

// Headings that span rows stand in each of them, and groups of rows are one, so that rows can change places.
function flat(table) {
  for (const cell of table.querySelectorAll("tbody [rowspan]")) {
    const [rows, at] = [cell.rowSpan, cell.cellIndex];
    cell.removeAttribute("rowspan");
    for (let i = 1, row = cell.parentElement; i < rows; i++) {
      row = row.nextElementSibling;
      row.insertBefore(cell.cloneNode(true), row.cells[at] ?? null);
    }
  }
  const [first, ...others] = table.tBodies;
  others.forEach((body) => { first.append(...body.rows); body.remove(); });
  return first;
}

function sort(table, column, heading) {
  const body = flat(table), down = heading.ariaSort === "ascending" ? -1 : 1;
  const rows = [...body.rows].map((row) => [row, text(row.cells[column]), number(text(row.cells[column]))]);
  const order = (a, b) => (isNaN(a[2]) || isNaN(b[2]) ? isNaN(a[2]) - isNaN(b[2]) || a[1].localeCompare(b[1]) : a[2] - b[2]);
  body.append(...rows.sort((a, b) => down * order(a, b)).map(([row]) => row));
  table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  heading.ariaSort = down > 0 ? "ascending" : "descending";
}

function save(table) {
  const grid = [];
  [...table.rows].forEach((row, y) => [...row.cells].forEach((cell) => {
    let x = 0;
    while (grid[y]?.[x] !== undefined) x++;
    for (let i = 0; i < cell.rowSpan; i++)
      for (let j = 0; j < cell.colSpan; j++) (grid[y + i] ??= [])[x + j] = text(cell).replace(/ ⇅$/, "");
  }));
  const csv = grid.map((row) => Array.from(row, (words) => `"${(words ?? "").replaceAll('"', '""')}"`).join(",")).join("\r\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", csv], { type: "text/csv" }));
  link.download = `${(table.caption && text(table.caption)) || document.title}.csv`.replace(/[/:]/g, "");
  link.click();
}

function button(kind, words, name, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", className: kind, textContent: words, onclick: act });
  made.setAttribute("aria-label", name);
  return made;
}

function enrich(table) {
  const head = [...(table.tHead?.rows ?? [])], last = head.at(-1);
  if (!last || !table.tBodies.length) return;
  const corners = head.length > 1 ? [...head[0].cells].filter((cell) => cell.rowSpan === head.length) : [];
  const names = [...corners, ...last.cells];
  names.forEach((cell, column) => {
    const name = text(cell);
    if (table.matches(".t, .statements table")) for (const row of table.tBodies[0].rows) if (column) row.cells[column]?.setAttribute("data-of", name);
    if (name) (cell.querySelector("p") ?? cell).append(" ", button("sort", "⇅", `sort by ${name}`, () => sort(table, column, cell)));
  });
  const box = table.closest(".pg, .pst-scrollable-table-container") ?? table;
  box.after(button("csv", "CSV", "CSV: save this table", () => save(table)));
}

// Of the statements those of one paper, or with one verdict on one track.
function filters(table) {
  const [, , ...tracks] = [...table.tHead.rows[0].cells].map((cell) => text(cell).replace(/ ⇅$/, ""));
  const rows = [...table.tBodies[0].rows], box = document.createElement("div"), count = document.createElement("output");
  const of = (row, track) => [...row.cells].slice(2).map(text).filter((_, i) => !track || tracks[i] === track).filter(Boolean);
  const values = { paper: rows.map((row) => text(row.cells[0])), track: tracks, verdict: rows.flatMap((row) => of(row)) };
  const chosen = Object.entries(values).map(([name, all]) => {
    const label = Object.assign(document.createElement("label"), { textContent: `${name} ` });
    const select = document.createElement("select");
    select.append(new Option("all", ""), ...[...new Set(all)].map((value) => new Option(value)));
    label.append(select);
    box.append(label);
    return select;
  });
  const apply = () => {
    const [paper, track, verdict] = chosen.map((select) => select.value);
    for (const row of rows) {
      const found = of(row, track);
      row.hidden = (paper && text(row.cells[0]) !== paper) || !found.length || (verdict && !found.includes(verdict));
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  box.className = "filters";
  box.append(count);
  box.onchange = apply;
  table.closest("details").querySelector("summary").after(box);
  apply();
}

addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".cell_output table, .statements table").forEach(enrich);
  document.querySelectorAll(".statements table").forEach(filters);
});
