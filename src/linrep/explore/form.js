"use strict";
// The settings: what was last asked for, as the page shows it, and every change of it as a new wish.
const linrepForm = (form, networks, largest, start) => {
  const find = (selector) => form.querySelector(selector);
  const [preset, concepts, kind] = [find("#preset"), find("#concepts"), find("#contexts-kind")];
  const trained = {};  // by optimiser, as it was last asked for
  let asked = {}, begun = null, timer = null, latest = 0, answered = 0, undone = null;
  networks.forEach((name) => preset.add(new Option(name, `network:${name}`)));

  const merged = (table, fields) => { asked = { ...asked, [table]: { ...asked[table], ...fields } }; };
  const number = (text) => (text.trim() === "" || !Number.isFinite(Number(text)) ? text : Number(text));
  const ask = (edit) => {
    clearTimeout(timer);
    timer = null;
    latest += 1;
    start(asked, edit, latest);
  };
  const soon = (then = ask) => { clearTimeout(timer); timer = setTimeout(() => then(), 150); };
  // While something newer is asked for, an answer says nothing of what stands in the fields.
  const settled = (serial) => {
    if (serial) answered = Math.max(answered, serial);
    return timer === null && answered === latest;
  };
  // What names concepts, or has as many places, fits no other world.
  const portable = () => {
    const { contexts, tokens, ...rest } = asked;
    const bound = contexts && (contexts.kind === "list" || contexts.of);
    const told = tokens && (tokens.kind === "list" || tokens.said || tokens.of || tokens.merge);
    asked = { ...rest, ...(contexts ? { contexts: bound ? { kind: "complete" } : contexts } : {}), ...(tokens && !told ? { tokens } : {}) };
  };

  // Networks from elsewhere have rare states: a step size that finds itself, from a wide start, learns them.
  const published = () => {
    const { dim, ...model } = asked.model || {};
    asked = { ...asked, model: { ...model, start: "wide" }, training: { optimizer: "gd", steps: 3000 } };
  };
  const world = () => {
    const [type, name] = preset.value.split(":");
    if (type === "network") {
      asked = { ...asked, world: { kind: "network", network: name } };
      published();
    } else if (type !== "own") {
      const many = Number(concepts.value);
      asked = { ...asked, world: { kind: type, concepts: many } };
      const dim = (asked.model || {}).dim || begun.dim;  // as much wider than the world as it was
      merged("model", { dim: Math.max(1, dim + many - begun.names.length) });
      if (asked.contexts && asked.contexts.at_most > many) merged("contexts", { at_most: many });
    }
    portable();
    ask();
  };
  preset.addEventListener("change", world);
  concepts.addEventListener("input", () => {
    find("#concepts-now").textContent = concepts.value;
    if (preset.value.includes(":") || preset.value === "own") preset.value = "independent";
    soon(world);
  });
  find("#bif").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file && file.size > largest) refused({ field: "bif", says: `${file.name}: at most ${largest.toLocaleString("en-US")} bytes are read here, got ${file.size.toLocaleString("en-US")}; give a smaller network` });
    else if (file) edit({ kind: "bif", text: await file.text() });
    event.target.value = "";
  });

  const contexts = () => {
    const weights = (asked.contexts || {}).weights || "uniform";
    const more = {
      complete: {},
      known: { at_most: Number(find("#at-most").value) },
      fraction: { fraction: Number(find("#fraction").value) },
    }[kind.value];
    asked = { ...asked, contexts: { kind: kind.value, weights, ...more } };
    shownContexts();
    soon();
  };
  const shownContexts = () => {
    find("#at-most").closest(".field").hidden = kind.value !== "known";
    find("#fraction").closest(".field").hidden = kind.value !== "fraction";
    find("#at-most-now").textContent = find("#at-most").value;
    find("#fraction-now").textContent = `${Math.round(100 * find("#fraction").value)} %`;
  };
  kind.addEventListener("change", contexts);
  find("#at-most").addEventListener("input", contexts);
  find("#fraction").addEventListener("input", contexts);

  find("#optimizer").addEventListener("change", (event) => {
    const { steps, snapshots } = asked.training || {}, optimizer = event.target.value;
    trained[begun.config.training.optimizer] = asked.training;
    const fresh = { optimizer, ...(optimizer === "newton" ? {} : { steps }), ...(snapshots ? { snapshots } : {}) };
    if (optimizer === "gd") fresh.step_size = 1;
    if (optimizer === "sgd") fresh.stream = "own";
    asked = { ...asked, training: trained[optimizer] || fresh };
    const { dtype, ...compute } = asked.compute || {};
    asked.compute = compute;
    ask();
  });
  find("#schedule").addEventListener("change", (event) => {
    const { final_step_size, ...training } = asked.training || {};
    asked.training = { ...training, schedule: event.target.value };
    if (event.target.value === "geometric") asked.training.final_step_size = Number(training.step_size || begun.config.training.step_size) / 100 || 0.01;
    ask();
  });
  form.querySelectorAll("[data-path]").forEach((input) => {
    const [table, field] = input.dataset.path.split(".");
    const change = (how) => () => {
      const value = input.tagName === "SELECT" ? input.value : number(input.value);
      if (field) merged(table, { [field]: value });
      else asked = { ...asked, [table]: value };
      if (input.type === "range") find(`#${input.id}-now`).textContent = input.value;
      how();
    };
    if (input.type === "range") input.addEventListener("input", change(soon));
    else input.addEventListener("change", change(ask.bind(null, undefined)));
  });

  const edit = (change) => {
    undone = { serial: latest + 1, asked };
    if (["add", "remove", "bif"].includes(change.kind)) portable();
    if (change.kind === "bif") published();
    ask(change);
  };
  const show = (report) => {
    begun = report;
    const { config } = report, { step_size, steps } = config.training;
    if (!settled(report.serial)) return;
    asked = { ...asked, world: config.world };
    if (asked.model && asked.model.dim) merged("model", { dim: config.model.dim });
    if (report.changed) {  // by hand, or for longer: what is begun next begins with it
      merged("model", { dim: config.model.dim });
      merged("training", { steps, ...(typeof step_size === "number" ? { step_size } : {}) });
    }
    const type = config.world.kind, many = report.names.length;
    preset.value = type === "network" ? `network:${config.world.network}` : type;
    if (preset.selectedIndex < 0) preset.value = "own";
    concepts.value = many;
    find("#concepts-now").textContent = many;
    kind.value = config.contexts.kind;
    find("#at-most").max = many;
    if (config.contexts.at_most) find("#at-most").value = config.contexts.at_most;
    if (config.contexts.fraction) find("#fraction").value = config.contexts.fraction;
    shownContexts();
    find("#dim").max = Math.max(16, 2 * many, report.dim);
    form.querySelectorAll("[data-path]").forEach((input) => {
      if (document.activeElement === input && input.type !== "range") return;
      const [table, field] = input.dataset.path.split(".");
      const value = field ? config[table][field] : config[table];
      input.value = value === undefined || value === null ? "" : value;
      if (input.type === "range") find(`#${input.id}-now`).textContent = input.value;
    });
    find("#optimizer").value = config.training.optimizer;
    find("#schedule").value = config.training.schedule;
    const fixed = typeof config.training.step_size === "number";
    find("#schedule").closest(".field").hidden = !fixed;
    find("#step-size").disabled = config.training.optimizer === "newton";
    form.querySelectorAll(".wrong").forEach((each) => { each.textContent = ""; });
  };
  const refused = ({ field, says, serial }) => {
    settled(serial);
    if (undone && serial === undone.serial) ({ asked } = undone);  // what a change of the graph brings with it
    form.querySelectorAll(".wrong").forEach((each) => { each.textContent = ""; });
    const place = [...form.querySelectorAll(".wrong")].find((each) => each.dataset.field === field)
      || [...form.querySelectorAll(".wrong")].find((each) => field && each.dataset.field === field.split(".")[0])
      || find("#wrong-elsewhere");
    place.textContent = says;
  };
  return { show, refused, set: (config) => { asked = structuredClone(config); }, get asked() { return asked; }, edit };
};
