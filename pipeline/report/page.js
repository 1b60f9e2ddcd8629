function draw(id, figure) {
  Plotly.newPlot(id, figure.data, figure.layout, {responsive: true, scrollZoom: true, displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"]});
}
