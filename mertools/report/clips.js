"use strict";

(() => {
  const cards = [...document.querySelectorAll(".clip")];
  const finder = document.querySelector(".finder");
  const find = document.getElementById("find");
  const marks = [...finder.querySelectorAll("input[type=checkbox]")];
  let current = null;

  const shown = () => cards.filter((card) => !card.hidden);

  // A word of the filter is found at the beginning of a word: "happy" does not find "unhappy".
  function matches(card) {
    const words = ` ${card.dataset.words}`;
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = card.dataset.marks.split(" ");
    return wanted.every((word) => words.includes(` ${word}`)) && marks.every((mark) => !mark.checked || has.includes(mark.value));
  }

  function filter() {
    for (const card of cards) {
      card.hidden = !matches(card);
    }
    document.getElementById("nothing").hidden = shown().length > 0;
    visit(current?.hidden ? null : current);
  }

  function tell() {
    const list = shown();
    const of = list.length === cards.length ? `${cards.length}` : `${list.length} of ${cards.length}`;
    document.getElementById("place").textContent = current ? `${list.indexOf(current) + 1} / ${list.length}` : of;
  }

  function visit(card) {
    current?.removeAttribute("aria-current");
    current = card;
    current?.setAttribute("aria-current", "true");
    tell();
  }

  // From a clip that has been scrolled away, as from nowhere, the next one is the first that begins below the bar.
  function go(step) {
    const list = shown();
    const bar = finder.getBoundingClientRect().bottom;
    const box = current?.getBoundingClientRect();
    const first = list.findIndex((card) => card.getBoundingClientRect().top >= bar);
    const below = first < 0 ? list.length : first;
    const near = box && box.bottom > bar && box.top < innerHeight;
    const place = near ? list.indexOf(current) + step : step > 0 ? below : below - 1;
    const card = list[Math.min(Math.max(place, 0), list.length - 1)];
    if (card) {
      visit(card);
      card.focus({ preventScroll: true });
      card.scrollIntoView({ block: "start", behavior: "instant" });
    }
  }

  function look(text) {
    find.value = text;
    filter();
  }

  finder.hidden = false;
  find.addEventListener("input", filter);
  marks.forEach((mark) => mark.addEventListener("change", filter));
  document.getElementById("previous").addEventListener("click", () => go(-1));
  document.getElementById("next").addEventListener("click", () => go(1));
  document.getElementById("clear").addEventListener("click", () => {
    marks.forEach((mark) => (mark.checked = false));
    look("");
  });
  for (const button of document.querySelectorAll("[data-find]")) {
    button.addEventListener("click", () => {
      look(button.dataset.find);
      finder.scrollIntoView({ block: "start" });
    });
  }
  for (const card of cards) {
    card.addEventListener("focusin", () => visit(card));
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.target === find) {
      if (event.key === "Escape") {
        look("");
        find.blur();
      } else if (event.key === "Enter") {
        go(1);
      }
      return;
    }
    const keys = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
    // A table wider than the screen is moved by the same arrows.
    if (event.key in keys && !event.target.closest(".wide")) {
      event.preventDefault();
      go(keys[event.key]);
    } else if (event.key === "/") {
      event.preventDefault();
      find.focus();
    }
  });

  filter();
})();
