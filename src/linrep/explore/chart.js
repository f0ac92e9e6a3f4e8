"use strict";
// A measure on the right: a line of numbers for each run and table, and under it their curves over steps.
const linrepRaised = (power) => [...String(power)].map((each) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(each)]).join("");
const linrepNumber = (value, fine = false) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value), sign = value < 0 ? "−" : "";
  if (size === 0) return "0";
  if (size < 0.001 || size >= 1e4) {
    const [digits, power] = size.toExponential(1).split("e");
    return `${sign}${digits}·10${linrepRaised(Number(power))}`;
  }
  const text = size.toFixed(size < 0.1 && fine ? 4 : 2);
  return Number(text) === 0 ? text : sign + text;
};

// The curves of a run: values, and what chance gives, as the middle nine tenths of the last draws of the null.
const linrepCurves = () => {
  const LAST = 20, MOST = 3000, KEPT = 200;
  const curves = { steps: [], values: {}, chance: {}, reach: {} }, draws = {};
  // The least, the largest and the least above zero of all that was ever drawn.
  const reached = (name, values) => {
    const reach = (curves.reach[name] ??= [Infinity, -Infinity, Infinity]);
    for (const value of values) {
      if (value === null) continue;
      reach[0] = Math.min(reach[0], value);
      reach[1] = Math.max(reach[1], value);
      if (value > 0) reach[2] = Math.min(reach[2], value);
    }
  };
  const noted = (name, drawn) => {
    const list = (draws[name] ??= []);
    if (drawn !== null) list.push(drawn);
    if (list.length > LAST) list.shift();
    const sorted = [...list].sort((one, two) => one - two), at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    return sorted.length ? [at(0.05), at(0.95)] : null;
  };
  curves.note = ({ step, measures }) => {
    if (curves.steps.at(-1) === step) return;
    curves.steps.push(step);
    for (const [name, [value, nothing]] of Object.entries(measures)) {
      const chance = noted(name, nothing);
      (curves.values[name] ??= []).push(value);
      (curves.chance[name] ??= []).push(chance);
      reached(name, [value, ...(chance || [])]);
    }
    if (curves.steps.length <= MOST) return;
    const thin = (list) => list.filter((_, i) => i % 2 === 0 || i > list.length - KEPT);
    curves.steps = thin(curves.steps);
    for (const kind of [curves.values, curves.chance]) for (const name of Object.keys(kind)) kind[name] = thin(kind[name]);
  };
  return curves;
};

