"use strict";
// The concept that was chosen in the graph: its name, its probabilities, its arrows.
const linrepConcept = (place, begun, selected, edit) => {
  place.hidden = selected === null;
  if (selected === null) return;
  const { names, concepts, editable } = begun, { states, parents, on } = concepts[selected];
  const held = document.activeElement && place.contains(document.activeElement) ? document.activeElement.id : "";
  const make = (tag, fields, ...inside) => {
    const element = Object.assign(document.createElement(tag), fields);
    element.append(...inside);
    return element;
  };
  const event = `${names[selected]} = ${states[1]}`;
  const rows = on.map((share, row) => {
    const given = parents.map((parent, n) => {
      const state = Math.floor(row / parents.slice(n + 1).reduce((many, each) => many * concepts[each].states.length, 1)) % concepts[parent].states.length;
      return `${names[parent]} = ${concepts[parent].states[state]}`;
    });
    const output = make("output", { textContent: Number(share.toPrecision(3)) });
    const slider = make("input", { type: "range", id: `p-${row}`, min: 0, max: 1, step: 0.01, value: share, disabled: !editable });
    slider.addEventListener("input", () => { output.textContent = slider.value; });
    slider.addEventListener("change", () => edit({ kind: "probability", concept: selected, row, value: Number(slider.value) }));
    slider.setAttribute("aria-label", `P(${[event, given.join(", ")].filter(Boolean).join(" | ")})`);
    return make("label", { className: "field" }, make("span", { textContent: given.length ? given.join(", ") : `P(${event})` }), slider, output);
  });
  const name = make("input", { type: "text", id: "concept-name", value: names[selected], maxLength: 40, disabled: !editable });
  name.addEventListener("change", () => edit({ kind: "rename", concept: selected, name: name.value }));
  const wrong = make("p", { className: "wrong", role: "alert" });
  wrong.dataset.field = "name";
  const arrow = (text, wish) => {
    const button = make("button", { type: "button", textContent: text, disabled: !editable });
    button.addEventListener("click", () => edit(wish));
    return button;
  };
  const others = names.map((_, i) => i).filter((i) => i !== selected);
  const joins = others.filter((i) => !concepts[i].parents.includes(selected) && !parents.includes(i)).map((i) => arrow(`→ ${names[i]}`, { kind: "join", parent: selected, child: i }));
  const parts = [
    ...parents.map((i) => arrow(`✕ ${names[i]} →`, { kind: "part", parent: i, child: selected })),
    ...others.filter((i) => concepts[i].parents.includes(selected)).map((i) => arrow(`✕ → ${names[i]}`, { kind: "part", parent: selected, child: i })),
  ];
  const group = (title, buttons) => (buttons.length ? [make("p", { className: "buttons" }, `${title} `, ...buttons)] : []);
  place.replaceChildren(
    make("label", { className: "field" }, make("span", { textContent: "Name" }), name),
    wrong,
    ...(parents.length ? [make("p", { className: "caption", textContent: `P(${event}), given:` }), make("div", { className: "given" }, ...rows)] : rows),
    ...group("Join", joins),
    ...group("Part", parts),
    make("p", { className: "buttons" }, arrow("Remove this concept", { kind: "remove", concept: selected })),
  );
  if (held) { const again = place.querySelector(`#${held}`); if (again) again.focus(); }
};
