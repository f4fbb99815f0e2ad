"""The ``{quiz}`` directive: one question, several answers, feedback for each, no kernel.

Write this in a Markdown cell of a chapter (one directive per question)::

    ```{quiz}
    question: Two muons fly back to back with 45 GeV each. What is their invariant mass?
    answers:
      - text: 0 GeV
        feedback: >-
          The momenta cancel, the energies do not: $m^2 = E^2 - |\\vec p|^2$.
      - text: 45 GeV
        feedback: That is the energy of one of them.
      - text: 90 GeV
        correct: true
        feedback: $E = 90$ GeV and $|\\vec p| = 0$.
    ```

Rules (the build and tests/book refuse anything else): at least three answers, exactly one right,
every answer has its own feedback, each text is one paragraph. MyST markup, ``$maths$`` and
``{term}`` work inside. Put a text with a colon or a leading special character behind ``>-``;
backslashes need no doubling there nor in plain texts (only inside double quotes).

On the page it is a form with radio buttons: keyboard and screen readers work by themselves, the
feedback goes to a live region. Without JavaScript each feedback is a foldable ``<details>``.
"""

from __future__ import annotations

from course_blocks import BlockError, parse_quiz
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

__all__ = ["setup"]


class quiz(nodes.General, nodes.Element):
    """The form."""


class quiz_question(nodes.TextElement):
    """The question, shown as the legend."""


class quiz_answer(nodes.Element):
    """A choice with its feedback."""


class quiz_label(nodes.TextElement):
    """The text of a choice."""


class quiz_feedback(nodes.TextElement):
    """What we tell who chose it."""


class QuizDirective(SphinxDirective):
    """Build the nodes of one question."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        try:
            content = parse_quiz("\n".join(self.content))
        except BlockError as error:
            raise self.error(str(error)) from error
        number = self.env.new_serialno("quiz") + 1
        form = quiz(number=number, size=len(content.answers))
        form += self._inline(quiz_question(), content.question)
        for position, answer in enumerate(content.answers, start=1):
            name = f"quiz-{number}-{position}"
            choice = quiz_answer(name=name, group=f"quiz-{number}", position=position, correct=answer.correct)
            choice += self._inline(quiz_label(name=name), answer.text)
            choice += self._inline(quiz_feedback(position=position, correct=answer.correct), answer.feedback)
            form += choice
        return [form]

    def _inline(self, node: nodes.TextElement, text: str) -> nodes.TextElement:
        children, messages = self.state.inline_text(text, self.lineno)
        node += children
        node += messages
        return node


def visit_quiz(self, node):
    self.body.append(f'<form class="quiz" id="quiz-{node["number"]}" autocomplete="off">\n<fieldset>\n')


def depart_quiz(self, node):
    self.body.append(
        '<button type="submit" class="quiz-check" hidden>Check my answer</button>\n'
        '<div class="quiz-verdict" role="status" aria-live="polite"></div>\n</fieldset>\n</form>\n'
    )


def visit_question(self, node):
    self.body.append('<legend><span class="quiz-tag">Quiz</span> ')


def depart_question(self, node):
    self.body.append("</legend>\n")


def visit_answer(self, node):
    right = ' data-correct="true"' if node["correct"] else ""
    self.body.append(
        f'<div class="quiz-answer"><input type="radio" id="{node["name"]}" name="{node["group"]}" '
        f'value="{node["position"]}"{right}>\n'
    )


def depart_answer(self, node):
    self.body.append("</div>\n")


def visit_label(self, node):
    self.body.append(f'<label for="{node["name"]}">')


def depart_label(self, node):
    self.body.append("</label>\n")


def visit_feedback(self, node):
    word = "Right. " if node["correct"] else "Not this one. "
    self.body.append(
        f'<details class="quiz-why"><summary>About answer {node["position"]}</summary>\n'
        f'<p class="quiz-feedback"><strong>{word}</strong>'
    )


def depart_feedback(self, node):
    self.body.append("</p></details>\n")


def setup(app):
    """Register the directive and its nodes with Sphinx."""
    app.add_node(quiz, html=(visit_quiz, depart_quiz))
    app.add_node(quiz_question, html=(visit_question, depart_question))
    app.add_node(quiz_answer, html=(visit_answer, depart_answer))
    app.add_node(quiz_label, html=(visit_label, depart_label))
    app.add_node(quiz_feedback, html=(visit_feedback, depart_feedback))
    app.add_directive("quiz", QuizDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
