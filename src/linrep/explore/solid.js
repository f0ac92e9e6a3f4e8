"use strict";
// The cube, and its arrows from one origin: orthographic, back to front, on a canvas or on paper (figure.js).
const linrepShapes = (look) => {
  const FEW = 40;  // corners up to which every edge stands out
  const dashes = [[], [9, 6], [2, 4], [9, 4, 2, 4]];
  const style = (concept, colour) => [colour(`--concept-${concept % 10}`), dashes[Math.floor(concept / 10) % 4]];

  const turned = (points) => {
    const [cy, sy, cp, sp] = [Math.cos(look.yaw), Math.sin(look.yaw), Math.cos(look.pitch), Math.sin(look.pitch)];
    const found = new Float32Array(points.length);
    for (let i = 0; i < points.length; i += 3) {
      const [x, y, z] = [points[i] / 1000, points[i + 1] / 1000, points[i + 2] / 1000];
      const right = cy * x - sy * z, back = sy * x + cy * z;
      found[i] = right;
      found[i + 1] = cp * y - sp * back;
      found[i + 2] = sp * y + cp * back;
    }
    return found;
  };
  const line = (pen, x, y, u, v, ink, thick, alpha, dash) => {
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(u, v);
    pen.setLineDash(dash);
    pen.strokeStyle = ink;
    pen.lineWidth = thick;
    pen.globalAlpha = alpha;
    pen.stroke();
    pen.globalAlpha = 1;
    pen.setLineDash([]);
  };
  const disc = (pen, x, y, radius) => {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fill();
  };

  const cube = (pen, width, height, run, colour) => {
    const points = turned(run.frame.corners), zoom = Math.min(width, height) / 2 - 24;
    const x = (i) => width / 2 + zoom * points[3 * i], y = (i) => height / 2 - zoom * points[3 * i + 1];
    const depth = (i) => points[3 * i + 2];
    const count = points.length / 3, few = count <= FEW;
    if (run.frame.contexts.length) {
      const faint = turned(run.frame.contexts);
      pen.fillStyle = colour("--muted");
      pen.globalAlpha = faint.length > 1500 ? 0.3 : 0.5;
      for (let i = 0; i < faint.length; i += 3) pen.fillRect(width / 2 + zoom * faint[i] - 1.5, height / 2 - zoom * faint[i + 1] - 1.5, 3, 3);
      pen.globalAlpha = 1;
    }
    const edges = [];
    run.begun.edges.forEach((ends, concept) => {
      if (look.hidden.has(concept)) return;
      for (let e = 0; e < ends.length; e += 2) edges.push([depth(ends[e]) + depth(ends[e + 1]), concept, ends[e], ends[e + 1]]);
    });
    edges.sort((one, two) => one[0] - two[0]);
    const ground = colour("--surface");
    for (const [far, concept, a, b] of edges) {
      const near = Math.min(Math.max(0.5 + far / 4, 0), 1), [ink, dash] = style(concept, colour);
      if (few) line(pen, x(a), y(a), x(b), y(b), ground, 6, 1, []);
      line(pen, x(a), y(a), x(b), y(b), ink, few ? 2 + 1.5 * near : 1, few ? 0.55 + 0.45 * near : 0.2 + 0.35 * near, dash);
    }
    pen.fillStyle = colour("--ink");
    for (let i = 0; i < count; i += 1) disc(pen, x(i), y(i), few ? 4 : 2);
    if (!run.begun.labelled || run.frame.shown === 0) return;
    pen.font = `600 ${count > 8 ? 11 : 12}px ${colour.sans}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    run.begun.codes.forEach((code, i) => {
      const across = x(i) - width / 2, up = y(i) - height / 2, far = Math.hypot(across, up) || 1;
      pen.fillText(code, x(i) + (16 * across) / far, y(i) + (14 * up) / far);
    });
  };

  const arrows = (pen, width, height, run, colour) => {
    const points = turned(run.frame.arrows), zoom = Math.min(width, height) / 2 - 12;
    const [ox, oy] = [width / 2, height / 2];
    pen.beginPath();
    pen.arc(ox, oy, zoom, 0, 2 * Math.PI);
    pen.strokeStyle = colour("--line");
    pen.lineWidth = 1;
    pen.stroke();
    let at = 0;
    run.begun.edges.forEach((ends, concept) => {
      const many = ends.length / 2, [ink, dash] = style(concept, colour);
      for (let e = 0; e < many; e += 1, at += 3) {
        if (look.hidden.has(concept)) continue;
        const [x, y] = [ox + zoom * points[at], oy - zoom * points[at + 1]];
        const alpha = many > 16 ? 0.35 : 0.75;
        line(pen, ox, oy, x, y, ink, 1.6, alpha, dash);
        pen.globalAlpha = alpha;
        pen.fillStyle = ink;
        const back = Math.atan2(y - oy, x - ox), tip = Math.min(8, Math.hypot(x - ox, y - oy));
        pen.beginPath();
        pen.moveTo(x, y);
        pen.lineTo(x - tip * Math.cos(back - 0.4), y - tip * Math.sin(back - 0.4));
        pen.lineTo(x - tip * Math.cos(back + 0.4), y - tip * Math.sin(back + 0.4));
        pen.fill();
        pen.globalAlpha = 1;
      }
    });
  };
  return { cube, arrows };
};

// One of the two on a canvas that pointers and arrow keys turn.
const linrepSolid = (canvas, look, shape, colour) => {
  const pen = canvas.getContext("2d");
  let last = null;
  canvas.addEventListener("pointerdown", (event) => {
    last = [event.clientX, event.clientY];
    if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.buttons) return;
    const mouse = event.pointerType === "mouse";  // a finger that moves up or down scrolls the page
    look.turn((event.clientX - last[0]) / 120, mouse ? (event.clientY - last[1]) / 120 : 0);
    last = [event.clientX, event.clientY];
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { last = null; });
  const keys = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] };
  canvas.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    look.turn(...keys[event.key]);
  });
  return (run) => {
    const width = canvas.clientWidth, height = canvas.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !run.frame) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    shape(pen, width, height, run, colour);
  };
};
