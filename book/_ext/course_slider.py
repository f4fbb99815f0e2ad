"""The ``{pt-slider}`` directive: the dimuon spectrum with a slider for the muon pT cut, without a kernel.

Write ```` ```{pt-slider}\n``` ```` in a Markdown cell.  The numbers come from
`book/_static/dimuon-pt-slider.json`, which `data_scripts/make_slider_data.py` computes from the bundled
dimuon sample; `course-slider.js` draws them.  Without JavaScript the page shows a small table instead.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

__all__ = ["setup", "slider_html"]

DATA = Path(__file__).resolve().parent.parent / "_static" / "dimuon-pt-slider.json"

CAPTION = (
    "Simulation. Mass of pairs of muons with opposite charge in the bundled dimuon sample. Both muons must have a "
    "transverse momentum above the cut that the slider sets. The thin line is the spectrum at the lowest cut. "
    "The processes are mixed so that every peak can be seen: heights of different peaks cannot be compared."
)


def slider_html(data: dict, name: str = "pt-slider") -> str:
    """The figure: label, slider, an empty place for the drawing, live text, caption, and a table as fallback."""
    cuts = data["cuts_gev"]
    windows = [window["name"] for window in data["windows"]]
    rows = [
        [f"{cuts[i]:g}", f"{data['pairs'][i]}", *(f"{window['pairs'][i]}" for window in data["windows"])]
        for i in range(0, len(cuts), max(1, len(cuts) // 6))
    ]
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in ("cut [GeV]", "pairs", *windows))
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    # A closing tag inside a JSON string would end the script element.
    payload = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<figure class="pt-slider" id="{name}">
<script type="application/json">{payload}</script>
<div class="pt-slider-control" hidden>
<label for="{name}-cut">Both muons have <i>p</i><sub>T</sub> above</label>
<output for="{name}-cut" aria-live="off">{cuts[0]:g} GeV</output>
<input type="range" id="{name}-cut" min="0" max="{len(cuts) - 1}" step="1" value="0">
</div>
<div class="pt-slider-plot"></div>
<p class="pt-slider-text" role="status" aria-live="polite"></p>
<noscript><table class="table"><caption>Pairs that are left</caption>
<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></noscript>
<figcaption><p>{escape(CAPTION)}</p></figcaption>
</figure>"""


class PtSliderDirective(SphinxDirective):
    """Insert the figure."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(DATA))
        if not DATA.is_file():
            raise self.error(f"pt-slider: {DATA.name} is missing; run: python data_scripts/make_slider_data.py")
        number = self.env.new_serialno("pt-slider")
        name = "pt-slider" if number == 0 else f"pt-slider-{number + 1}"
        return [nodes.raw("", slider_html(json.loads(DATA.read_text(encoding="utf-8")), name), format="html")]


def setup(app):
    """Register the directive with Sphinx."""
    app.add_directive("pt-slider", PtSliderDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
