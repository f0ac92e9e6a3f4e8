"use strict";
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;
  const sans = getComputedStyle(root).getPropertyValue("--sans").trim();

  // Colours are named in the data and looked up for the theme in use: "--ink" or, with opacity, "--ink/0.2".
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  let known = {};
  const colour = (name) => {
    if (!name.startsWith("--")) return name;
    if (!(name in known)) {
      const [base, opacity] = name.split("/");
      probe.style.color = `var(${base})`;
      const parts = getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3);
      known[name] = opacity ? `rgba(${parts},${opacity})` : `rgb(${parts})`;
    }
    return known[name];
  };
  const resolve = (value, isColour = false) => {
    if (typeof value === "string") return isColour ? colour(value) : value;
    if (Array.isArray(value)) return value.map((item) => resolve(item, isColour));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) =>
      [key, resolve(item, isColour || /color(scale|s)?$/.test(key))]));
  };

  const axis = (given) => ({
    gridcolor: "--grid", linecolor: "--line", zerolinecolor: "--line", tickcolor: "--line", automargin: true,
    ticks: "outside", ticklen: 4, fixedrange: true, ...given,
    title: { standoff: 8, ...(given && given.title), font: { size: 12.5 } },
  });
  const themed = (layout) => {
    const full = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 48, r: 12, t: 12, b: 40 },
      showlegend: false, hovermode: "closest", dragmode: false, autosize: true, ...layout,
      font: { family: sans, size: 12, color: "--ink" },
      hoverlabel: { bgcolor: "--surface", bordercolor: "--line", align: "left", font: { family: sans, color: "--ink" } },
    };
    for (const key of Object.keys(full)) if (/^[xy]axis\d*$/.test(key)) full[key] = axis(full[key]);
    return resolve(full);
  };
  const config = { responsive: true, displayModeBar: false, displaylogo: false, showTips: false };
  const redraw = {};

  // A legend beside or below is a grid of columns as wide as its widest name, one column on a phone. With a group
  // for every name it flows as words do.
  const flowing = (figure) => {
    const { data, layout } = figure;
    if (!layout.legend || layout.legend.orientation !== "h") return figure;
    return {
      data: data.map((trace, i) => ({ legendgroup: trace.name || `unnamed ${i}`, ...trace })),
      layout: { ...layout, legend: { tracegroupgap: 2, ...layout.legend } },
    };
  };
  const plot = (element, figure) => {
    redraw[element.dataset.figure] = () => {
      const narrow = element.clientWidth < 560 ? figure.narrow : {};
      const { data, layout } = flowing({ data: figure.data, layout: { ...figure.layout, ...narrow } });
      return Plotly.react(element, resolve(data), themed(layout), config);
    };
  };

  // Plotly stands in the page compressed, and is woken when the first chart comes near the window.
  let woken = null;
  const plotly = () => {
    woken ??= (async () => {
      const packed = document.getElementById("plotly").textContent;
      const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
      const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = document.createElement("script");
      script.textContent = await new Response(plain).text();
      document.head.append(script);
    })();
    return woken;
  };
  const waiting = new Map();
  // One after another, with a breath between, so that the page answers meanwhile.
  let queue = Promise.resolve();
  const drawNow = (element) => {
    queue = queue.catch(() => {}).then(async () => {
      if (!waiting.delete(element)) return;
      await plotly();
      await redraw[element.dataset.figure]();
      element.dataset.drawn = "yes";
      await new Promise((done) => setTimeout(done));
    });
    return queue;
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { near.unobserve(entry.target); drawNow(entry.target); }
  }, { rootMargin: "400px" });

  document.querySelectorAll("[data-figure]").forEach((element) => {
    const figure = data.figures[element.dataset.figure];
    if (figure.kind === "cube") {
      redraw[element.dataset.figure] = linrepCube(element, figure, colour);
      element.dataset.drawn = "yes";
      return;
    }
    plot(element, figure);
    waiting.set(element, figure);
  });
  const redrawAll = () => {
    known = {};
    const drawn = document.querySelectorAll("[data-drawn]");
    return Promise.all([...drawn].map((element) => redraw[element.dataset.figure]()));
  };
  const drawEverything = () => Promise.all([...waiting.keys()].map(drawNow));

  const download = (name, blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  document.querySelectorAll("[data-save]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const element = document.getElementById(`${button.dataset.save}-plot`);
      const canvas = element.querySelector("canvas");
      if (canvas && canvas.picture) return download(`${button.dataset.save}.png`, await canvas.picture());
      await drawNow(element);
      Plotly.downloadImage(element, { format: "png", scale: 3, width: element.clientWidth, height: element.clientHeight, filename: button.dataset.save });
    });
  });
  document.querySelectorAll("[data-download]").forEach((button) => {
    button.addEventListener("click", () => {
      const [name, text] = data.downloads[button.dataset.download];
      download(name, new Blob([text], { type: "text/plain;charset=utf-8" }));
    });
  });

  document.querySelectorAll("[data-more]").forEach((button) => {
    const block = document.getElementById(button.dataset.more);
    const all = button.textContent;
    button.hidden = false;
    block.classList.add("short");
    button.addEventListener("click", () => {
      const short = block.classList.toggle("short");
      button.setAttribute("aria-expanded", String(!short));
      button.textContent = short ? all : "Fewer rows";
    });
  });

  const unfold = () => {
    const asked = document.getElementById(location.hash.slice(1));
    const folded = asked?.querySelector(":scope > .folded");
    if (folded) folded.open = true;
    for (let above = asked?.closest("details"); above; above = above.parentElement.closest("details")) above.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();

  const button = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const stored = (value) => {
    try { return value === undefined ? localStorage.getItem("linrep-theme") : localStorage.setItem("linrep-theme", value); }
    catch { return null; }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const sayTheme = () => button.setAttribute("aria-pressed", String(isDark()));
  const chosen = stored();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  sayTheme();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    sayTheme();
    redrawAll();
  });
  prefersDark.addEventListener("change", () => { sayTheme(); redrawAll(); });

  let before = null;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme || "";
    root.dataset.theme = "light";
    redrawAll();
    drawEverything();
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    redrawAll();
  });
  redrawAll().then(() => {
    root.dataset.ready = "yes";
    setTimeout(() => waiting.forEach((_, element) => near.observe(element)), 60);
  });
})();
