"use strict";
/* Figures below the lanes: drawn when they come into view, and all of them before the page is printed. */
const drawFigure = (box) => {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  const { data, layout } = JSON.parse(document.getElementById(`${box.id}-data`).textContent);
  delete layout.template;
  Plotly.newPlot(box, data, layout, { responsive: true, displaylogo: false, displayModeBar: false });
};
const figures = [...document.querySelectorAll(".figure")];
const figureWatcher = new IntersectionObserver((seen) => seen.forEach((one) => { if (one.isIntersecting) drawFigure(one.target); }), { rootMargin: "200px" });
figures.forEach((box) => figureWatcher.observe(box));
window.addEventListener("beforeprint", () => {
  document.querySelectorAll("details.section").forEach((one) => { one.open = true; });
  figures.forEach(drawFigure);
});
