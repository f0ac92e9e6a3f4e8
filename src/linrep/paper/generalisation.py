"""An MLP and a small transformer read the context as symbols: what they say of contexts held out of training.

The table is the negative control: it has a row for each context, and the rows of held-out ones never move.
"""

from collections.abc import Callable

from linrep.page.chart import Series, chart, control, means, numeric
from linrep.page.numbers import cosine, listed, short
from linrep.page.shell import Block
from linrep.paper.former import FAIR, MATCHED
from linrep.paper.record import LINEARITY_G, Answer, Column, Experiment, nothing, percent
from linrep.runs.summary import held_out_measure
from linrep.sweeps.numbers import Numbers

ENCODER, SHARE = "encoder", "contexts.held_out"
TABLE = "table"
GAP = held_out_measure("log_odds_gap_nats", "held_out")
ALIGNMENT = held_out_measure("alignment", "held_out")
LINEARITY = held_out_measure("linearity", "held_out")
RULE = (
    f"On held-out contexts, log-odds count as matched when their RMSE is at most {percent(MATCHED)} of that "
    f"of predicting zero, and directions as kept when the mean alignment of f with g is at least {FAIR} and "
    "above the table's (an untrained network's f is linear already, but not aligned). “Yes” if every network "
    "does both at every share held out, “undecided” if some network does one of them at some share, "
    "else “no”."
)


def answer(numbers: Numbers) -> Answer:
    """Up to which share each network matches log-odds and keeps directions."""
    shares = [label for label, _ in numbers.each(SHARE)]
    networks = [label for label, part in numbers.each(ENCODER) if label != TABLE and part.runs()]
    if not networks or not shares:
        return nothing(RULE)

    def matched(cell: Numbers, share: str) -> bool:
        del share
        return cell.mean(GAP) <= MATCHED * cell.mean(GAP, kind="null")

    def kept(cell: Numbers, share: str) -> bool:
        control = numbers.of(**{ENCODER: TABLE, SHARE: share}).mean(ALIGNMENT)
        # A control that is absent rules nothing out.
        return cell.mean(ALIGNMENT) >= FAIR and not cell.mean(ALIGNMENT) <= control

    odds, directions = (_where(numbers, networks, shares, rule) for rule in (matched, kept))
    every = len(networks) * len(shares)
    number = [sum(len(found) for found in each.values()) for each in (odds, directions)]
    standing = "yes" if number == [every, every] else "undecided" if any(number) else "no"
    return Answer(
        standing=standing,
        finding=f"on contexts held out of training, directions are kept {_said(directions, shares)}, and "
        f"log-odds matched {_said(odds, shares)}{_example(numbers, networks, shares)}.",
        rule=RULE,
    )


def _where(
    numbers: Numbers, networks: list[str], shares: list[str], rule: Callable[[Numbers, str], bool]
) -> dict[str, list[str]]:
    """The shares at which each network keeps a rule."""
    return {
        network: [share for share in shares if rule(numbers.of(**{ENCODER: network, SHARE: share}), share)]
        for network in networks
    }


def _said(found: dict[str, list[str]], shares: list[str]) -> str:
    """As in: by the MLP with 10 % and 30 % held out and by the transformer at no share."""
    words: list[str] = []
    for network, where in found.items():
        at = "at every share" if where == shares else "at no share"
        if where and where != shares:
            at = f"with {listed([percent(float(share)) for share in where])} held out"
        words.append(f"by the {network} {at}")
    return " and ".join(words)


def _example(numbers: Numbers, networks: list[str], shares: list[str]) -> str:
    """The numbers at the share in the middle, the table's among them."""
    share = shares[(len(shares) - 1) // 2]
    cells = {name: numbers.of(**{ENCODER: name, SHARE: share}) for name in (*networks, TABLE)}
    cells = {name: cell for name, cell in cells.items() if cell.runs()}
    gaps = ", ".join(f"{name} {short(cell.mean(GAP))}" for name, cell in cells.items())
    aligned = ", ".join(f"{name} {cosine(cell.mean(ALIGNMENT))}" for name, cell in cells.items())
    zero = short(next(iter(cells.values())).mean(GAP, kind="null"))
    held = f"with {percent(float(share))} held out"
    return f" ({held}: RMSE {gaps}, predicting zero {zero} nats; alignment {aligned})"


def figures(numbers: Numbers) -> list[Block]:
    """Log-odds gap, alignment and linearity on held-out contexts against the share held out."""
    titled = (
        ("gap", "Log-odds on held-out contexts", GAP, "", "RMSE (nats)"),
        ("alignment", "Alignment of f with g on held-out contexts", ALIGNMENT, "", "mean cosine"),
        ("linearity", "Linearity of f on held-out contexts", LINEARITY, "embedding", "mean cosine"),
    )
    return [
        chart(
            f"held-out-{name}",
            title,
            _lines(numbers, measure, table),
            x="share of contexts held out",
            y=axis,
            unit=measure != GAP,
        )
        for name, title, measure, table, axis in titled
    ]


def _lines(numbers: Numbers, measure: str, table: str) -> list[Series]:
    lines: list[Series] = []
    for index, (name, part) in enumerate(numbers.each(ENCODER)):
        cells = part.each(SHARE)
        x, colour = numeric([label for label, _ in cells]), f"--concept-{index}"
        points = [cell.spread(measure, table) for _, cell in cells]
        lines.append(Series(name=name, colour=colour, x=x, points=points))
        before = means([cell.mean(measure, table, at="start") for _, cell in cells])
        lines.append(control(f"{name}, untrained", colour, x, before))
    cells = numbers.each(SHARE)
    lines.append(
        Series(
            name="predicting zero" if measure == GAP else "random pairs",
            colour="--null",
            x=numeric([label for label, _ in cells]),
            points=means([cell.mean(measure, table, kind="null") for _, cell in cells]),
            dash="dash",
            plain=True,
        )
    )
    return lines


EXPERIMENT = Experiment(
    name="generalisation",
    answer=answer,
    figures=figures,
    columns=(
        Column(title="held-out log-odds gap (nats)", measure=GAP, write=short),
        Column(
            title="training log-odds gap (nats)",
            measure=held_out_measure("log_odds_gap_nats", "training"),
            write=short,
        ),
        Column(
            title="held-out excess loss (nats)",
            measure=held_out_measure("excess_loss_nats", "held_out"),
            write=short,
        ),
        Column(title="held-out alignment", measure=ALIGNMENT),
        Column(title="held-out linearity f", measure=LINEARITY, table="embedding"),
        Column(
            title="training linearity f", measure=held_out_measure("linearity", "training"), table="embedding"
        ),
        LINEARITY_G,
    ),
)
