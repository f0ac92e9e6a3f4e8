"use strict";
// The concept graph: nodes are buttons; the one chosen is edited below it.
const linrepGraph = (place, chosen) => {
  const space = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent) => {
    const element = document.createElementNS(space, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };
  return (begun, selected) => {
    const { nodes, arrows, paths } = begun.graph, across = 92, down = 66;
    const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.concept;
    const xs = [...nodes, ...paths.flat()].map(([x]) => x * across), ys = nodes.map(([, y]) => y * down);
    const [left, right] = [Math.min(...xs) - 46, Math.max(...xs) + 46], bottom = Math.max(...ys) + 22;
    place.replaceChildren();
    const svg = make("svg", { viewBox: `${left} -22 ${right - left} ${bottom + 22}`, role: "group", "aria-label": "Concept graph" }, place);
    svg.style.maxWidth = `${1.15 * (right - left)}px`;
    const head = make("marker", { id: "head", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, orient: "auto" }, make("defs", {}, svg));
    make("path", { d: "M0 0L8 4L0 8z", class: "head" }, head);
    arrows.forEach((_, i) => {
      const points = paths[i].map(([x, y]) => [x * across, y * down]);
      points[0][1] += 15;
      points.at(-1)[1] -= 17;
      const d = points.slice(1).map(([x, y], n) => {
        const [u, v] = points[n], middle = (v + y) / 2;
        return `C${u} ${middle} ${x} ${middle} ${x} ${y}`;
      });
      make("path", { d: `M${points[0].join(" ")}${d.join("")}`, class: "arrow", "marker-end": "url(#head)" }, svg);
    });
    nodes.forEach(([x, y], i) => {
      const name = begun.names[i], cut = name.length > 9 ? `${name.slice(0, 8)}…` : name;
      const node = make("g", { class: `node${i === selected ? " chosen" : ""}`, tabindex: 0, role: "button", "aria-pressed": i === selected, "data-concept": i, "aria-label": `Concept ${name}` }, svg);
      const box = make("rect", { x: x * across - 40, y: y * down - 15, width: 80, height: 30, rx: 15 }, node);
      box.style.setProperty("--key", `var(--concept-${i % 10})`);
      make("text", { x: x * across, y: y * down + 4.5, "text-anchor": "middle", "font-size": 13 }, node).textContent = cut;
      node.addEventListener("click", () => chosen(i));
      node.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); chosen(i); }
      });
      if (focused === String(i)) node.focus();
    });
  };
};
