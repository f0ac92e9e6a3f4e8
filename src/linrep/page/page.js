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

  const webgl = (() => {
    try {
      const canvas = document.createElement("canvas");
      return Boolean(canvas.getContext("webgl2") || canvas.getContext("webgl"));
    } catch { return false; }
  })();

  const cube = (element, figure) => {
    const id = element.dataset.figure;
    const controls = document.querySelector(`[data-controls="${CSS.escape(id)}"]`);
    const slider = controls.querySelector("input[type=range]");
    const output = controls.querySelector("output");
    const select = controls.querySelector("select");
    const rescale = controls.querySelector(".rescale");
    const play = controls.querySelector(".play");
    const steps = figure.steps;
    const count = new Intl.NumberFormat("en-US");
    const space = webgl ? 3 : 2;
    const gl = webgl ? "scatter3d" : "scatter";
    slider.max = steps.length - 1;
    slider.value = steps.length - 1;
    slider.disabled = play.disabled = steps.length < 2;
    figure.runs.forEach((run, index) => select.add(new Option(run.label, index)));
    select.closest("label").hidden = figure.runs.length < 2;
    let hiddenConcepts = {};

    const reach = (points) => Math.max(1e-9, ...points.flat().map(Math.abs));
    const traces = () => {
      const run = figure.runs[Number(select.value) || 0];
      const points = run.frames[Number(slider.value)].slice(0, space);
      const names = ["x", "y", "z"].slice(0, space);
      const list = figure.concepts.map((concept, i) => {
        const trace = { type: gl, mode: "lines", name: concept.name, hoverinfo: "skip", uid: `c${i}`, legendgroup: `c${i}`,
          visible: hiddenConcepts[i] || true, line: { color: concept.color, width: figure.width * (webgl ? 1 : .5), dash: concept.dash } };
        names.forEach((name, a) => {
          trace[name] = [];
          const ends = run.edges[i];
          for (let e = 0; e < ends.length; e += 2) trace[name].push(points[a][ends[e]], points[a][ends[e + 1]], null);
        });
        if (!run.edges[i].length) { trace.name += " (no pair)"; names.forEach((name) => { trace[name] = [null]; }); }
        return trace;
      });
      const vertices = { type: gl, mode: run.codes ? "markers+text" : "markers", name: "tokens", uid: "vertices",
        text: run.codes || run.tokens, hovertext: run.tokens, hovertemplate: "%{hovertext}<extra></extra>",
        textposition: "top center", textfont: { size: 11, color: "--muted" }, showlegend: false,
        marker: { size: figure.size, color: "--ink", line: { width: 1, color: "--surface" } } };
      names.forEach((name, a) => { vertices[name] = points[a]; });
      return resolve([...list, vertices]);
    };
    const layout = () => {
      const run = figure.runs[Number(select.value) || 0];
      const last = rescale.checked ? run.frames[Number(slider.value)] : run.frames.reduce((a, b) => reach(a) > reach(b) ? a : b);
      const r = reach(last.slice(0, space)) * 1.06;
      const bare = { visible: false, range: [-r, r], autorange: false };
      const legend = { orientation: "h", tracegroupgap: 2, x: 0.5, xanchor: "center", y: -0.02, yanchor: "top", font: { size: 12.5 }, itemsizing: "constant", title: { text: "" } };
      const common = { showlegend: true, legend, uirevision: "cube", margin: { l: 0, r: 0, t: 0, b: 8 } };
      return themed(webgl
        ? { ...common, dragmode: "orbit", scene: { uirevision: "cube", aspectmode: "manual", aspectratio: { x: figure.zoom, y: figure.zoom, z: figure.zoom }, xaxis: bare, yaxis: bare, zaxis: bare,
            dragmode: "orbit", camera: { eye: figure.eye, up: { x: 0, y: 1, z: 0 }, projection: { type: "orthographic" } } } }
        : { ...common, xaxis: { ...bare }, yaxis: { ...bare, scaleanchor: "x" } });
    };
    const draw = () => {
      const step = steps[Number(slider.value)];
      output.textContent = count.format(step);
      slider.setAttribute("aria-valuetext", `step ${count.format(step)}`);
      return Plotly.react(element, traces(), layout(), { ...config, scrollZoom: false });
    };
    let timer = null;
    const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; play.setAttribute("aria-label", "Play training"); };
    play.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (Number(slider.value) >= steps.length - 1) slider.value = 0;
      play.textContent = "Pause";
      play.setAttribute("aria-label", "Pause");
      draw();
      timer = setInterval(() => {
        slider.value = Number(slider.value) + 1;
        draw();
        if (Number(slider.value) >= steps.length - 1) stop();
      }, 160);
    });
    slider.addEventListener("input", () => { if (timer !== null) stop(); draw(); });
    select.addEventListener("change", draw);
    rescale.addEventListener("change", draw);
    redraw[id] = () => draw().then(() => {
      if (element.dataset.listening) return;
      element.dataset.listening = "yes";
      element.on("plotly_restyle", () => {
        element.data.forEach((trace, i) => { if (i < figure.concepts.length) hiddenConcepts[i] = trace.visible; });
      });
    });
  };

  document.querySelectorAll("[data-figure]").forEach((element) => {
    const figure = data.figures[element.dataset.figure];
    (figure.kind === "cube" ? cube : plot)(element, figure);
  });
  const redrawAll = () => { known = {}; return Promise.all(Object.values(redraw).map((draw) => draw())); };

  document.querySelectorAll("[data-save]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      const element = document.getElementById(`${button.dataset.save}-plot`);
      Plotly.downloadImage(element, { format: "png", scale: 3, width: element.clientWidth, height: element.clientHeight, filename: button.dataset.save });
    });
  });
  document.querySelectorAll("[data-download]").forEach((button) => {
    button.addEventListener("click", () => {
      const [name, text] = data.downloads[button.dataset.download];
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
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
    const folded = document.getElementById(location.hash.slice(1))?.querySelector(":scope > .folded");
    if (folded) folded.open = true;
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
  addEventListener("beforeprint", () => { before = root.dataset.theme || ""; root.dataset.theme = "light"; redrawAll(); });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    redrawAll();
  });
  redrawAll().then(() => { root.dataset.ready = "yes"; });
})();
