"""The certificate as a page of Markdown, and the certificates of many models as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["certificate_markdown", "certificates_markdown"]

_MEANING = {
    "honest": "not clearly more often than promised: so many alarms, or more, had a probability above 1 %",
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
        "trainings (of their pairs, for seeds and samples).",
    ]
    return "\n".join(lines) + "\n"


def certificates_markdown(certificates: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with one line per model, and below it the certificate of each.

    Parameters
    ----------
    certificates : mapping of name to mapping
        As ``data_scripts/make_certificates.py`` stores them: ``to_dict()`` of a certificate, with its ``page``.

    Returns
    -------
    str
    """
    lines = [
        "| model | false alarms | thresholds from training events | rank correlation with the mass | Jaccard of seeds "
        "| verdict |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name, one in certificates.items():
        rates = [one["false_alarms"][key] for key in ("held_out", "in_sample")]
        alarms = " | ".join(f"{rate['rate']:.3f} ({rate['low']:.3f} to {rate['high']:.3f})" for rate in rates)
        value = {(row["check"], row["number"]): row["value"] for row in one["table"]}
        mass, seeds = value["sculpting", "Spearman(score, mass)"], value["seeds", "Jaccard of tails"]
        lines.append(f"| {name} | {alarms} | {round(mass, 2) + 0.0:.2f} | {seeds:.2f} | {one['verdict']} |")
    pages = [one["page"].replace("# Null certificate: ", "## ", 1) for one in certificates.values()]
    return "\n".join([*lines, "", *pages])


def _number(value: Any) -> str:
    """Three significant digits; nothing for what does not exist."""
    return "" if value is None or value != value else f"{value:.3g}"
