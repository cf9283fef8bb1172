"use strict";
// A click on a heading sorts; a long table gets a field to search it and shows its first rows.
const SHOWN = 40;
const key = (row, i) => {
  const text = row.cells[i].textContent.trim();
  const number = parseFloat(text.replace(/,/g, ""));
  return Number.isNaN(number) ? text : number;
};
const compare = (a, b) =>
  typeof a === "number" && typeof b === "number" ? a - b
    : typeof a === typeof b ? a.localeCompare(b) : typeof a === "number" ? -1 : 1;
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  heads.forEach((head, i) => {
    if (rows.some((row) => Number.isNaN(parseFloat(row.cells[i].textContent)) && row.cells[i].textContent))
      for (const row of [table.tHead.rows[0], ...rows]) row.cells[i].classList.add("text");
    for (const row of rows)
      if (row.cells[i].textContent.length > 40 && !row.cells[i].querySelector("details")) row.cells[i].classList.add("long");
    head.tabIndex = 0;
    head.setAttribute("aria-sort", "none");
    const sort = () => {
      const up = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", up === 1 ? "ascending" : "descending");
      const keyed = rows.map((row) => [key(row, i), row]);
      keyed.sort(([a], [b]) => a === "" || b === "" ? (a === "") - (b === "") : up * compare(a, b));
      keyed.forEach(([, row], place) => { rows[place] = row; body.append(row); });
      refresh();
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
  });
  let refresh = () => {};
  if (rows.length <= SHOWN) continue;
  const tools = document.createElement("div");
  tools.className = "tools";
  tools.innerHTML = '<label>Search <input type="search"></label><span role="status"></span><button>Show all</button>';
  table.parentElement.before(tools);
  const [field, status, all] = ["input", "span", "button"].map((name) => tools.querySelector(name));
  let most = SHOWN;
  refresh = () => {
    const wanted = field.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows)
      row.hidden = !(row.textContent.toLowerCase().includes(wanted) && ++found <= most);
    status.textContent = `${Math.min(found, most)} of ${found} rows`;
    all.hidden = found <= most;
  };
  field.addEventListener("input", refresh);
  all.addEventListener("click", () => { most = Infinity; refresh(); });
  refresh();
}
