"use strict";
// What is said in words: what theory says, how runs ended, whether a story's sentences are true of the numbers.
const linrepWords = (runs) => {
  const place = (id) => document.querySelector(id);
  const paragraph = (text, kind) => {
    const found = document.createElement("p");
    found.textContent = text;
    if (kind) found.className = kind;
    return found;
  };
  const who = (run) => (runs[1].begun ? (run.number ? "Second run: " : "First run: ") : "");
  const begun = () => runs.filter((run) => run.begun);

  function theory() {
    place("#theory").replaceChildren(...begun().map((run) => {
      if (!run.theory) return paragraph(`${who(run)}the prediction is being worked out.`);
      const { status, reason, price, no_price } = run.theory;
      return paragraph(`${who(run)}${status ? `${status}: ` : ""}${reason}. ${cost(price, no_price)}${undercut(run, price)}`);
    }));
  }
  const cost = (price, no_price) => {
    if (price === null) return `The price of linearity is not known: ${no_price}.`;
    const nats = price < 1e-9 ? "0" : linrepNumber(price, true);
    return `The price of linearity is ${nats} nats: no exactly linear tables, however wide, have less excess loss than that.`;
  };
  const undercut = (run, price) => {
    const excess = (run.curves.values.excess_loss_nats || []).at(-1);
    return run.ended && price > 1e-9 && excess !== null && excess < price ? " This run is below it, so it is not quite linear." : "";
  };
  function ended() {
    place("#ended").replaceChildren(...runs.filter((run) => run.ended).map((run) => {
      const { word, step, excess, target: goal, advice } = run.ended;
      const bound = `${linrepNumber(excess, true)} nats, where up to ${linrepNumber(goal, true)} counts as converged`;
      const kind = word === "converged" ? "yes" : word === "unfinished" ? "undecided" : "no";
      return paragraph(`${who(run)}${word} at step ${step.toLocaleString("en-US")}: ${excess === null ? advice : `excess loss ${bound}`}.`, kind);
    }));
  }

  // Each sentence is about how its run ends: before that it may hold so far.
  function tell(story) {
    const box = place("#story");
    box.hidden = !story;
    document.querySelectorAll("nav a").forEach((link) => {
      if (story && link.hash === `#story=${story.name}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    if (!story) return;
    box.querySelector("h2").textContent = story.title;
    box.querySelectorAll("li").forEach((item, i) => {
      const { text, run, measure, at_least, at_most } = story.sentences[i];
      const value = (runs[run].curves.values[measure] || []).at(-1), over = runs[run].ended;
      const holds = value !== undefined && value !== null && value >= (at_least ?? -Infinity) && value <= (at_most ?? Infinity);
      item.className = over ? (holds ? "holds" : "fails") : holds ? "note" : "undecided";
      item.querySelector(".standing").textContent = over ? (holds ? "true" : "not so") : holds ? "so far" : "not yet";
      item.querySelector(".said").textContent = text;
    });
  }

  // The numbers of a run beside its cube, where the panel of numbers may be out of sight.
  const VITALS = [["linearity of g", "linearity.unembedding"], ["alignment", "alignment"], ["overlap", "orthogonality.mean_directions.unembedding"], ["log-odds gap", "log_odds_gap_nats"], ["excess loss", "excess_loss_nats"]];
  function vitals(run) {
    const list = run.place.querySelector(".vitals");
    if (!list.children.length) list.innerHTML = VITALS.map(([label]) => `<div><dt>${label}</dt><dd></dd></div>`).join("");
    VITALS.forEach(([, name], i) => { list.children[i].lastChild.textContent = linrepNumber((run.curves.values[name] || []).at(-1)); });
  }
  function captions(run) {
    const { begun: { names, note }, frame: { shown, angles } } = run;
    run.place.querySelector(".shown").textContent = `${Math.round(100 * shown)} % of the variance of g is seen`;
    const known = names.map((name, i) => [name, angles[i]]).filter(([, angle]) => angle !== null);
    const each = known.map(([name, angle]) => `${name} ${Math.round(angle)}°`).join(", ");
    run.place.querySelector(".angles").textContent = known.length ? `From its concept's mean an edge lies, on average: ${each}.` : "No concept ever changes alone.";
    run.place.querySelector(".note").textContent = note || "";
  }
  return { theory, ended, tell, vitals, captions };
};
