"use strict";

(() => {
  const FORMAT = "mertools answers 1";
  const { study, rater, questions, items, clips } = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const shelf = `mertools ${study} ${rater}`;
  const numbers = new Map(items.map((item, number) => [item.id, number]));

  let answers = {}; // By item, then by question, the value of the choice or the text.
  let place = 0;
  let saved = true; // Whether a file holds all that was answered.
  let kept = true; // Whether the browser keeps answers for the next visit.

  // Questions are answered by a choice or, without any, in one's own words, which begin as a draft where there is one.
  const choosing = questions.filter((question) => question.choices);
  const known = (question, value) =>
    question.choices ? question.choices.some((choice) => choice.value === value) : typeof value === "string";
  const answerTo = (item, question) => answers[item.id]?.[question.key] ?? item.drafts[question.key];
  const isOpen = (item, question) =>
    question.choices ? answerTo(item, question) === undefined : question.required && !answerTo(item, question)?.trim();
  const unanswered = (item) => questions.find((question) => isOpen(item, question));
  const answeredCount = () => items.filter((item) => !unanswered(item)).length;

  // Han characters look one way in Chinese and another in Japanese: the browser must know.
  function write(id, text) {
    byId(id).textContent = text;
    byId(id).lang = /\p{Script=Han}/u.test(text) ? "zh-CN" : "en";
  }

  // What was kept, or stands in a file, as far as it belongs here.
  function adopt(found) {
    for (const [id, given] of Object.entries(found)) {
      for (const question of questions) {
        const value = given?.[question.key];
        if (numbers.has(id) && known(question, value)) {
          (answers[id] ??= {})[question.key] = value;
        }
      }
    }
  }

  // A browser that keeps nothing for files still keeps a tab's history over a reload.
  function read() {
    try {
      const text = localStorage.getItem(shelf);
      return text === null ? null : JSON.parse(text);
    } catch {
      return history.state?.[shelf] ?? null;
    }
  }

  function keep() {
    const state = { answers, place };
    try {
      localStorage.setItem(shelf, JSON.stringify(state));
      kept = true;
    } catch {
      history.replaceState({ [shelf]: state }, "");
      kept = false;
    }
    byId("unkept").hidden = kept;
  }

  // Clips: each becomes a file of the browser's own when it is first shown.
  const addresses = new Map();
  function address(id) {
    const clip = clips[id];
    if (!addresses.has(id)) {
      const bytes = clip.content && Uint8Array.from(atob(clip.content), (byte) => byte.charCodeAt(0));
      addresses.set(id, bytes ? URL.createObjectURL(new Blob([bytes], { type: clip.type })) : clip.file);
    }
    return addresses.get(id);
  }

  let shownClip = null;
  const player = () => byId("screen").firstElementChild;
  function showClip(id) {
    if (id === shownClip) {
      return;
    }
    shownClip = id;
    const clip = clips[id];
    player()?.pause();
    byId("screen").replaceChildren();
    byId("unplayable").hidden = true;
    if (clip.type) {
      const medium = document.createElement(clip.type.startsWith("video/") ? "video" : "audio");
      medium.controls = true;
      medium.playsInline = true;
      medium.preload = "auto";
      medium.addEventListener("error", () => (byId("unplayable").hidden = false));
      medium.src = address(id);
      byId("screen").append(medium);
    }
    write("original", clip.subtitle);
    write("english", clip.english);
    byId("subtitle").hidden = !clip.subtitle && !clip.english;
  }

  function play() {
    const medium = player();
    if (medium) {
      medium.paused ? medium.play().catch(() => {}) : medium.pause();
    }
  }

  function replay() {
    const medium = player();
    if (medium) {
      medium.currentTime = 0;
      medium.play().catch(() => {});
    }
  }

  // The questions are the same for all items: they are made once.
  const buttons = new Map();
  const fields = new Map();
  function fieldFor(question, heading) {
    const field = document.createElement("textarea");
    field.rows = 3;
    field.dir = "auto";
    field.setAttribute("aria-labelledby", heading.id);
    field.addEventListener("input", () => {
      (answers[items[place].id] ??= {})[question.key] = field.value;
      saved = false;
      keep();
      count();
    });
    fields.set(question.key, field);
    return field;
  }

  for (const question of questions) {
    const box = document.createElement("div");
    box.className = "question";
    box.setAttribute("role", "group");
    const heading = document.createElement("h2");
    heading.id = `question-${question.key}`;
    heading.textContent = question.text;
    box.setAttribute("aria-labelledby", heading.id);
    byId("questions").append(box);
    if (!question.choices) {
      box.append(heading, fieldFor(question, heading));
      continue;
    }
    const list = document.createElement("div");
    list.className = "choices";
    question.choices.forEach((choice, number) => {
      const button = document.createElement("button");
      const key = document.createElement("kbd");
      button.type = "button";
      key.textContent = number + 1;
      button.append(key, choice.text);
      button.addEventListener("click", (event) => {
        // After a click the space bar is to play the next clip, not to give it the same answer.
        if (event.detail > 0) {
          button.blur();
        }
        answer(question, choice);
      });
      list.append(button);
      buttons.set(`${question.key} ${choice.value}`, button);
    });
    box.append(heading, list);
  }
  byId("questions").classList.toggle("several", choosing.length > 1);

  // Digits answer the first open choice of an item; where all are answered, the last one.
  const asked = () => choosing.find((question) => isOpen(items[place], question)) ?? choosing.at(-1);

  function show() {
    const item = items[place];
    showClip(item.clip);
    write("text", item.text);
    byId("text-card").hidden = !item.text;
    questions.forEach((question, number) => {
      byId("questions").children[number].classList.toggle("asked", question === asked());
      const field = fields.get(question.key);
      const text = field && (answerTo(item, question) ?? "");
      if (field && field.value !== text) {
        field.value = text;
      }
      for (const choice of question.choices ?? []) {
        const chosen = answerTo(item, question) === choice.value;
        buttons.get(`${question.key} ${choice.value}`).setAttribute("aria-pressed", chosen);
      }
    });
    byId("place").textContent = `${place + 1} of ${items.length}`;
    byId("back").disabled = place === 0;
    byId("forward").disabled = place === items.length - 1;
    count();
  }

  function count() {
    const done = answeredCount();
    byId("count").textContent = `${done} answered, ${items.length - done} to go`;
    byId("progress").setAttribute("aria-valuemax", items.length);
    byId("progress").setAttribute("aria-valuenow", done);
    byId("progress").firstElementChild.style.width = `${(100 * done) / items.length}%`;
    byId("open-item").disabled = done === items.length;
    byId("total").textContent = items.length;
    byId("done").hidden = done < items.length;
  }

  const say = (text) => (byId("said").textContent = text);

  function go(to) {
    if (to < 0 || to >= items.length) {
      return;
    }
    place = to;
    show();
    keep();
    scrollTo(0, 0);
  }

  // The next item that is not answered, from the one after this on and round again; -1 where there is none.
  function nextOpen() {
    const order = items.map((_, number) => (place + 1 + number) % items.length);
    return order.find((number) => unanswered(items[number])) ?? -1;
  }

  function answer(question, choice) {
    const item = items[place];
    (answers[item.id] ??= {})[question.key] = choice.value;
    saved = false;
    const lacking = unanswered(item);
    if (lacking) {
      show();
      keep();
      if (!choosing.some((one) => isOpen(item, one))) {
        fields.get(lacking.key).focus();
      }
    } else {
      byId("guide").open = false;
      const open = nextOpen();
      go(open < 0 ? place : place + 1 < items.length ? place + 1 : open);
      if (open < 0) {
        byId("done").focus();
      }
    }
    say(`Item ${numbers.get(item.id) + 1}: ${choice.text}.`);
  }

  // Files.
  function download(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved = true;
    const lacking = items.length - answeredCount();
    say(`Saved as ${name}${lacking ? `; ${lacking} of ${items.length} are not answered yet` : ""}.`);
  }

  const fileName = (suffix) => `answers-${study}-${rater}.${suffix}`;
  const rows = () =>
    items.map((item) => ({
      item: item.id,
      ...Object.fromEntries(questions.map((question) => [question.key, answerTo(item, question) ?? null])),
    }));

  function saveJson() {
    const lines = rows().map((row) => ` ${JSON.stringify(row)}`).join(",\n");
    const head = JSON.stringify({ format: FORMAT, study, rater }).slice(0, -1);
    download(fileName("json"), "application/json", `${head}, "answers": [\n${lines}\n]}\n`);
  }

  function saveCsv() {
    const cell = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
    const lines = rows().map((row) => [study, rater, ...Object.values(row)].map(cell).join(","));
    const head = ["study", "rater", "item", ...questions.map((question) => question.key)].map(cell).join(",");
    download(fileName("csv"), "text/csv", `\ufeff${[head, ...lines].join("\r\n")}\r\n`);
  }

  async function openFile(file) {
    let found;
    try {
      found = JSON.parse(await file.text());
    } catch {
      found = null;
    }
    if (found?.format !== FORMAT || !Array.isArray(found.answers)) {
      say(`${file.name} holds no saved answers.`);
    } else if (found.study !== study || found.rater !== rater) {
      say(`${file.name} holds the answers of ${found.rater} in the study ${found.study}; this page is of ${rater} in ${study}.`);
    } else {
      adopt(Object.fromEntries(found.answers.map((row) => [row?.item, row])));
      go(Math.max(nextOpen(), 0));
      say(`Opened ${file.name}.`);
    }
  }

  // Keys. A held key answers once; the player's own keys stay the player's.
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      event.preventDefault();
      saveJson();
      return;
    }
    // What is typed into a field is the field's; only Escape leaves it.
    if (event.target instanceof HTMLTextAreaElement) {
      if (event.key === "Escape") {
        event.target.blur();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const choice = /^[1-9]$/.test(event.key) ? asked()?.choices[event.key - 1] : null;
    const inPlayer = event.target instanceof HTMLMediaElement;
    const onButton = event.target.closest("button, summary");
    if (choice) {
      event.preventDefault();
      if (!event.repeat) {
        answer(asked(), choice);
      }
    } else if (event.key === "ArrowLeft" && !inPlayer) {
      event.preventDefault();
      go(place - 1);
    } else if (event.key === "ArrowRight" && !inPlayer) {
      event.preventDefault();
      go(place + 1);
    } else if (event.key === " " && !inPlayer && !onButton) {
      event.preventDefault();
      play();
    } else if (event.key.toLowerCase() === "r" && !event.repeat) {
      replay();
    } else if (event.key === "Enter" && !onButton && fields.size) {
      event.preventDefault();
      fields.values().next().value.focus();
    }
  });

  byId("back").addEventListener("click", () => go(place - 1));
  byId("forward").addEventListener("click", () => go(place + 1));
  byId("open-item").addEventListener("click", () => go(nextOpen()));
  byId("save").addEventListener("click", saveJson);
  byId("save-done").addEventListener("click", saveJson);
  byId("save-csv").addEventListener("click", saveCsv);
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (file) {
      await openFile(file);
    }
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".more summary")) {
      document.querySelector(".more").open = false;
    }
  });

  // Another tab with the same page.
  addEventListener("storage", (event) => {
    if (event.key === shelf && event.newValue) {
      adopt(JSON.parse(event.newValue).answers);
      show();
    }
  });
  addEventListener("beforeunload", (event) => {
    if (!kept && !saved) {
      event.preventDefault();
    }
  });

  const found = read();
  adopt(found?.answers ?? {});
  place = Number.isInteger(found?.place) && items[found.place] ? found.place : 0;
  byId("guide").open = answeredCount() === 0;
  keep();
  show();
})();
