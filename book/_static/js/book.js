// Explorers: load the widget manager when one comes near, put it in place of the still picture, and name its sliders.
(() => {
  const manager = new URL("../assets/widgets/embed.js", document.currentScript.src);
  let asked = false;

  // The frames lie in a script beside the page; the manager wants them as an element of the page.
  function load() {
    if (asked) return;
    asked = true;
    const frames = document.createElement("script");
    frames.src = document.querySelector('meta[name="book-frames"]').content;
    frames.onload = () => {
      const state = document.createElement("script");
      state.type = "application/vnd.jupyter.widget-state+json";
      state.textContent = JSON.stringify(window.bookFrames);
      document.body.append(state);
      start();
    };
    document.head.append(frames);
  }

  function start() {
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
      if (type === "load" && document.currentScript === script) render = handler;
      else listen.call(window, type, handler, ...rest);
    };
    const script = document.createElement("script");
    script.src = manager;
    script.onload = () => {
      window.addEventListener = listen;
      watch();
      render();
    };
    script.onerror = () => (window.addEventListener = listen);
    document.head.append(script);
  }

  // Handle each explorer once it has been rendered completely.
  function watch() {
    new MutationObserver((_, observer) => {
      for (const box of document.querySelectorAll(".explorer:not([data-ready])")) {
        const sliders = [...box.querySelectorAll(".widget-slider")];
        if (!box.querySelector("img") || !sliders.every((s) => s.querySelector(".noUi-handle"))) continue;
        box.dataset.ready = "yes";
        sliders.forEach(name);
        const buttons = ["Play or pause", "Back to the start", "Repeat"];
        box.querySelectorAll(".widget-play button").forEach((button, i) => button.setAttribute("aria-label", buttons[i]));
        const still = box.closest(".cell_output").querySelector(".explorer-still:not([hidden])");
        if (still) still.hidden = true;
      }
      if (!document.querySelector(".explorer-still:not([hidden])")) observer.disconnect();
    }).observe(document.body, { childList: true, subtree: true });
  }

  // The handle takes the label as its name; the value beside it is for reading, not for typing.
  function name(slider) {
    const label = slider.querySelector(".widget-label");
    label.removeAttribute("title");
    slider.querySelector(".noUi-handle").setAttribute("aria-label", label.textContent);
    slider.querySelector(".widget-readout").contentEditable = false;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const near = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load(), {
      rootMargin: "1000px",
    });
    document.querySelectorAll(".explorer-still").forEach((still) => near.observe(still));
  });
})();
