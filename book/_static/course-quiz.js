// Quizzes: show the feedback of the chosen answer in the form's live region.
"use strict";

(function () {
  function chosen(form) {
    return form.querySelector("input[type=radio]:checked");
  }

  function show(form) {
    const verdict = form.querySelector(".quiz-verdict");
    const input = chosen(form);
    verdict.classList.remove("quiz-right", "quiz-wrong");
    if (!input) {
      verdict.textContent = "Choose an answer first.";
      return;
    }
    const feedback = input.parentElement.querySelector(".quiz-feedback");
    // A copy of the nodes, not of the markup: formulas are already typeset.
    verdict.replaceChildren(...Array.from(feedback.childNodes, (node) => node.cloneNode(true)));
    verdict.classList.add(input.dataset.correct ? "quiz-right" : "quiz-wrong");
  }

  function start(form) {
    form.classList.add("quiz-live");
    form.querySelector(".quiz-check").hidden = false;
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      show(form);
    });
    // A new choice makes the old verdict untrue.
    form.addEventListener("change", function () {
      const verdict = form.querySelector(".quiz-verdict");
      verdict.replaceChildren();
      verdict.classList.remove("quiz-right", "quiz-wrong");
    });
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("form.quiz").forEach(start);
  });
})();
