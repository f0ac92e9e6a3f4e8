"use strict";
// A chart on a canvas: measures over steps on a logarithmic axis, each with its null, the limit as a line.
const linrepChart = (figure, chart, colour) => {
  const canvas = figure.querySelector("canvas"), words = figure.querySelector(".now");
  const pen = canvas.getContext("2d");
  const place = { left: 40, right: 8, top: 8, bottom: 20 };
  const short = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    return size !== 0 && (size < 0.001 || size >= 1e4) ? value.toExponential(1) : value.toFixed(size < 0.1 && chart.log ? 4 : 2);
  };

  const range = (runs) => {
    if (!chart.log) return chart.range || fitted(runs);
    const all = runs.flatMap((run) => chart.lines.flatMap(({ name }) => run.curves.values[name] || [])).filter((v) => v > 0);
    const prices = runs.map((run) => run.theory && run.theory.price).filter((price) => price > 1e-9);
    const low = Math.min(...all, ...prices), high = Math.max(...all, ...prices);
    return all.length ? [Math.floor(Math.log10(low)), Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1)] : [-4, 1];
  };
  const fitted = (runs) => {
    const all = runs.flatMap((run) => chart.lines.flatMap(({ name }) => [...(run.curves.values[name] || []), ...(run.curves.nulls[name] || [])]));
    const known = all.filter((value) => value !== null);
    return [0, known.length ? Math.max(...known) * 1.05 || 1 : 1];
  };

  const draw = (runs) => {
    const shown = runs.filter((run) => run && run.begun);
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const [low, high] = range(shown), last = Math.max(10, ...shown.map((run) => run.curves.steps.at(-1) || 0));
    const x = (step) => place.left + (Math.log10(step + 1) / Math.log10(last + 1)) * (width - place.left - place.right);
    const height_of = (value) => (chart.log ? (value > 0 ? Math.log10(value) : low) : value);
    const y = (value) => {
      const share = (Math.min(Math.max(height_of(value), low), high) - low) / (high - low);
      return height - place.bottom - share * (height - place.top - place.bottom);
    };
    axes(width, height, low, high, last, x, y);
    shown.forEach((run) => {
      const second = run.number === 1;
      for (const { name, ink } of chart.lines) {
        path(run.curves.steps, run.curves.nulls[name], x, y, colour("--null"), 1.2, [3, 3], 0.9);
        if (run.theory && run.theory.limits[name] !== undefined) {
          level(run.theory.limits[name], width, y, colour("--predicted"), second);
        }
        path(run.curves.steps, run.curves.values[name], x, y, colour(ink), 2, second ? [7, 4] : [], second ? 0.75 : 1);
      }
      if (chart.price && run.theory && run.theory.price > 1e-9) level(run.theory.price, width, y, colour("--predicted"), second);
      run.begun.changes.forEach(({ step }) => {
        stroke([[x(step), place.top], [x(step), height - place.bottom]], colour("--muted"), 1, [1, 3], 1);
      });
    });
    words.textContent = shown.map((run) => said(run, shown.length > 1)).join(" · ");
  };
  const said = (run, named) => {
    const parts = chart.lines.map(({ name, label }) => {
      const at = (kind) => (run.curves[kind][name] || []).at(-1);
      const limit = run.theory && run.theory.limits[name];
      const beside = [at("nulls") === null || at("nulls") === undefined ? "" : `null ${short(at("nulls"))}`, limit === undefined || limit === null ? "" : `limit ${short(limit)}`].filter(Boolean);
      return `${label}${label ? " " : ""}${short(at("values"))}${beside.length ? ` (${beside.join(", ")})` : ""}`;
    });
    return `${named ? (run.number ? "second: " : "first: ") : ""}${parts.join(", ")}`;
  };
  const level = (value, width, y, ink, second) => {
    stroke([[place.left, y(value)], [width - place.right, y(value)]], ink, 1.5, second ? [7, 4] : [], 0.9);
  };
  const path = (steps, values, x, y, ink, thick, dash, alpha) => {
    if (!values) return;
    const points = [];
    values.forEach((value, i) => { if (value !== null) points.push([x(steps[i]), y(value)]); });
    stroke(points, ink, thick, dash, alpha);
  };
  const stroke = (points, ink, thick, dash, alpha) => {
    if (!points.length) return;
    pen.beginPath();
    points.forEach(([a, b], i) => (i ? pen.lineTo(a, b) : pen.moveTo(a, b)));
    pen.strokeStyle = ink;
    pen.lineWidth = thick;
    pen.globalAlpha = alpha;
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  };
  const axes = (width, height, low, high, last, x, y) => {
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
    pen.fillStyle = colour("--muted");
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const ticks = chart.log ? Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)) : [low, (low + high) / 2, high];
    const every = Math.ceil(ticks.length / 5);
    ticks.forEach((tick, i) => {
      stroke([[place.left, y(tick)], [width - place.right, y(tick)]], colour("--grid"), 1, [], 1);
      if (i % every === 0) pen.fillText(chart.log ? `1e${low + i}` : short(tick), place.left - 5, y(tick));
    });
    pen.textBaseline = "alphabetic";
    pen.textAlign = "center";
    for (let step = 1; step <= last; step *= 10) pen.fillText(step >= 1000 ? `${step / 1000}k` : step, x(step), height - 5);
  };
  return draw;
};
