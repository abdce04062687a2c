"use strict";
// Charts are drawn by the browser; colours are CSS variables, so that light, dark and print need no second drawing.
(() => {
  const figures = [...document.querySelectorAll("figure[id^='figure-']")];

  const draw = async (figure) => {
    const host = figure.querySelector(".chart");
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const width = host.clientWidth;
    const panel = Number(figure.dataset.panel);
    if (panel) spec.columns = Math.max(1, Math.floor((width + 28) / panel));
    if (width < 520) spec.config.legend.columns = 1;
    figure.dataset.columns = spec.columns || "";
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