const linrepChart = (figure, chart, look, colour) => {
  const canvas = figure.querySelector("canvas"), rows = figure.querySelector("tbody"), pen = canvas.getContext("2d");
  const place = { left: 38, right: 10, top: 6, bottom: 18 };
  const [LEAST, STEP] = [0.25, 0.25];  // of the axis of a cosine, below zero

  const price = (run) => (chart.price && run.theory && run.theory.price > 1e-9 ? run.theory.price : null);
  const range = (runs) => {
    const reach = runs.flatMap((run) => chart.lines.map(({ name }) => run.curves.reach[name] || [Infinity, -Infinity, Infinity]));
    const prices = runs.map(price).filter((value) => value !== null);
    const high = Math.max(...reach.map((each) => each[1]), ...prices);
    if (chart.log) {
      const low = Math.min(...reach.map((each) => each[2]), ...prices);
      if (!Number.isFinite(low) || high <= 0) return [-4, 1];
      return [Math.floor(Math.log10(low)), Math.max(Math.ceil(Math.log10(high)), Math.floor(Math.log10(low)) + 1)];
    }
    if (chart.cosine) return [Math.max(-1, Math.floor(Math.min(-LEAST, ...reach.map((each) => each[0])) / STEP) * STEP), 1];
    return [0, chart.most || (high > 0 ? 1.05 * high : 1)];
  };
  const ticks = (low, high) => {
    if (chart.log) {
      const many = high - low, skip = Math.ceil((many + 1) / 4);
      return Array.from({ length: many + 1 }, (_, i) => [low + i, i % skip ? "" : power_of_ten(low + i)]);
    }
    const marks = chart.cosine ? [-1, -0.5, 0, 0.5, 1] : [low, (low + high) / 2, high];
    return marks.filter((mark) => mark >= low && mark <= high).map((mark) => [mark, mark === 0 ? "0" : linrepNumber(mark)]);
  };
  const power_of_ten = (power) => (power === 0 ? "1" : power === 1 ? "10" : `10${linrepRaised(power)}`);

  const draw = (runs) => {
    const shown = runs.filter((run) => run.begun);
    table(shown);
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const [low, high] = range(shown), last = Math.max(10, ...shown.map((run) => run.curves.steps.at(-1) || 0));
    const x = (step) => place.left + (Math.log10(step + 1) / Math.log10(last + 1)) * (width - place.left - place.right);
    const y = (value) => {
      const at = chart.log ? (value > 0 ? Math.log10(value) : low) : value;
      return height - place.bottom - ((Math.min(Math.max(at, low), high) - low) / (high - low)) * (height - place.top - place.bottom);
    };
    canvas.step = (across) => (last + 1) ** ((across - place.left) / (width - place.left - place.right)) - 1;
    axes(width, height, low, high, last, x, y);
    shown.forEach((run) => chart.lines.forEach(({ name }) => band(run.curves.steps, run.curves.chance[name] || [], x, y)));
    shown.forEach((run) => {
      const dash = run.number === 1 ? [7, 4] : [], faint = proven(run) ? 1 : 0.5;
      const levels = chart.lines.map(({ name }) => run.theory && run.theory.limits[name]);
      [...new Set(levels)].forEach((value) => level(value, width, y, dash, "", faint));
      level(price(run), width, y, dash, run.number ? "" : "price of linearity");
      chart.lines.forEach(({ name, ink }) => path(run.curves.steps, run.curves.values[name] || [], x, y, colour(ink), dash));
      run.begun.changes.forEach(({ step }) => stroke([[x(step), place.top], [x(step), height - place.bottom]], colour("--muted"), 1, [1, 3]));
    });
    if (look.at !== null && look.at <= last) stroke([[x(look.at), place.top], [x(look.at), height - place.bottom]], colour("--ink"), 1, []);
  };

  // The numbers: of now, or of the step that is pointed at.
  const table = (runs) => {
    const lines = runs.flatMap((run) => chart.lines.map((line) => ({ run, ...line })));
    while (rows.rows.length > lines.length) rows.deleteRow(-1);
    lines.forEach(({ run, name, label, ink }, i) => {
      if (!rows.rows[i]) rows.insertRow().innerHTML = "<th scope='row'><span class='key'></span><span class='what'></span></th><td class='now'></td><td class='chance'></td><td class='ahead'></td>";
      const { cells } = rows.rows[i], at = place_of(run.curves.steps), limit = run.theory && run.theory.limits[name];
      const key = cells[0].querySelector(".key");
      key.style.setProperty("--key", `var(${ink})`);
      key.classList.toggle("dashed", run.number === 1);
      cells[0].querySelector(".what").textContent = label + (runs.length > 1 ? [", 1st", ", 2nd"][run.number] : "");
      cells[1].textContent = linrepNumber((run.curves.values[name] || [])[at], chart.log);
      const chance = (run.curves.chance[name] || [])[at];
      const [from, to] = (chance || []).map((value) => linrepNumber(Math.round(100 * value) / 100));
      cells[2].textContent = !chance ? "" : from === to ? from : `${from} … ${to}`;
      const known = limit !== undefined && limit !== null;
      cells[3].textContent = known ? in_brackets(run, linrepNumber(limit)) : price(run) === null ? "" : linrepNumber(price(run), true);
      cells[3].title = known ? run.theory.status : price(run) === null ? "" : "price of linearity";
    });
  };
  const proven = (run) => run.theory && run.theory.status === "optimal";
  const in_brackets = (run, text) => (proven(run) ? text : `(${text})`);
  const place_of = (steps) => {
    if (look.at === null) return steps.length - 1;
    const after = steps.findIndex((step) => step > look.at);
    return after < 0 ? steps.length - 1 : Math.max(after - 1, 0);
  };

  const level = (value, width, y, dash, name = "", alpha = 1) => {
    if (value === undefined || value === null) return;
    pen.globalAlpha = alpha;
    stroke([[place.left, y(value)], [width - place.right, y(value)]], colour("--predicted"), 1.5, dash);
    pen.globalAlpha = 1;
    if (!name) return;
    Object.assign(pen, { fillStyle: colour("--predicted"), textAlign: "left", textBaseline: "bottom" });
    pen.fillText(name, place.left + 4, y(value) - 1);
  };
  const band = (steps, chance, x, y) => {
    const known = chance.map((each, i) => each && [x(steps[i]), y(each[0]), y(each[1])]).filter(Boolean);
    if (!known.length) return;
    pen.beginPath();
    known.forEach(([at, low], i) => (i ? pen.lineTo(at, low + 0.5) : pen.moveTo(at, low + 0.5)));
    known.reverse().forEach(([at, , high]) => pen.lineTo(at, high - 0.5));
    pen.globalAlpha = 0.25;
    pen.fillStyle = colour("--null");
    pen.fill();
    pen.globalAlpha = 1;
  };
  const path = (steps, values, x, y, ink, dash) => {
    stroke(values.map((value, i) => value !== null && [x(steps[i]), y(value)]).filter(Boolean), ink, 2, dash);
  };
  const stroke = (points, ink, thick, dash) => {
    if (!points.length) return;
    pen.beginPath();
    points.forEach(([a, b], i) => (i ? pen.lineTo(a, b) : pen.moveTo(a, b)));
    pen.strokeStyle = ink;
    pen.lineWidth = thick;
    pen.setLineDash(dash);
    pen.stroke();
    pen.setLineDash([]);
  };
  const axes = (width, height, low, high, last, x, y) => {
    pen.font = `11px ${colour.sans}`;
    Object.assign(pen, { fillStyle: colour("--muted"), textBaseline: "middle", textAlign: "right" });
    ticks(low, high).forEach(([mark, text]) => {
      const at = y(chart.log ? 10 ** mark : mark);
      stroke([[place.left, at], [width - place.right, at]], colour("--grid"), 1, []);
      pen.fillText(text, place.left - 5, at);
    });
    pen.textBaseline = "alphabetic";
    for (let step = 1; step <= last; step *= 10) {
      pen.textAlign = x(step) > width - 24 ? "right" : "center";
      pen.fillText(step >= 1000 ? `${step / 1000}k` : step, Math.min(x(step), width - 2), height - 4);
    }
  };
  canvas.addEventListener("pointermove", ({ offsetX }) => { if (canvas.step) look.point(Math.max(canvas.step(offsetX), 0)); });
  canvas.addEventListener("pointerleave", () => look.point(null));
  return draw;
};
