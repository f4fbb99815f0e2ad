// Small repairs of the theme for those who use a keyboard or a screen reader.
"use strict";

(function () {
  // The arrows that unfold the navigation have no name.
  function nameArrows() {
    document.querySelectorAll("nav details > summary:not([aria-label])").forEach(function (summary) {
      const link = summary.closest("li") && summary.closest("li").querySelector("a");
      summary.setAttribute("aria-label", `Pages below ${link ? link.textContent.trim() : "this one"}`);
    });
  }

  // What scrolls sideways must be reachable by keyboard.
  function reachScrollable(node) {
    if (node.scrollWidth > node.clientWidth) node.setAttribute("tabindex", "0");
    else node.removeAttribute("tabindex");
  }

  // Not only the window changes the width of a node: sidebars, scroll bars and fonts do, too.
  const widths = new ResizeObserver((changes) => changes.forEach((change) => reachScrollable(change.target)));

  function watchScrollable() {
    const wide = "article mjx-container[display='true'], article pre, article .pst-scrollable-table-container";
    document.querySelectorAll(wide).forEach((node) => widths.observe(node));
  }

  // The widget manager asks for the interface of MathJax 2.
  document.addEventListener("DOMContentLoaded", function () {
    if (window.MathJax && !MathJax.Hub) {
      MathJax.Hub = {
        Queue: (command) => MathJax.startup.promise.then(() => MathJax.typesetPromise([command[2]])),
      };
    }
  });

  window.addEventListener("load", function () {
    nameArrows();
    const typeset = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
    typeset.then(watchScrollable);
  });
})();
