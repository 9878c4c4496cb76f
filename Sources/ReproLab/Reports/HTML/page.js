"use strict";
(() => {
  const form = document.getElementById("filters");
  const rows = [...document.querySelectorAll("#heat tbody tr")];
  const cases = [...document.querySelectorAll("details.case")];
  const shown = document.getElementById("shown");
  const axes = ["scenario", "memory", "engine", "target", "schedule"];

  function apply() {
    const wanted = new FormData(form);
    const find = wanted.get("find").trim().toLowerCase();
    const verdict = wanted.get("verdicts");
    let count = 0;
    for (const row of rows) {
      const fits = axes.every((axis) => !wanted.get(axis) || row.dataset[axis] === wanted.get(axis))
        && (!verdict || row.dataset.verdicts.split(" ").includes(verdict))
        && (!wanted.get("differs") || "differs" in row.dataset)
        && (!find || row.firstElementChild.textContent.toLowerCase().includes(find));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    for (const one of cases) one.hidden = rows[one.dataset.row - 1].hidden;
    shown.textContent = `${count} of ${rows.length} cases`;
    // One cell is in the order of the Tab key; the others are reached from it by arrows.
    const cells = visibleCells().flat();
    if (cells.length && !cells.some((cell) => cell.tabIndex === 0)) cells[0].tabIndex = 0;
  }

  function visibleCells() {
    return rows.filter((row) => !row.hidden).map((row) => [...row.querySelectorAll("a.cell")]);
  }

  function move(from, down, right) {
    const grid = visibleCells().filter((line) => line.length);
    const y = grid.findIndex((line) => line.includes(from));
    const x = grid[y].indexOf(from);
    const line = grid[Math.min(Math.max(y + down, 0), grid.length - 1)];
    const to = line[Math.min(Math.max(x + right, 0), line.length - 1)];
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  function open(id) {
    const one = document.getElementById(id);
    if (!one) return;
    if (one.tagName !== "DETAILS") {
      one.scrollIntoView();
      return;
    }
    one.hidden = false;
    one.open = true;
    one.scrollIntoView();
    // What is off the screen is not laid out, and loses the focus, until it was drawn once.
    requestAnimationFrame(() => requestAnimationFrame(() => one.querySelector("summary").focus()));
  }

  for (const cell of document.querySelectorAll("a.cell")) cell.tabIndex = -1;
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("heat").addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || !event.target.matches("a.cell")) return;
    event.preventDefault();
    move(event.target, ...step);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select")) return;
    event.preventDefault();
    form.elements.find.focus();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.cell");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    // The browser's own way would take the focus away again.
    event.preventDefault();
    history.pushState(null, "", link.hash);
    open(link.hash.slice(1));
  });
  window.addEventListener("hashchange", () => open(location.hash.slice(1)));
  apply();
  if (location.hash) open(location.hash.slice(1));
})();
