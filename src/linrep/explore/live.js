"use strict";
(() => {
  const data = JSON.parse(document.getElementById("explore-data").textContent);
  const root = document.documentElement, find = (selector) => document.querySelector(selector);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let known = {};
  const colour = (name) => (known[name] ??= resolved(name));
  const probe = document.body.appendChild(document.createElement("span"));
  probe.hidden = true;
  const resolved = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
  colour.sans = getComputedStyle(root).getPropertyValue("--sans");
  const on_paper = (name) => { probe.style.colorScheme = "light"; const found = resolved(name); probe.style.colorScheme = ""; return found; };

  const look = {
    yaw: 0.24, pitch: 0.17, hidden: new Set(), at: null,
    point: (step) => { look.at = step; paint(); },
    turn: (across, up) => {
      look.yaw += across;
      look.pitch = Math.min(Math.max(look.pitch + up, -Math.PI / 2), Math.PI / 2);
      paint();
    },
  };
  const shapes = linrepShapes(look);
  const pane = (number) => {
    const place = find(`#run-${number}`);
    const shown = (name) => linrepSolid(place.querySelector(`.${name}`), look, shapes[name], colour);
    return { number, place, cube: shown("cube"), arrows: shown("arrows"), begun: null, frame: null, theory: null, ended: null, curves: linrepCurves(), count: 0 };
  };
  const runs = [pane(0), pane(1)];
  const charts = data.charts.map((chart) => linrepChart(find(`#chart-${chart.id}`), chart, look, colour));
  const words = linrepWords(runs);
  let target = 0, playing = false, selected = null, story = null, added = false, lost = "";
  window.linrepLive = { runs, look, send: (wish) => wire.send(wish) };  // for whoever tries things out, and for the tests

  const wire = linrepWire(heard, data.largest);
  const form = linrepForm(find("#world"), data.networks, data.largest, (config, edit, serial) => begin(target, config, edit, serial));
  const graph = linrepGraph(find("#graph"), (concept) => choose(selected === concept ? null : concept));

  function start(number, wish) {
    wire.send({ do: "start", run: number, ...wish });
    clearTimeout(runs[number].waiting);
    runs[number].waiting = setTimeout(() => { runs[number].place.querySelector(".step").textContent = "is being begun…"; }, 400);
  }
  function begin(number, config, edit, serial) {
    story = number === 0 && story && JSON.stringify(config) === JSON.stringify(story.config) ? story : null;
    start(number, { config, serial, ...(edit ? { edit } : {}) });
    if (playing) wire.send({ do: "play" });
    words.tell(story);
  }
  function play(wanted) {
    playing = wanted;
    const button = find("#play");
    button.textContent = playing ? "Pause" : "Play";
    button.setAttribute("aria-pressed", String(playing));
  }

  function heard(message) {
    const run = runs[message.run];
    switch (message.kind) {
      case "frame": return framed(run, message);
      case "begun": return begun(run, message);
      case "theory": run.theory = message; words.theory(); return paint();
      case "ended": run.ended = message; ended(); return words.tell(story);
      case "playing": return play(message.playing);
      case "alone": return forget_second();
      case "refused": return refused(message);
      case "toml": return copied(message.text, which(message.run));
      case "page": find("#copied").textContent = `The page${which(message.run)} is saved.`; return save(new Blob([message.text], { type: "text/html" }), "explored.html");
      case "failed": return refused({ ...message, field: "", says: `The laboratory failed, and is paused: ${message.says}` });
      case "closed": play(false); find("#closed").hidden = false; return undefined;
      default: return undefined;
    }
  }
  const which = (number) => (runs[1].begun ? ` of the ${number ? "second" : "first"} run` : "");
  function refused(message) {
    added = false;
    const start = message.do === "start" || !message.do;
    if (message.do === "start") runs.forEach((run) => { clearTimeout(run.waiting); if (run.begun && run.frame) steps(run); });
    find("#copied").textContent = "";
    if (message.do === "start" && !runs[0].begun && !lost) {  // an address that cannot be opened
      lost = `The settings in the address cannot be used: ${message.says}`;
      form.set(data.first);
      begin(0, data.first);
    } else if (start) form.refused(message);
    else find("#wrong-here").textContent = message.says;
  }
  function begun(run, message) {
    clearTimeout(run.waiting);
    find("#wrong-here").textContent = lost;
    find("#copied").textContent = lost = "";
    run.begun = message;
    run.ended = null;
    if (!message.changed) { run.curves = linrepCurves(); run.frame = null; run.theory = null; run.count = 0; }
    run.place.hidden = false;
    runs.forEach((each) => {
      each.place.querySelector(".which").textContent = runs[1].begun ? (each.number ? "Second run" : "First run") : "The run";
    });
    run.place.querySelector(".facts").textContent = `${message.names.length} concepts, ${message.contexts} contexts${message.dropped ? ` (${message.dropped} cannot occur)` : ""}, ${message.tokens.length} tokens, k = ${message.dim}`;
    run.place.querySelector(".changes").textContent = message.changes.map(({ step, what }) => `after step ${step}: ${what}`).join("; ");
    if (run.number === target) {
      if (added) selected = message.names.length - 1;
      added = false;
      form.show(message);
      if (!story && run.number === 0) remember(form.asked);
      legend(message);
      draw_graph();
      const constant = message.config.training.schedule === "constant" && typeof message.config.training.step_size === "number";
      find("#smaller").disabled = find("#larger").disabled = !constant;
    }
    ended();
    words.theory();
  }
  function framed(run, message) {
    if (run.begun && message.corners.length === 3 * run.begun.tokens.length) {
      run.frame = message;
      run.count += 1;
      run.curves.note(message);
      if (playing && !still.matches && find("#turning").checked) look.yaw += 0.006;
      paint();
    }
    wire.send({ do: "seen" });
  }
  function paint() {
    runs.forEach((run) => {
      if (!run.begun || !run.frame) return;
      run.cube(run);
      run.arrows(run);
      steps(run);
      words.vitals(run);
      words.captions(run);
    });
    charts.forEach((chart) => chart(runs));
    find("#when").textContent = look.at === null ? "now" : `at step ${Math.round(look.at).toLocaleString("en-US")}`;
    words.tell(story);
  }

  function steps(run) {
    run.place.querySelector(".step").textContent = `step ${run.frame.step.toLocaleString("en-US")} of ${run.begun.steps.toLocaleString("en-US")}`;
  }

  function legend(message) {
    find("#legend").replaceChildren(...message.names.map((name, i) => {
      const button = document.createElement("button"), key = document.createElement("span");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!look.hidden.has(i)));
      key.className = "key";
      key.style.setProperty("--key", `var(--concept-${i % 10})`);
      button.append(key, name + (message.edges[i].length ? "" : " (no pair)"));
      button.addEventListener("click", () => {
        look.hidden[look.hidden.has(i) ? "delete" : "add"](i);
        button.setAttribute("aria-pressed", String(!look.hidden.has(i)));
        paint();
      });
      return button;
    }));
  }
  function draw_graph() {
    const message = runs[target].begun, held = find("#settings").contains(document.activeElement);
    if (selected >= message.names.length) selected = null;
    graph(message, selected);
    linrepConcept(find("#concept"), message, selected, (edit) => {
      if (edit.kind === "remove") selected = null;
      form.edit(edit);
    });
    find("#add").disabled = !message.editable;
    // What had the focus may be gone: who has no mouse goes on from where he was.
    if (held && (document.activeElement === document.body || document.activeElement.closest("[hidden]"))) (find(`[data-concept="${selected}"]`) || find("#add")).focus();
  }
  function choose(concept) { selected = concept; draw_graph(); }

  function ended() {
    words.ended();
    words.theory();
    find("#train-on").disabled = !runs[0].ended || runs[0].begun.config.training.schedule !== "constant" || runs[0].ended.word === "diverged";
  }

  // What was asked for stands in the address: it survives a reload, and can be given away.
  function remember(config) {
    const hash = `#config=${encodeURIComponent(JSON.stringify(config))}`;
    history.replaceState(null, "", hash.length < 32_000 ? hash : "#");
  }
  function open_config() {
    try {
      const config = JSON.parse(new URLSearchParams(location.hash.slice(1)).get("config"));
      if (config === null || typeof config !== "object") return false;
      form.set(config);
      begin(0, config);
      return true;
    } catch { return false; }
  }
  function open_story() {
    const name = new URLSearchParams(location.hash.slice(1)).get("story");
    const found = data.stories.find((each) => each.name === name);
    if (!found) return false;
    story = found;
    target = 0;
    close_second();
    form.set(found.config);
    wire.send({ do: "pace", pace: (find("#pace").value = found.pace) });
    start(0, { config: found.config });
    if (found.second) second(found.second);
    wire.send({ do: "play" });
    play(true);
    paint();
    return true;
  }
  function second(config) {
    start(1, { config });
    find("#alone").hidden = find("#which").hidden = false;
    find("#compare").hidden = true;
  }
  function close_second() {
    wire.send({ do: "alone" });
    target = 0;
    find("#which input[value='0']").checked = true;
    find("#alone").hidden = find("#which").hidden = true;
    find("#compare").hidden = false;
  }
  // When the laboratory says so: until then something of it may be on the way.
  function forget_second() {
    clearTimeout(runs[1].waiting);
    Object.assign(runs[1], { begun: null, frame: null, theory: null, ended: null, curves: linrepCurves() });
    runs[1].place.hidden = true;
    runs[0].place.querySelector(".which").textContent = "The run";
    ended();
    words.theory();
    paint();
  }

  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  async function copied(text, whose) {
    find("#toml").value = text;
    find("#toml").hidden = false;
    try { await navigator.clipboard.writeText(text); find("#copied").textContent = `The config${whose} is copied.`; }
    catch { find("#toml").select(); find("#copied").textContent = `Select and copy the config${whose} here.`; }
  }

  const on = (id, act) => find(id).addEventListener("click", act);
  on("#play", () => {
    const over = runs.filter((run) => run.begun).every((run) => run.ended);
    if (!playing && over && !find("#train-on").disabled) { find("#train-on").click(); return; }
    play(!playing); wire.send({ do: playing ? "play" : "pause" });
  });
  on("#step", () => { play(false); wire.send({ do: "step" }); });
  on("#restart", () => {
    runs.filter((run) => run.begun).forEach((run) => start(run.number, { config: run.begun.config }));
    if (playing) wire.send({ do: "play" });
  });
  const step_size = (factor) => () => {
    if (runs[target].begun) wire.send({ do: "step size", run: target, size: runs[target].begun.config.training.step_size * factor });
  };
  on("#smaller", step_size(0.5));
  on("#larger", step_size(2));
  on("#dimension", () => wire.send({ do: "dimension", run: target }));
  on("#train-on", () => { runs.filter((run) => run.ended).forEach((run) => wire.send({ do: "train on", run: run.number })); wire.send({ do: "play" }); play(true); });
  on("#compare", () => { if (!runs[0].begun) return; second(runs[0].begun.config); target = 1; find("#which input[value='1']").checked = true; form.set(runs[0].begun.config); });
  on("#alone", () => { close_second(); story = null; form.set(runs[0].begun.config); form.show(runs[0].begun); legend(runs[0].begun); draw_graph(); });
  on("#copy", () => wire.send({ do: "toml", run: target }));
  on("#save-page", () => { find("#copied").textContent = `The page${which(target)} is being made…`; wire.send({ do: "page", run: target }); });
  on("#save-figure", () => {
    const text = linrepFigure(runs.filter((run) => run.begun && run.frame), shapes, on_paper);
    save(new Blob([text], { type: "image/svg+xml" }), "explored.svg");
  });
  on("#add", () => { added = true; form.edit({ kind: "add" }); });
  on("#again", () => location.reload());
  const dark = () => root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = () => { find("#theme").textContent = dark() ? "Light mode" : "Dark mode"; };
  theme();
  on("#theme", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    theme();
    known = {};
    paint();
  });
  find("#pace").addEventListener("change", (event) => wire.send({ do: "pace", pace: event.target.value }));
  find("#contexts-shown").addEventListener("change", (event) => wire.send({ do: "contexts", shown: event.target.checked }));
  find("#which").addEventListener("change", (event) => {
    target = Number(event.target.value);
    selected = null;
    if (!runs[target].begun) return;
    form.set(runs[target].begun.config);
    form.show(runs[target].begun);
    legend(runs[target].begun);
    draw_graph();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || selected === null) return;
    const node = `[data-concept="${selected}"]`;
    choose(null);
    find(node).focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button, a, summary, [role=button]")) return;
    const act = { " ": "#play", ".": "#step", r: "#restart" }[event.key];
    if (!act) return;
    event.preventDefault();
    find(act).click();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { known = {}; theme(); paint(); });
  new ResizeObserver(paint).observe(find("#middle"));
  addEventListener("hashchange", () => open_story() || open_config());
  document.querySelectorAll("nav a").forEach((link) => {
    link.addEventListener("click", () => { if (link.hash === location.hash) open_story(); });  // told once more
  });

  form.set(data.first);
  if (!open_story() && !open_config()) begin(0, data.first);
  root.dataset.ready = "";
})();
