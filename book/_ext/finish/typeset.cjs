// Typeset formulas when the site is built: a JSON list of [TeX, display] in, {"formulas": [HTML, …], "style": CSS} out.
const mathjax = require(process.argv[2] + "/mathjax/es5/node-main.js");
const CODED = /&#x([0-9A-F]{3,});/g; // a letter that is written as its number
const letter = (_, code) => String.fromCodePoint(parseInt(code, 16));
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));

mathjax
  .init({
    loader: { load: ["input/tex", "output/chtml"] },
    tex: { packages: ["base", "ams", "newcommand", "textmacros"] },
    chtml: { adaptiveCSS: false, fontURL: "fonts" },
  })
  .then((MathJax) => {
    const { adaptor } = MathJax.startup;
    const formulas = input.map(([tex, display]) => {
      try {
        const spoken = MathJax.tex2mml(tex, { display }).replace(/\s*\n\s*/g, "").replace(CODED, letter);
        const shown = adaptor.outerHTML(MathJax.tex2chtml(tex, { display }));
        const wrong = shown.match(/data-mjx-error="([^"]*)"/);
        if (wrong) throw new Error(wrong[1]);
        return shown
          .replace("<mjx-container", display ? '<mjx-container tabindex="0"' : "<mjx-container") // it may have to scroll
          .replace("<mjx-math", '<mjx-math aria-hidden="true"')
          .replace("</mjx-container>", `<mjx-assistive-mml>${spoken}</mjx-assistive-mml></mjx-container>`);
      } catch (error) {
        throw new Error(`${error.message}: ${tex}`);
      }
    });
    const style = adaptor.textContent(MathJax.chtmlStylesheet());
    process.stdout.write(JSON.stringify({ formulas, style }));
  })
  .catch((error) => {
    process.stderr.write(String(error.message || error));
    process.exit(1);
  });
