// Explorers: load the widget manager when one comes near, put it in place of the still picture, and name its sliders.
(() => {
  const manager = new URL("../assets/widgets/embed.js", document.currentScript.src);
  const FAILED = "The sliders of this page could not be loaded.";
  const REST = 800; // milliseconds without a move, after which the new picture is said
  let loading = false;
  let live = false;

  // ---- loading: the frames lie in a script beside the page, and the manager wants them as an element of the page

  function load() {
    if (loading || live) return;
    loading = true;
    Promise.resolve(window.bookFrames || script(document.querySelector('meta[name="book-frames"]').content))
      .then(start)
      .then(() => (live = true))
      .catch((error) => {
        if (error) console.error(error); // of a request that failed the browser tells by itself
        document.querySelectorAll(".explorer-still").forEach(complain);
      })
      .finally(() => (loading = false));
  }

  // Load a script; one that failed leaves no element, so that it can be asked for again.
  function script(address) {
    return new Promise((done, failed) => {
      const element = document.createElement("script");
      element.src = address;
      element.onload = done;
      element.onerror = () => {
        element.remove();
        failed();
      };
      document.head.append(element);
    });
  }

  async function start() {
    if (!window.bookFrames) throw new Error("There are no frames."); // another text came in their place
    // The manager typesets labels through version 2 of MathJax, which this site does not have; labels are plain text.
    window.MathJax = window.MathJax || {};
    window.MathJax.Hub = window.MathJax.Hub || { Queue() {} };
    // Its schema checker remarks on its own schema at each start; whatever else it says stays.
    const warn = console.warn;
    console.warn = (text, ...rest) => String(text).startsWith("strict mode:") || warn.call(console, text, ...rest);
    // It waits for the page's load event, which may be over: catch its handler, and call it once it is there.
    const listen = window.addEventListener;
    let render = null;
    window.addEventListener = (type, handler, ...rest) => {
      if (type === "load" && document.currentScript?.src === manager.href) render = handler;
      else listen.call(window, type, handler, ...rest);
    };
    try {
      await script(manager.href);
    } finally {
      window.addEventListener = listen;
    }
    if (!render) throw new Error("There is no manager.");
    const state = document.createElement("script");
    state.type = "application/vnd.jupyter.widget-state+json";
    state.textContent = JSON.stringify(window.bookFrames);
    document.body.append(state);
    watch();
    render();
  }

  // Say beside a still picture that its sliders are missing, and let the reader ask for them again.
  function complain(still) {
    if (still.nextElementSibling?.matches(".explorer-failed")) return;
    const note = document.createElement("p");
    const again = document.createElement("button");
    note.className = "explorer-failed";
    note.setAttribute("role", "status");
    again.type = "button";
    again.textContent = "Try again";
    again.onclick = load;
    still.after(note);
    note.append(FAILED, " ", again);
  }

  // ---- explorers that have been rendered completely

  function watch() {
    new MutationObserver((_, observer) => {
      for (const box of document.querySelectorAll(".explorer:not([data-ready])")) {
        const sliders = [...box.querySelectorAll(".widget-slider")];
        if (!box.querySelector("img") || !sliders.every((s) => s.querySelector(".noUi-handle"))) continue;
        box.dataset.ready = "yes";
        sliders.forEach(name);
        const buttons = ["Play or pause", "Back to the start", "Repeat"];
        box.querySelectorAll(".widget-play button").forEach((button, i) => button.setAttribute("aria-label", buttons[i]));
        say(box);
        replace(box);
      }
      if (!document.querySelector(".explorer-still:not([hidden])")) observer.disconnect();
    }).observe(document.body, { childList: true, subtree: true });
  }

  // Put an explorer in the place of its still picture; who had asked for it again goes on with its first slider.
  function replace(box) {
    const output = box.closest(".cell_output");
    const still = output.querySelector(".explorer-still:not([hidden])");
    if (!still) return;
    still.hidden = true;
    const note = still.nextElementSibling;
    if (!note?.matches(".explorer-failed")) return;
    if (note.contains(document.activeElement)) box.querySelector(".noUi-handle")?.focus();
    note.remove();
  }

  // The handle takes the label as its name and the visible value as its own, where the manager tells it a number of a
  // position; the value beside it is for reading, not for typing.
  function name(slider) {
    const label = slider.querySelector(".widget-label");
    const handle = slider.querySelector(".noUi-handle");
    const readout = slider.querySelector(".widget-readout");
    label.removeAttribute("title");
    handle.setAttribute("aria-label", label.textContent);
    readout.contentEditable = false;
    const tell = () => {
      const value = readout.textContent;
      if (handle.getAttribute("aria-valuetext") !== value) handle.setAttribute("aria-valuetext", value);
    };
    tell();
    const observer = new MutationObserver(tell);
    observer.observe(readout, { childList: true, characterData: true, subtree: true });
    observer.observe(handle, { attributeFilter: ["aria-valuetext"] });
  }

  // Say what the new picture shows, once the sliders rest; nothing while it plays.
  function say(box) {
    const said = document.createElement("p");
    said.className = "explorer-said";
    said.setAttribute("aria-live", "polite");
    box.after(said);
    let timer = 0;
    const rested = () => {
      if (!box.querySelector(".widget-play .fa-pause")) said.textContent = box.querySelector("img").alt;
    };
    const moved = () => {
      clearTimeout(timer);
      timer = setTimeout(rested, REST);
    };
    const observer = new MutationObserver(moved);
    const watched = box.querySelectorAll(".widget-readout, .widget-play i");
    const changes = { attributes: true, childList: true, characterData: true, subtree: true };
    watched.forEach((part) => observer.observe(part, changes));
  }

  // ---- paper: light, and with everything that is folded on the screen

  const root = document.documentElement;
  let folded = [];
  let theme = "";

  window.addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("article details:not([open])")];
    folded.forEach((details) => (details.open = true));
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    folded.forEach((details) => (details.open = false));
    root.dataset.theme = theme;
  });

  document.addEventListener("DOMContentLoaded", () => {
    const near = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load(), {
      rootMargin: "1000px",
    });
    const stills = document.querySelectorAll(".explorer-still");
    stills.forEach((still) => near.observe(still));
    if (stills.length) window.addEventListener("online", () => document.querySelector(".explorer-failed") && load());
  });
})();
