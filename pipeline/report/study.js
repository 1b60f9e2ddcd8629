"use strict";
/* The index of a study: sorting by column, finding by any word. */
const table = document.querySelector("table.study"), body = table.tBodies[0];
const headings = [...table.tHead.rows[0].cells];
headings.forEach((heading, column) => {
  const button = heading.querySelector("button");
  if (!button) return;
  button.addEventListener("click", () => {
    const up = heading.getAttribute("aria-sort") !== "ascending";
    headings.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.value;
    const numbers = [...body.rows].every((row) => value(row) !== "" && isFinite(value(row)));
    const order = (p, q) => (numbers ? value(p) - value(q) : value(p).localeCompare(value(q), undefined, { numeric: true }));
    body.append(...[...body.rows].sort((p, q) => (up ? order(p, q) : order(q, p))));
  });
});
document.getElementById("find").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  [...body.rows].forEach((row) => { row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word)); });
});
