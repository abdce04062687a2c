"use strict";
// Charts are drawn by the browser; colours are CSS variables, so that light, dark and print need no second drawing.
(() => {
  const figures = [...document.querySelectorAll("figure[id^='figure-']")];

  // Tables stand as names of fields and rows; Vega-Lite reads records.
  const records = (key, value) =>
    value?.fields && value.rows
      ? value.rows.map((row) => Object.fromEntries(row.map((cell, index) => [value.fields[index], cell])))
      : value;

  // Panels fill the width in rows of about equal length: four panels stand two by two, not three and one.
  const arrange = (spec, width, panel, panels) => {
    const fit = Math.max(1, Math.floor((width + 20) / panel));
    spec.columns = Math.ceil(panels / Math.ceil(panels / fit));
    const inner = spec.spec;
    const around = panel - inner.width;
    const wide = Math.floor(Math.min(1.4 * inner.width, width / spec.columns - around));
    if (inner.height === inner.width) inner.height = wide;
    inner.width = wide;
  };

  const draw = async (figure) => {
    const host = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent, records);
    const width = host.clientWidth;
    const panel = Number(figure.dataset.panel);
    if (panel && spec.spec) arrange(spec, width, panel, Number(figure.dataset.panels)); // else panels of fixed size
    if (width < 520) spec.config.legend.columns = 1;
    // ast: expressions are interpreted, so that the page's security policy can forbid eval
    await vegaEmbed(host, spec, {
      renderer: "svg",
      actions: false,
      ast: true,
      defaultStyle: false,
      tooltip: { disableDefaultStyle: true },
    });
  };

  const drawAll = async () => {
    for (const figure of figures) {
      await draw(figure);
      await new Promise((next) => setTimeout(next)); // the page stays responsive between charts
    }
    document.documentElement.dataset.drawn = "yes";
  };

  let waiting;
  let width = document.documentElement.clientWidth;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (width === document.documentElement.clientWidth) return;
      width = document.documentElement.clientWidth;
      drawAll();
    }, 250);
  });

  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -80% 0px" },
  );
  for (const section of document.querySelectorAll("main section")) seen.observe(section);

  drawAll();
})();
