"use strict";
for (const field of document.querySelectorAll("[data-filters]")) {
  const entries = [...document.querySelectorAll(field.dataset.filters)];
  const said = document.querySelector(field.dataset.says);
  field.closest("[hidden]").hidden = false;
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    let found = 0;
    for (const entry of entries) {
      entry.hidden = !words.every((word) => entry.dataset.text.includes(word));
      if (!entry.hidden && "counts" in entry.dataset) found += 1;
    }
    for (const group of document.querySelectorAll("[data-group]")) {
      group.hidden = ![...group.querySelectorAll(field.dataset.filters)].some((entry) => !entry.hidden);
    }
    said.textContent = field.value ? `${found} found` : "";
  });
}
for (const cell of document.querySelectorAll("[data-fresh-until]")) {
  if (new Date(cell.dataset.freshUntil) < new Date()) {
    cell.querySelector("[data-stale]").hidden = false;
    for (const fresh of cell.querySelectorAll("[data-fresh]")) fresh.hidden = true;
  }
}
