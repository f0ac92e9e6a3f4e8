"use strict";
// What stands now as one SVG for a paper: the shapes of the canvas, drawn by a pen that writes.
const linrepFigure = (runs, shapes, colour) => {
  const WIDE = 380, CUBE = 340, ARROWS = 230, GAP = 20, HEAD = 26, FOOT = 62;
  const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const round = (number) => Math.round(100 * number) / 100;
  const parts = [];
  const pen = {
    strokeStyle: "", fillStyle: "", lineWidth: 1, globalAlpha: 1, font: "", textAlign: "start", textBaseline: "alphabetic",
    path: "", dash: [],
    beginPath: () => { pen.path = ""; },
    moveTo: (x, y) => { pen.path += `M${round(x)} ${round(y)}`; },
    lineTo: (x, y) => { pen.path += `L${round(x)} ${round(y)}`; },
    arc: (x, y, r) => { pen.path += `M${round(x - r)} ${round(y)}a${round(r)} ${round(r)} 0 1 0 ${round(2 * r)} 0a${round(r)} ${round(r)} 0 1 0 ${round(-2 * r)} 0`; },
    setLineDash: (dash) => { pen.dash = dash; },
    stroke: () => parts.push(`<path d="${pen.path}" fill="none" stroke="${pen.strokeStyle}" stroke-width="${round(pen.lineWidth)}" stroke-opacity="${round(pen.globalAlpha)}"${pen.dash.length ? ` stroke-dasharray="${pen.dash.join(" ")}"` : ""}/>`),
    fill: () => parts.push(`<path d="${pen.path}Z" fill="${pen.fillStyle}" fill-opacity="${round(pen.globalAlpha)}"/>`),
    fillRect: (x, y, w, h) => parts.push(`<rect x="${round(x)}" y="${round(y)}" width="${w}" height="${h}" fill="${pen.fillStyle}" fill-opacity="${round(pen.globalAlpha)}"/>`),
    fillText: (text, x, y) => {
      const [, weight, size] = pen.font.match(/^(\d+) (\d+)px/);
      const anchor = { center: "middle", right: "end" }[pen.textAlign] || "start";
      parts.push(`<text x="${round(x)}" y="${round(y + (pen.textBaseline === "middle" ? 0.35 * size : 0))}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${pen.fillStyle}">${escaped(text)}</text>`);
    },
  };
  const say = (text, x, y, { size = 12, weight = 400, ink = "--ink" } = {}) => {
    Object.assign(pen, { font: `${weight} ${size}px`, textAlign: "left", textBaseline: "alphabetic", fillStyle: colour(ink) });
    pen.fillText(text, x, y);
  };
  const moved = (x, y, draw) => { parts.push(`<g transform="translate(${x} ${y})">`); draw(); parts.push("</g>"); };
  const now = (run, name) => linrepNumber((run.curves.values[name] || []).at(-1));

  runs.forEach((run, column) => moved(column * (WIDE + GAP), 0, () => {
    const { begun, frame } = run;
    const which = runs.length > 1 ? `(${"ab"[column]}) ` : "";
    say(`${which}m = ${begun.names.length}, k = ${begun.dim}, step ${frame.step.toLocaleString("en-US")}`, 4, 17, { size: 14, weight: 600 });
    moved(0, HEAD, () => shapes.cube(pen, WIDE, CUBE, run, colour));
    moved(0, HEAD + CUBE + 8, () => shapes.arrows(pen, WIDE, ARROWS, run, colour));
    const below = HEAD + CUBE + ARROWS + 28;
    say(`linearity of g ${now(run, "linearity.unembedding")}, alignment ${now(run, "alignment")}, excess loss ${now(run, "excess_loss_nats")} nats`, 4, below, { ink: "--muted" });
    say(`above: ${Math.round(100 * frame.shown)} % of the variance of g; below: each edge at its true angle from its mean`, 4, below + 16, { size: 10, ink: "--muted" });
    let across = 4;
    begun.names.forEach((name, concept) => {
      const [ink, short] = [colour(`--concept-${concept % 10}`), name.length > 14 ? `${name.slice(0, 13)}…` : name];
      Object.assign(pen, { strokeStyle: ink, lineWidth: 3, globalAlpha: 1 });
      pen.beginPath();
      pen.moveTo(across, below + 32);
      pen.lineTo(across + 16, below + 32);
      pen.stroke();
      say(short, across + 21, below + 36);
      across += 34 + 7 * short.length;
    });
  }));
  const [width, height] = [runs.length * (WIDE + GAP) - GAP, HEAD + CUBE + ARROWS + 8 + FOOT];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Helvetica, Arial, sans-serif"><rect width="${width}" height="${height}" fill="${colour("--surface")}"/>${parts.join("\n")}</svg>\n`;
};
