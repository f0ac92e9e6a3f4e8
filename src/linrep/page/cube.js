"use strict";
// The learned hypercube on a canvas: orthographic, turned by dragging or by the arrow keys, drawn back to front.
const linrepCube = (element, figure, colour) => {
  const frame = element.closest("figure");
  const find = (selector) => frame.querySelector(selector);
  const slider = find("input[type=range]"), output = find(".stepper output"), select = find("select");
  const rescale = find(".rescale"), play = find(".play"), tip = find(".tip"), names = find(".names");
  const canvas = find("canvas"), pen = canvas.getContext("2d");
  const { steps, wide, concepts, runs } = figure;
  const count = new Intl.NumberFormat("en-US");
  const hidden = new Set();
  const FEW = 40;  // tokens up to which every edge stands out
  let yaw = figure.yaw, pitch = figure.pitch, shown = [], pointed = null, timer = null;
  const reach = Math.max(...runs.flatMap((run) => run.scales));

  slider.max = slider.value = steps.length - 1;
  slider.disabled = play.disabled = steps.length < 2;
  runs.forEach((run, index) => select.add(new Option(run.label, index)));
  select.closest("label").hidden = runs.length < 2;
  concepts.forEach((concept, i) => {
    const button = document.createElement("button");
    const key = document.createElement("span");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    key.className = `key ${concept.dash === "solid" ? "" : concept.dash === "dot" ? "dotted" : "dashed"}`;
    key.style.setProperty("--key", `var(${concept.color})`);
    button.append(key, concept.name + (runs[0].edges[i].length ? "" : " (no pair)"));
    button.addEventListener("click", () => {
      hidden[hidden.has(i) ? "delete" : "add"](i);
      button.setAttribute("aria-pressed", String(!hidden.has(i)));
      draw();
    });
    names.append(button);
  });

  const turned = (run, at) => {
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    const [xs, ys, zs] = run.frames[at];
    const scale = run.scales[at] / 1000;
    return xs.map((x, i) => {
      const right = cy * x - sy * zs[i], back = sy * x + cy * zs[i];
      return [scale * right, scale * (cp * ys[i] - sp * back), scale * (sp * ys[i] + cp * back)];
    });
  };
  const busiest = (run) => {
    const edges = new Array(run.tokens.length).fill(0);
    run.edges.flat().forEach((token) => { edges[token] += 1; });
    return edges.indexOf(Math.max(...edges));
  };
  const dashes = { solid: [], dash: [9, 6], dot: [2, 4], dashdot: [9, 4, 2, 4] };

  function draw() {
    const at = Number(slider.value), run = runs[Number(select.value) || 0];
    const before = steps[at] < 0 ? `${steps[at] + wide.steps} of ${wide.steps}` : "";
    const kept = `shown along the ${wide.dim} directions that are kept`;
    output.textContent = before || count.format(steps[at]);
    output.previousSibling.textContent = before ? "Wide start: step " : "Step ";
    slider.setAttribute("aria-valuetext", before ? `wide start: step ${before}, ${kept}` : `step ${output.textContent}`);
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const points = turned(run, at);
    const size = rescale.checked ? run.scales[at] : reach;
    const zoom = (Math.min(width, height) / 2 - 30) / (size || 1);
    const place = ([x, y]) => [width / 2 + zoom * x, height / 2 - zoom * y];
    shown = points.map(place);
    canvas.points = points;
    const few = points.length <= FEW;
    const edges = concepts.flatMap((concept, i) => {
      if (hidden.has(i)) return [];
      const ends = run.edges[i];
      return Array.from({ length: ends.length / 2 }, (_, e) => [i, ends[2 * e], ends[2 * e + 1]]);
    });
    const depth = ([, a, b]) => points[a][2] + points[b][2];
    // Of many edges those of one token stand out, one for each concept, before the others, which are faint.
    const star = few ? null : pointed ?? busiest(run);
    const stands = ([, a, b]) => few || a === star || b === star;
    edges.sort((one, two) => stands(one) - stands(two) || depth(one) - depth(two));
    const ground = colour("--surface");
    const stroke = (a, b, style, thick) => {
      pen.beginPath();
      pen.moveTo(...shown[a]);
      pen.lineTo(...shown[b]);
      pen.strokeStyle = style;
      pen.lineWidth = thick;
      pen.stroke();
    };
    pen.lineCap = "round";
    for (const edge of edges) {
      const [i, a, b] = edge;
      const near = Math.min(Math.max(0.5 + depth(edge) / (4 * (size || 1)), 0), 1);
      pen.setLineDash([]);
      if (stands(edge)) stroke(a, b, ground, 7);
      pen.globalAlpha = stands(edge) ? 0.55 + 0.45 * near : 0.16 + 0.26 * near;
      pen.setLineDash(dashes[concepts[i].dash]);
      stroke(a, b, colour(concepts[i].color), stands(edge) ? 2.2 + 1.5 * near : 1);
      pen.globalAlpha = 1;
    }
    pen.setLineDash([]);
    const order = points.map((_, i) => i).sort((a, b) => points[a][2] - points[b][2]);
    for (const i of order) {
      pen.beginPath();
      pen.arc(...shown[i], few || i === star ? 4.5 : 2, 0, 2 * Math.PI);
      pen.fillStyle = colour("--ink");
      pen.strokeStyle = ground;
      pen.lineWidth = few ? 2 : 0.8;
      pen.fill();
      pen.stroke();
    }
    if (before) {
      pen.font = `13px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
      pen.textAlign = "left";
      pen.textBaseline = "top";
      pen.fillStyle = colour("--ink");
      [`wide start: step ${before}`, kept].forEach((text, i) => pen.fillText(text, 8, 8 + 18 * i));
    }
    if (run.codes) {
      pen.font = `600 13px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillStyle = colour("--ink");
      run.codes.forEach((code, i) => {
        const [x, y] = [shown[i][0] - width / 2, shown[i][1] - height / 2], far = Math.hypot(x, y) || 1;
        const out = 18 + 2 * Math.max(code.length - 3, 0);
        pen.fillText(code, shown[i][0] + (out * x) / far, shown[i][1] + (out * y) / far);
      });
    }
  }

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
  select.addEventListener("change", () => { pointed = null; draw(); });
  rescale.addEventListener("change", draw);

  const turn = (across, up) => {
    yaw += across;
    pitch = Math.min(Math.max(pitch + up, -Math.PI / 2), Math.PI / 2);
    draw();
  };
  const keys = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    turn(...keys[event.key]);
  });
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    last = [event.clientX, event.clientY];
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    point(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (last && event.buttons) {
      const mouse = event.pointerType === "mouse";  // a finger that moves up or down scrolls the page
      turn((event.clientX - last[0]) / 120, mouse ? (event.clientY - last[1]) / 120 : 0);
      last = [event.clientX, event.clientY];
    }
    point(event);
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { last = null; });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  function point(event) {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const far = shown.map(([a, b]) => Math.hypot(a - x, b - y));
    const nearest = far.indexOf(Math.min(...far));
    tip.hidden = !(far[nearest] < 16);
    if (shown.length > FEW && !tip.hidden && pointed !== nearest) { pointed = nearest; draw(); }
    if (tip.hidden) return;
    tip.textContent = runs[Number(select.value) || 0].tokens[nearest];
    tip.style.left = `${Math.min(shown[nearest][0] + 12, box.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${Math.max(shown[nearest][1] - tip.offsetHeight - 8, 2)}px`;
  }
  new ResizeObserver(draw).observe(canvas);
  canvas.picture = () => new Promise((done) => { canvas.toBlob(done, "image/png"); });
  return draw;
};
