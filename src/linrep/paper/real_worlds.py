"""Parts of published networks, trained to the bottom, each beside its marginals without dependence."""

from linrep.intervals import Effect
from linrep.page.axis_words import title
from linrep.page.chart import chart
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.effects import Held, above, below, judged
from linrep.paper.graphs import DEPENDENCE, PRICE, extra
from linrep.paper.measured import lines_beside_null
from linrep.paper.own_control import less
from linrep.paper.paired import Key, paired_difference
from linrep.paper.record import ALIGNMENT, LINEARITY_G, LOG_ODDS, Answer, Column, Experiment, nothing
from linrep.sweeps.numbers import Numbers

NETWORK, SHARE = "network", "world.dependence"
G: Key = ("linearity", "unembedding")
BOTH: Key = ("alignment", "")
RULE = (
    "A part of each published network, exact whatever is left out, beside the product of its own marginals. "
    "Two claims of each: linearity of g lies above that of random pairs, run by run; and below that of the "
    "same marginals without dependence, from the same starts. “Yes” if both hold of every network, “no” if "
    "one fails of one, by 95 % intervals over starts."
)


def answer(numbers: Numbers) -> Answer:
    """Two effects for each network."""
    effects: list[Held] = []
    words: list[str] = []
    for network, part in numbers.each(NETWORK):
        cells = [cell for _, cell in part.each(SHARE)]
        without, whole = cells[0], cells[-1]
        beyond: Effect = less(whole, G, G, kind="null")
        taken = paired_difference(whole, without, *G)
        if not taken.runs[0]:
            continue
        effects += [
            above(f"linearity of g less random pairs', {network}", beyond, 0.0, cosine),
            below(f"linearity of g less its marginals', {network}", taken, 0.0, cosine),
        ]
        words.append(
            f"{network} {cosine(whole.mean(*G, ended='converged'))} against "
            f"{cosine(without.mean(*G, ended='converged'))} ({short(whole.mean(DEPENDENCE))} nats)"
        )
    if not effects:
        return nothing(RULE)
    return Answer(
        standing=judged(effects),
        finding=f"linearity of g, with dependence and without (how much there is): {listed(words)}.",
        rule=RULE,
        effects=tuple(effects),
        would_change="A network as linear as its own marginals, or no more linear than random pairs.",
    )


def figures(numbers: Numbers) -> list[Block]:
    """Linearity of g and alignment without dependence and with it, a line a network."""
    parts = numbers.each(NETWORK)
    if not parts:
        return []
    blocks: list[Block] = []
    for measure, words in ((G, "Linearity of g"), (BOTH, "Alignment")):
        lines = lines_beside_null(parts, SHARE, measure)
        blocks.append(
            chart(
                f"real-worlds-{measure[0]}",
                f"{words}, without dependence and with it",
                lines,
                x=title(SHARE),
                y="mean cosine",
                unit=True,
                size="half",
                caption="Runs that converged; 0 is the product of the marginals, 1 the network itself.",
            )
        )
    return blocks


EXPERIMENT = Experiment(
    name="real-worlds",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="dependence (nats)", measure=DEPENDENCE, write=short),
        LINEARITY_G,
        ALIGNMENT,
        LOG_ODDS,
        Column(title="price of linearity (nats)", measure=PRICE, write=short),
    ),
    extra=extra,
)
