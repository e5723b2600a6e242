"use strict";

(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);

  // The page's colours, light or dark, as a Plotly template.
  function template() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const axis = {
      gridcolor: colour("line"),
      linecolor: colour("line"),
      zerolinecolor: colour("line"),
      showline: true,
      title: { font: { size: 13 }, standoff: 8 },
    };
    return {
      layout: {
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("text") },
        colorway: [1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}`)),
        hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("text") } },
        shapedefaults: { line: { color: colour("muted") } },
        xaxis: axis,
        yaxis: axis,
      },
    };
  }

  // A line and the band around it are two traces of one colour: such traces say in `meta` which of the series' it is.
  function coloured(trace) {
    if (!trace.meta?.series) {
      return trace;
    }
    const colour = getComputedStyle(document.documentElement).getPropertyValue(`--series-${trace.meta.series}`).trim();
    return { ...trace, line: { ...trace.line, color: colour }, marker: { ...trace.marker, color: colour }, fillcolor: `${colour}2a` };
  }

  // A figure in a hidden panel has no width yet: it is drawn when its panel is shown. Likewise a table's box: it is a
  // stop for the Tab key where it scrolls.
  function draw() {
    const look = template();
    for (const place of document.querySelectorAll("[data-figure]")) {
      if (place.offsetParent !== null) {
        const { data, layout } = figures[place.dataset.figure];
        Plotly.react(place, data.map(coloured), { ...layout, template: look }, { displayModeBar: false, responsive: true });
      }
    }
    for (const box of document.querySelectorAll(".wide")) {
      box.tabIndex = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight ? 0 : -1;
    }
  }

  // A chooser (radio buttons or a list) shows one of the panels of its section.
  for (const chooser of document.querySelectorAll("[data-chooser]")) {
    const panels = document.querySelectorAll(`[data-panel="${chooser.dataset.chooser}"]`);
    const show = (value) => panels.forEach((panel) => (panel.hidden = panel.dataset.value !== value));
    chooser.hidden = false;
    chooser.addEventListener("change", (event) => {
      show(event.target.value);
      draw();
    });
    show(chooser.querySelector("select, input:checked").value);
  }

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
