// Leave out of a style sheet what no page uses: {"css": text, "html": [text, …], "scripts": [text, …]} in, CSS out.
const { PurgeCSS } = require(process.argv[2] + "/purgecss");
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
const raw = (extension) => (text) => ({ raw: text, extension });

new PurgeCSS()
  .purge({
    content: [...input.html.map(raw("html")), ...input.scripts.map(raw("js"))],
    css: [{ raw: input.css }],
    dynamicAttributes: ["data-theme", "data-mode", "data-ready"], // set by scripts, as are the classes of sliders
    safelist: { greedy: [/^(widget|jupyter|jp-|lm-|noUi)/] },
  })
  .then(([result]) => process.stdout.write(result.css))
  .catch((error) => {
    process.stderr.write(String(error.stack || error));
    process.exit(1);
  });
