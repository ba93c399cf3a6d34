"use strict";
// Everything on the page works without this script. It places notes beside their numbers, closes them with Escape,
// opens the fold that a link points into, folds the long table on a narrow screen, and unfolds everything for print.
(function () {
  var wide = window.matchMedia("(min-width: 46rem)");

  function place(number) {
    var tip = number.querySelector(".tip");
    if (!tip) { return; }
    tip.style.left = tip.style.top = tip.style.bottom = "";
    if (!wide.matches) { return; }
    var at = number.getBoundingClientRect();
    var left = Math.max(12, Math.min(at.left, document.documentElement.clientWidth - tip.offsetWidth - 12));
    var below = at.bottom + 6;
    var top = below + tip.offsetHeight > window.innerHeight - 8 ? Math.max(8, at.top - tip.offsetHeight - 6) : below;
    tip.style.left = left + "px";
    tip.style.top = top + "px";
    tip.style.bottom = "auto";
  }

  function found(event) {
    return event.target instanceof Element ? event.target.closest(".num") : null;
  }

  ["mouseover", "focusin"].forEach(function (kind) {
    document.addEventListener(kind, function (event) {
      var number = found(event);
      if (number) {
        if (kind === "focusin" || !number.contains(event.relatedTarget)) { number.classList.remove("shut"); }
        place(number);
      }
    });
  });
  document.addEventListener("click", function (event) {
    // Some touch browsers give a tapped button no focus.
    var number = found(event);
    var button = number && number.querySelector("button");
    if (button) { button.focus(); place(number); }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") {
      document.querySelectorAll(".num:hover, .num:focus-within").forEach(function (number) { number.classList.add("shut"); });
    }
  });
  window.addEventListener("scroll", function () {
    var number = document.querySelector(".num:focus-within");
    if (number) { place(number); }
  }, { passive: true });

  function reveal() {
    var target = location.hash.length > 1 ? document.getElementById(location.hash.slice(1)) : null;
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
  }
  if (!wide.matches) { document.querySelectorAll(".widefold").forEach(function (fold) { fold.open = false; }); }
  window.addEventListener("hashchange", reveal);
  reveal();

  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.prototype.slice.call(document.querySelectorAll("details:not([open]):not(.long)"));
    opened.forEach(function (fold) { fold.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
    opened = [];
  });
})();
