"""The certificate as a page of Markdown."""

from __future__ import annotations

from typing import Any

__all__ = ["certificate_markdown"]

_MEANING = {
    "honest": "as often as promised, or less",
    "too many": "more often than promised: do not trust a p-value behind this score",
    "overfitted": "thresholds must come from events that were not trained on",
    "flat": "no dependence on the mass was seen",
    "sculpted": "the selection changes the mass spectrum: decorrelate, or calibrate a bump hunt behind the cut",
    "steady": "test events lie in the tail as often as validation events",
    "drifted": "another share of the test events lies in the tail",
    "too few events": "no tail holds 50 events in validation and test",
    "stable": "another seed selects mostly the same events",
    "unstable": "another seed selects other events: average several trainings",
    "chance": "the tails of two seeds share no more than random tails do",
    "undecided": "the trainings scatter too much to say",
}


def certificate_markdown(certificate: Any) -> str:
    """A page with the verdicts, what they mean, and every number.

    Parameters
    ----------
    certificate : cmslabs.evaluation.validation.certificate.Certificate

    Returns
    -------
    str
    """
    nulls, seeds = certificate.nulls, certificate.stability
    kind = "simulated background" if certificate.simulation else "background"
    lines = [
        f"# Null certificate: {certificate.name}",
        "",
        f"Made with {certificate.n_events} {kind} events in which there is nothing to find. "
        f"**{certificate.verdict[0].upper()}{certificate.verdict[1:]}.**",
        "",
        "| part | verdict | which means |",
        "|---|---|---|",
        *(f"| {part} | {verdict} | {_MEANING[verdict]} |" for part, verdict in certificate.verdicts.items()),
        "",
        f"- False alarms: {nulls.held_out.n_nulls} nulls of {nulls.n_null} validation and {nulls.n_null} test events; "
        f"{nulls.held_out.alarms} alarms at a claimed rate of {nulls.held_out.claimed:.3f}. With thresholds from the "
        f"{nulls.n_train} training events: {nulls.in_sample.alarms}.",
        f"- Sculpting and tails: {len(certificate.sculpting)} trainings, each on another half of the events; medians, "
        "smallest and largest.",
        f"- Seeds: {seeds.n_trainings} trainings on the same events; tails of {seeds.n_tail} of {seeds.n_events} "
        f"events. Chance level of the Jaccard index: {seeds.chance:.4f}. The trained tails share "
        f"{_number(seeds.with_reference)} (Jaccard) with the one of a score without training.",
        "",
        "| check | number | value | low | high | claim | verdict |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for row in certificate.table.itertuples(index=False):
        numbers = " | ".join(_number(value) for value in (row.value, row.low, row.high, row.claim))
        lines.append(f"| {row.check} | {row.number} | {numbers} | {row.verdict} |")
    lines += [
        "",
        "Low and high: a 95 % interval of rates and Jaccard indices, otherwise the smallest and largest of the "
        "trainings.",
    ]
    return "\n".join(lines) + "\n"


def _number(value: Any) -> str:
    """Three significant digits; nothing for what does not exist."""
    return "" if value is None or value != value else f"{value:.3g}"
